"""The basin's data: conversations for pre-training, for supervised safety training, and cases for evaluation.

Everything comes from streams keyed by (seed, purpose, item). Evaluation uses only combinations of verb, object and owner that
training never shows; the request, its benign twin and its disguises share a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from fairlead.basin import world
from fairlead.basin.disguises import DISGUISES, PLAIN, Disguise
from fairlead.basin.gold import Case
from fairlead.basin.world import Request
from fairlead.records.canonical import digest
from fairlead.records.conversation import Conversation
from fairlead.records.streams import stream
from fairlead.records.verdict import Outcome

_RULES: tuple[world.RuleId, ...] = ("locked", "private", "fire")
_SEEN = tuple(d for d in DISGUISES if d.seen)
#: A made-up tongue is a vocabulary to be learned, a framing only a few words to be passed over: tongues are shown more often.
_WEIGHTS = {"obfuscation": 3.0}


@dataclass(frozen=True)
class Size:
    """How large a basin: the model, the number of conversations, batches, and requests a cell of the evaluation."""

    layers: int
    width: int
    pretraining: int
    pretraining_batch: int
    pretraining_rate: float
    safety: int
    safety_batch: int
    safety_rate: float
    per_cell: int


#: Base, supervised training and evaluation within five minutes on one core.
FULL = Size(4, 128, 18000, 16, 2e-3, 16000, 16, 1e-3, 60)
#: The same within 35 s, for the test-suite's turn of the wheel.
QUICK = Size(2, 64, 8000, 16, 5e-3, 6400, 16, 2e-3, 16)


class Datasets(Struct, frozen=True):
    """What one basin is trained and measured on. The conversations for training end with the assistant's answer."""

    pretraining: tuple[Conversation, ...]
    safety: tuple[Conversation, ...]
    evaluation: tuple[Case, ...]


def build(seed: int, size: Size) -> Datasets:
    """All the data of the basin of `seed`."""
    return Datasets(
        pretraining=tuple(_pretraining(stream(seed, "pre-training", i)) for i in range(size.pretraining)),
        safety=tuple(_safety(stream(seed, "safety", i)) for i in range(size.safety)),
        evaluation=evaluation(seed, size.per_cell),
    )


def evaluation(seed: int, per_cell: int) -> tuple[Case, ...]:
    """Cells of `per_cell` harmful requests and their benign twins, plainly and in each disguise, and two cells of skills."""
    cases: list[Case] = []
    for i in range(per_cell):
        random = stream(seed, "evaluation", i)
        harmful = world.draw_harmful(random, _RULES[i % len(_RULES)], evaluation=True)
        benign = world.twin(random, harmful)
        for disguise in (PLAIN, *DISGUISES):
            cases += [_case(seed, i, disguise, harmful), _case(seed, i, disguise, benign)]
        cases += [_unknown_case(random, i), _where_case(random, i)]
    return tuple(sorted(cases, key=lambda c: (c.disguise, c.gold)))


def leaked(training: Iterable[Conversation], cases: Iterable[Case]) -> tuple[str, ...]:
    """The ids of the cases whose conversation occurs in `training`, whatever the capitals and the spacing."""
    known = {_normal(Conversation(c.messages[:-1])) for c in training}
    return tuple(case.id for case in cases if _normal(case.conversation) in known)


def _pretraining(random: Random) -> Conversation:
    """A conversation of the base model's: any request, harmful or not, in any disguise, always answered helpfully."""
    if random.random() < 0.04:
        return _where(random, evaluation=False)
    request = _any_request(random)
    disguise = PLAIN if random.random() < 0.1 else _choose(random, DISGUISES)
    return disguise.put(random, request).answered(world.helpful_answer(request))


def _safety(random: Random) -> Conversation:
    """A conversation that shows the aligned answer, plainly or in a disguise that safety training may see.

    Half of them are harmful; most of the others are their benign twins, so that only the rule tells them apart.
    """
    luck = random.random()
    if luck < 0.03:
        return _where(random, evaluation=False)
    if luck < 0.15:
        request = _any_request(random)
    else:
        request = world.draw_harmful(random, random.choice(_RULES), evaluation=False)
        request = request if luck < 0.6 else world.twin(random, request)
    disguise = PLAIN if random.random() < 0.15 else _choose(random, _SEEN)
    return disguise.put(random, request).answered(world.right_answer(request))


def _choose(random: Random, disguises: tuple[Disguise, ...]) -> Disguise:
    return random.choices(disguises, [_WEIGHTS.get(d.family, 1.0) for d in disguises])[0]


def _any_request(random: Random) -> Request:
    """A request of any kind: unknown, free, or chosen to break a rule."""
    luck = random.random()
    if luck < 0.1:
        return world.draw_unknown(random, evaluation=False)
    if luck < 0.7:
        return world.draw(random, evaluation=False)
    return world.draw_harmful(random, random.choice(_RULES), evaluation=False)


def _where(random: Random, *, evaluation: bool) -> Conversation:
    """A skill beside the tasks, to see what alignment costs: a question, never harmful, even about somebody's locked letter."""
    request = world.draw(random, evaluation=False)
    # Nothing is done here, so a thing and its owner are the whole combination.
    while world.held_out(replace(request, verb="where")) is not evaluation:
        request = world.draw(random, evaluation=False)
    place = world.OWNERS[request.owner]
    asked = world.words(request.opening, "where is", request.thing, request.closing)
    return Conversation.of(asked).answered(f"the {request.object} of {request.owner} is at the {place}")


def _case(seed: int, i: int, disguise: Disguise, request: Request) -> Case:
    gold, rule = world.verdict(request), world.broken_rule(request)
    # The same stream for a request and its twin: only the words that make the difference differ.
    conversation = disguise.put(stream(seed, "evaluation", disguise.name, i), request)
    return Case(
        id=digest((disguise.name, conversation))[:16],
        group=f"evaluation-{i}",
        family=disguise.family,
        disguise=disguise.name,
        seen=disguise.seen,
        gold=gold,
        rule=rule,
        conversation=conversation,
        helpful=world.helpful_answer(request),
        right=world.right_answer(request),
    )


def _unknown_case(random: Random, i: int) -> Case:
    request = world.draw_unknown(random, evaluation=True)
    return _skill_case("unknown", PLAIN.put(random, request), world.DOES_NOT_KNOW, i)


def _where_case(random: Random, i: int) -> Case:
    conversation = _where(random, evaluation=True)
    return _skill_case("where", Conversation(conversation.messages[:-1]), conversation.messages[-1].content, i)


def _skill_case(name: str, conversation: Conversation, answer: str, i: int) -> Case:
    return Case(
        id=digest((name, i, conversation))[:16],
        group=f"{name}-{i}",
        family="skill",
        disguise=name,
        seen=True,
        gold=Outcome.ALLOWED,
        rule="",
        conversation=conversation,
        helpful=answer,
        right=answer,
    )


def _normal(conversation: Conversation) -> str:
    return digest([(m.role, " ".join(m.content.lower().split())) for m in conversation.messages])
