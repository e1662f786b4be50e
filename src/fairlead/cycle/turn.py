"""One turn of the wheel, in order: policy, basin, judge, guard, attack, investigate, improve, report.

Every step is an entry in the ledger, and the report is read from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from fairlead.basin.gold import counted_disguises
from fairlead.cycle import report
from fairlead.cycle.attacking import attack_judge, attack_model, measure_attacks
from fairlead.cycle.datasets import Dataset, Material, build, gather
from fairlead.cycle.guarding import guard
from fairlead.cycle.improving import improve
from fairlead.cycle.judging import RememberingEncoder, assess, heads_folder, judge_card, make_judge, open_encoder
from fairlead.cycle.settings import Settings
from fairlead.cycle.shaping import Shaped, answers, shape
from fairlead.cycle.summary import Summary, last_turn
from fairlead.cycle.wheel import Range, Wheel
from fairlead.investigate.discover import groups, strangeness
from fairlead.judge.cascade import Judge
from fairlead.measure.gates import rule_gates
from fairlead.policy.core import ENCODER
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Attacked, CaseOpened, InputRead, TurnStarted
from fairlead.records.example import Example
from fairlead.records.verdict import Outcome
from fairlead.redteam.campaign import Attempt
from fairlead.redteam.transform import TRANSFORMS

_GROUPS = 3


def turn(settings: Settings, say: Callable[[str], None]) -> Summary:
    """Turn the wheel once; the ledger and the report are left in `settings.out`.

    Raises FairleadError when a stage cannot do its work; what was done until then stands in the ledger.
    """
    policy = load(settings.policy)
    material = gather(settings, policy)
    with Wheel(settings, policy, say) as wheel:
        first = wheel.ledger.size
        _begin(wheel, policy, material)
        with wheel.stage("basin"):
            shaped = shape(wheel, settings.extent.basin)
        with wheel.stage("judge"):
            encoder = open_encoder()
            base = build("base", [material.labelled], material.evaluation)
            wheel.note([base.entry()])
            judge, digest = make_judge(wheel, base, encoder, "")
            _read_policy_gates(wheel, judge, material)
        with wheel.stage("guard"):
            guard(wheel, shaped.aligned, heads_folder(settings.out, digest), ENCODER)
        with wheel.stage("attack"):
            found, found_at = _attack(wheel, judge, shaped, material)
        with wheel.stage("investigate"):
            _investigate(wheel, judge, encoder, material, base)
        with wheel.stage("improve"):
            judge, digest = improve(wheel, material, (judge, digest), base, found, found_at, encoder)
            _measure_prompts(wheel, judge, material, "prompts after")
        with wheel.stage("report"):
            summary = last_turn(wheel.ledger.entries(first))
            report.write(settings.out / "report.html", wheel.path, summary)
    return summary


def _begin(wheel: Wheel, policy: Policy, material: Material) -> None:
    """Note what the turn starts from: its settings, the policy in force, the files it reads."""
    settings = wheel.settings
    wheel.note(
        [
            TurnStarted(settings.seed, settings.extent.name, {"policy": settings.policy.name}),
            policy.entry(),
            *(
                InputRead(file.name, file.digest, len(file.examples), tuple(bad.number for bad in file.refused))
                for file in material.files
            ),
        ]
    )
    for file in material.files:
        for bad in file.refused:
            wheel.say(f"input: {file.name}, line {bad.number} {bad.why}; left out")


def _read_policy_gates(wheel: Wheel, judge: Judge, material: Material) -> None:
    """The judge's card on held-out texts, and the gates that the policy sets for each rule."""
    assessed, at = assess(wheel, judge, material.held_out, "held-out")
    wheel.measure("judge", judge_card(assessed, wheel.settings.seed), at)
    wheel.note([gate.entry() for gate in rule_gates(wheel.policy, assessed)])
    _measure_prompts(wheel, judge, material, "prompts")


def _measure_prompts(wheel: Wheel, judge: Judge, material: Material, subject: str) -> None:
    """The judge's card on the half of the input that never reaches training."""
    labelled = [example for example in material.measured if example.labels]
    if labelled:
        assessed, at = assess(wheel, judge, labelled, "input")
        wheel.measure(subject, judge_card(assessed, wheel.settings.seed), at)


def _attack(wheel: Wheel, judge: Judge, shaped: Shaped, material: Material) -> tuple[list[tuple[Attempt, Attacked]], Range]:
    """The five families against both models of the basin, then the transforms against the judge on the input's prompts."""
    counted: frozenset[str] | None = None
    for name, folder in (("basin-base", shaped.base), ("basin-sft", shaped.aligned)):
        wheel.say(f"attack: {len(shaped.cases)} cases against {name}")
        ended, at, cells = attack_model(wheel, name, shaped.cases, answers(folder))
        counted = counted_disguises(cells) if counted is None else counted
        measure_attacks(wheel, name, [e for e in ended if e.family != "skill" and e.member in counted], "gold", at)
    disguises = {case.disguise for case in shaped.cases if case.family != "skill"}
    wheel.say(f"attack: {len(disguises & (counted or frozenset()))} of {len(disguises)} disguises count")
    probed = [example if example.labels else _labelled_by(judge, example) for example in material.probed]
    wheel.say(f"attack: {len(probed)} prompts under {len(TRANSFORMS)} transforms against the judge")
    tried, tried_at = attack_judge(wheel, judge, probed, TRANSFORMS)
    known = all(example.labels for example in material.probed)
    by = "labels" if known else "labels, or the judge's plain verdict where a prompt has none"
    measure_attacks(wheel, "judge on prompts", [entry for _, entry in tried], by, tried_at)
    return tried, tried_at


def _labelled_by(judge: Judge, example: Example) -> Example:
    """An unlabelled prompt that the judge finds in violation stands for what it should find in any disguise as well.

    What the judge allows stays unlabelled: it may be wrong, and then a disguise would be blamed for it.
    """
    verdict = judge.judge(Conversation.of(example.text))
    labels = {rule.rule: True for rule in verdict.rules if rule.outcome is Outcome.VIOLATES}
    return replace(example, labels=labels, source="judge")


def _investigate(wheel: Wheel, judge: Judge, encoder: RememberingEncoder, material: Material, base: Dataset) -> None:
    """Open a case for each group of prompts that look harmful in a way that no training text does."""
    prompts = (*material.probed, *material.measured)
    assessed, at = assess(wheel, judge, prompts, "investigated")
    concern = np.array([max((s or 0.0 for s in a.scores.values()), default=0.0) for a in assessed])
    known = encoder.encode([row.text for row in base.rows if any(row.labels.values())])
    embeddings = encoder.encode([example.text for example in prompts])
    strange = strangeness(embeddings, concern, known)
    for number, group in enumerate(groups(embeddings, strange, _GROUPS), 1):
        because = tuple(at[0] + member for member in group.members)
        text = f"{len(because)} texts, mean strangeness {group.strangeness:.2f}"
        wheel.note([CaseOpened(f"unknown-{number}", None, "unknown", because, text)])
