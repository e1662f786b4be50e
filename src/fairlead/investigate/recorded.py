"""What a policy says of a request that was judged before, from what the ledger holds of it: scores, and what was noted.

    score                             read by the policy's own thresholds
    verdict on this version of a rule stands, whatever it rests on
    pattern that was found            holds where the rule still has a pattern of that id; otherwise the score that it hid is
                                      missing, and nobody can say what the rule finds
    text that was cut off             is missing to a rule that would allow what was read of it, as when it was judged

Two rules that share a signal are both read from the higher score. That a pattern is new or was rewritten under its old id
cannot be seen here. For both the text must be judged anew.
"""

from __future__ import annotations

from itertools import islice
from operator import itemgetter, lt
from typing import cast, get_args

from msgspec import Struct

from fairlead.policy.decide import Ruling, decide, ruled, strictest
from fairlead.policy.document import Detect, Policy, Rule, Surface
from fairlead.policy.evaluator import allowed_below, by_score
from fairlead.records.entry import Decided, Signals
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict

_PATTERN = "pattern "
_NONE: frozenset[str] = frozenset()
_SURFACES = frozenset(get_args(Surface))
_ALLOWED = Outcome.ALLOWED

Kept = tuple[RuleVerdict, ...]


class Text(Struct, frozen=True):
    """One text of a request as it was judged: its place among them, its signals, and the verdicts on it that were not plainly
    allowed."""

    at: int
    signals: Signals
    kept: Kept


class Ruled(Struct, frozen=True):
    """What a policy says of texts that are delivered or withheld together. `unknown` names the rules of which the record
    cannot say what they find; the ruling takes them as undetermined, or as their `missing` says."""

    ruling: Ruling
    unknown: frozenset[str] = _NONE


def texts(decided: Decided) -> dict[tuple[str, str], list[Text]] | None:
    """The texts of a request, those that were ruled upon together under (surface, rule of a careful answer).

    None when the entry does not hold what is needed: it is older, or it was a moderation.
    """
    if not decided.signals or sum(signals.kept for signals in decided.signals) != len(decided.verdicts):
        return None
    found: dict[tuple[str, str], list[Text]] = {}
    verdicts = iter(decided.verdicts)
    for at, signals in enumerate(decided.signals):
        if signals.surface not in _SURFACES:
            return None
        text = Text(at, signals, tuple(islice(verdicts, signals.kept)) if signals.kept else ())
        found.setdefault((signals.surface, signals.care), []).append(text)
    return found


class Reader:
    """One policy, its rules compiled once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rules = {
            surface: [(rule, rule.detect.name, by_score(rule.detect)) for rule in policy.over(surface) if rule.detect]
            for surface in get_args(Surface)
        }
        self._plain = {surface: _Plain([r.detect for r in policy.over(surface) if r.detect]) for surface in get_args(Surface)}

    def ruled(self, found: list[Text], tier: str, account: str | None, producer: str) -> Ruled:
        """The ruling on texts of one surface, as the gateway would give it."""
        each = [self._one(text, tier, account, producer) for text in found]
        if len(each) == 1:
            return each[0]
        return Ruled(strictest(one.ruling for one in each), _NONE.union(*(one.unknown for one in each)))

    def plain(self, decided: Decided) -> tuple[Ruling, ...] | None:
        """The rulings on a prompt and its one answer, when nothing was noted of either and nothing is to be. Most requests end
        here, with what `ruled` says of each; None: ask there."""
        if decided.verdicts or len(decided.signals) != 2:
            return None
        prompt, answer = decided.signals
        if prompt.surface != "prompt" or answer.surface != "response" or prompt.kept or answer.kept:
            return None
        asked, answered = self._plain["prompt"].allowed(prompt.scores), self._plain["response"].allowed(answer.scores)
        if asked is None or answered is None:
            return None
        return Ruling("allow", harm=asked), Ruling("allow", harm=answered)

    def _one(self, text: Text, tier: str, account: str | None, producer: str) -> Ruled:
        """As `decide` on a verdict for every rule; those that are plainly allowed are not made."""
        surface = cast(Surface, text.signals.surface)
        if not self._rules[surface]:
            return Ruled(decide(self._policy, tier, account, Verdict((), producer), surface))
        scores, said = text.signals.scores, {verdict.rule: verdict for verdict in text.kept}
        cut = any(verdict.evidence.startswith(CUT) for verdict in text.kept)
        noted: list[tuple[Rule, RuleVerdict]] = []
        unknown: list[str] = []
        harm: dict[str, float] = {}
        for rule, signal, outcome in self._rules[surface]:
            score = scores.get(signal)
            if rule.id in said or cut or outcome(score) is not _ALLOWED:
                verdict, known = _read(rule, score, said.get(rule.id), cut)
                score = verdict.score
                noted += [(rule, verdict)] if verdict.outcome is not _ALLOWED else []
                unknown += [] if known else [rule.id]
            if score is not None and score > harm.get(signal, -1.0):
                harm[signal] = score
        return Ruled(ruled(noted, tier, account, surface, harm), frozenset(unknown))


class _Plain:
    """The rules of one surface, for the texts of which nothing was noted and nothing is to be: most are such."""

    def __init__(self, detects: list[Detect]) -> None:
        self._bounds = [allowed_below(detect) for detect in detects]
        signals = [detect.name for detect in detects]
        self._signals = frozenset(signals)
        # One name alone would give a value in place of a tuple.
        self._values = itemgetter(*signals, *signals[:1]) if signals else None

    def allowed(self, scores: dict[str, float]) -> dict[str, float] | None:
        """The scores that the rules read, when every rule allows by its score."""
        if self._values is None:
            return None
        try:
            values = self._values(scores)
        except KeyError:
            return None
        if not all(map(lt, values, self._bounds)) or min(values) < 0:
            return None
        return scores if len(scores) == len(self._signals) else {signal: scores[signal] for signal in self._signals}


def _read(rule: Rule, score: float | None, was: RuleVerdict | None, cut: bool) -> tuple[RuleVerdict, bool]:
    """The rule's verdict, and whether the record can say."""
    assert rule.detect is not None  # the policy's text rules have one
    outcome = by_score(rule.detect)
    if was is not None and was.rule_digest == rule.digest:
        return was, True
    if was is not None and was.stage == "signatures":
        if was.evidence.removeprefix(_PATTERN) in {pattern.id for pattern in rule.detect.patterns}:
            return RuleVerdict(rule.id, rule.digest, Outcome.VIOLATES, 1.0, was.stage, was.view, was.evidence), True
        score = None  # what stands in the signals is the pattern's
    known = score is not None
    if cut and outcome(score) is _ALLOWED:
        score = None
    return RuleVerdict(rule.id, rule.digest, outcome(score), score, "recorded"), known
