"""What follows from a decision: cases, the review queue, the ladder. Pure: a decision and a state in, entries out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import msgspec
from msgspec import Struct

from fairlead.gateway.rails import Ruling
from fairlead.ledger.fold import State, events_of
from fairlead.policy.document import Policy, Rule, Rung
from fairlead.policy.expression import Expression, compile_when
from fairlead.records.entry import CaseOpened, Decided, LadderStepped, Payload, ReviewQueued

_DAY = 86_400.0

#: (ladder, account, points before, points after, now) -> the rungs newly reached.
Ladder = Callable[[tuple[Rung, ...], str, int, int, float], tuple[LadderStepped, ...]]


class _Facts(Struct, frozen=True):
    """What a rule over accounts may ask; the decision that is being settled counts as the last event."""

    state: State
    decided: Decided
    harm: Mapping[str, float]
    now: float

    @property
    def tier(self) -> str:
        return self.decided.tier or ""

    @property
    def surface(self) -> str:
        return self.decided.surface

    def count(self, action: str, rule: str, seconds: float) -> int:
        known = self.state.count(self.decided.account or "", action, rule, self.now - seconds)
        return known + sum(e.action == action and fnmatchcase(e.rule, rule) for e in events_of(self.decided, self.now))


class Settlement:
    """A policy's consequences, its account rules compiled once."""

    def __init__(self, policy: Policy, ladder: Ladder) -> None:
        """Raises ExpressionError for a condition that the policy's loader would have refused."""
        self._policy, self._ladder = policy, ladder
        self._rules: list[tuple[Rule, Expression]] = [
            (r, compile_when(r.when)) for r in policy.account_rules if r.when is not None
        ]

    def entries(self, decided: Decided, rulings: tuple[Ruling, ...], state: State, now: float, seq: int) -> tuple[Payload, ...]:
        """The decision itself, first, and what follows from it. `seq` is the sequence number that the decision will get."""
        account = decided.account
        if account is None or not rulings:
            return (decided,)
        if decided.points:
            decided = msgspec.structs.replace(decided, points_expire=now + self._policy.strikes_expire_days * _DAY)
        before = state.account(account).points(now)
        follows: list[Payload] = []
        if decided.action == "review":
            unsure = dict.fromkeys(rule for ruling in rulings for rule in ruling.unsure)
            follows += [ReviewQueued(item=decided.request, rule=rule, surface=decided.surface) for rule in unsure]
        asked = dict.fromkeys(rule for ruling in rulings for rule in ruling.cases)
        follows += [CaseOpened(f"case_{seq}_{i}", account, rule, (seq,)) for i, rule in enumerate(asked)]
        # After an error signals are missing for a reason that says nothing of the account.
        shadows, cases = self._account_rules(decided, rulings, state, now, seq) if decided.cause == "rule" else ([], [])
        follows += cases
        follows += self._ladder(self._policy.ladder, account, before, before + decided.points, now)
        if shadows:
            decided = msgspec.structs.replace(decided, flags=(*decided.flags, *shadows))
        return (decided, *follows)

    def _account_rules(
        self, decided: Decided, rulings: tuple[Ruling, ...], state: State, now: float, seq: int
    ) -> tuple[list[str], list[CaseOpened]]:
        """Flags of shadow rules, and cases. Rules over accounts queue and never act."""
        harm: dict[str, float] = {}
        for ruling in rulings:
            harm |= {signal: max(score, harm.get(signal, 0.0)) for signal, score in ruling.harm.items()}
        facts = _Facts(state, decided, harm, now)
        shadows, cases = [], []
        for rule, holds in self._rules:
            found = holds(facts)
            if found is False:
                continue
            if rule.state == "shadow":
                shadows.append(f"shadow:{rule.id}")
            elif self._may_open(rule, decided.account, state, now):
                summary = "" if found else "undetermined: a signal is missing"
                cases.append(CaseOpened(f"case_{seq}_{rule.id}", decided.account, rule.id, (seq,), summary))
        return shadows, cases

    @staticmethod
    def _may_open(rule: Rule, account: str | None, state: State, now: float) -> bool:
        """Once a day for an account and a rule, and no more in all than the rule's cap."""
        if account is None or state.cases_since(rule.id, now - _DAY, account):
            return False
        return rule.cap_per_day is None or state.cases_since(rule.id, now - _DAY) < rule.cap_per_day
