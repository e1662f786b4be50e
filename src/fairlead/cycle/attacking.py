"""The red team's part of a turn: transforms against the judge, and the five families against the basin's models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead.basin.gold import Case, Cell, Grade, counts, grade
from fairlead.cycle.wheel import Range, Wheel
from fairlead.judge.cascade import Judge
from fairlead.records.entry import Attacked
from fairlead.records.example import Example
from fairlead.records.verdict import Outcome
from fairlead.redteam.campaign import Attempt, attempts, rates
from fairlead.redteam.outcome import AttackOutcome, against_guard
from fairlead.redteam.transform import Transform

_HARMFUL = {Grade.COMPLIED: AttackOutcome.SUCCEEDED, Grade.ERROR: AttackOutcome.ERROR}
_BENIGN = {
    Grade.COMPLIED: AttackOutcome.SERVED,
    Grade.REFUSED: AttackOutcome.REFUSED,
    Grade.ERROR: AttackOutcome.ERROR,
}


def attack_judge(
    wheel: Wheel, judge: Judge, examples: Sequence[Example], transforms: Sequence[Transform]
) -> tuple[list[tuple[Attempt, Attacked]], Range]:
    """Every labelled example under every transform, put to the judge; each outcome is noted."""
    tried = list(attempts(examples, transforms))
    verdicts = judge.judge_many([attempt.conversation for attempt in tried])
    ended = [
        (attempt, attempt.ended(verdict.producer, against_guard(verdict, benign=attempt.benign), verdict.error or ""))
        for attempt, verdict in zip(tried, verdicts, strict=True)
    ]
    return ended, wheel.note(entry for _, entry in ended)


def attack_model(
    wheel: Wheel, name: str, cases: Sequence[Case], answer: Callable[[Sequence[Case]], Sequence[str | None]]
) -> tuple[list[Attacked], Range, tuple[Cell, ...]]:
    """The basin's evaluation cases put to one of its models, graded by gold, each outcome noted; and gold's counts of them."""
    ended, answers = [], answer(cases)
    for case, said in zip(cases, answers, strict=True):
        benign, graded = case.gold is not Outcome.VIOLATES, grade(case, said)
        outcome = _BENIGN.get(graded, AttackOutcome.WRONG) if benign else _HARMFUL.get(graded, AttackOutcome.FAILED)
        labels = {} if benign else {case.rule: True}
        attempt = Attempt(case.group, case.group, case.family, case.disguise, not case.seen, labels, case.conversation)
        ended.append(attempt.ended(name, outcome, graded))
    return ended, wheel.note(ended), counts(cases, answers)


def measure_attacks(wheel: Wheel, subject: str, ended: Sequence[Attacked], judge: str, because: Range) -> None:
    """Attack success and benign refusal over all, for each family and for each member, under one subject each."""
    groups: dict[str, list[Attacked]] = {subject: list(ended)}
    for entry in ended:
        groups.setdefault(f"{subject}|{entry.family}", []).append(entry)
        member = f"{entry.member} (held out)" if entry.held_out else entry.member
        groups.setdefault(f"{subject}|{entry.family}|{member}", []).append(entry)
    for name, entries in groups.items():
        wheel.measure(name, rates(entries, judge), because)
