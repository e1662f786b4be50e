"""What follows from a decision: cases, the review queue, the ladder. Pure: a decision and a state in, entries out."""

from __future__ import annotations

import msgspec

from fairlead.enforce.ladder import reached
from fairlead.ledger.facts import DecisionFacts, Highest
from fairlead.ledger.fold import State, events_of
from fairlead.policy.decide import Ruling
from fairlead.policy.document import Policy, Rule
from fairlead.policy.evaluator import evaluator
from fairlead.records.entry import CaseOpened, Decided, Payload, ReviewQueued
from fairlead.records.verdict import Outcome

_DAY = 86_400.0


class Settlement:
    """A policy's consequences, its account rules compiled once."""

    def __init__(self, policy: Policy) -> None:
        """Raises ExpressionError for a condition that the policy's loader would have refused."""
        self._policy = policy
        self._rules = [(rule, evaluator(rule)) for rule in policy.account_rules]

    def settle(self, decided: Decided, rulings: tuple[Ruling, ...], state: State, now: float, seq: int) -> tuple[Payload, ...]:
        """The decision itself, first, and what follows from it. `seq` is the sequence number that the decision will get."""
        account = decided.account
        if account is None or not rulings:
            return (decided,)
        if decided.points:
            decided = msgspec.structs.replace(decided, points_expire=now + self._policy.strikes_expire_days * _DAY)
        follows: list[Payload] = []
        if decided.action == "review":
            unsure = dict.fromkeys(rule for ruling in rulings for rule in ruling.unsure)
            follows += [ReviewQueued(item=decided.request, rule=rule, surface=decided.surface) for rule in unsure]
        asked = dict.fromkeys(rule for ruling in rulings for rule in ruling.cases)
        follows += [CaseOpened(f"case_{seq}_{i}", account, rule, (seq,)) for i, rule in enumerate(asked)]
        # After an error signals are missing for a reason that says nothing of the account.
        shadows, cases = self._account_rules(decided, rulings, state, now, seq) if decided.cause == "rule" else ([], [])
        follows += cases
        if decided.points:
            before = state.points(account, now)
            follows += reached(self._policy.ladder, account, before, before + decided.points, now)
        if shadows:
            decided = msgspec.structs.replace(decided, flags=(*decided.flags, *shadows))
        return (decided, *follows)

    def _account_rules(
        self, decided: Decided, rulings: tuple[Ruling, ...], state: State, now: float, seq: int
    ) -> tuple[list[str], list[CaseOpened]]:
        """Flags of rules that do not act on the account, and cases. Rules over accounts queue and never act on a request."""
        harm = Highest(ruling.harm for ruling in rulings)
        facts = DecisionFacts(state, events_of(decided, now), decided, harm, now)
        shadows, cases = [], []
        for rule, evaluate in self._rules:
            outcome = evaluate(facts)
            if outcome is Outcome.ALLOWED:
                continue
            if not rule.acts_on(decided.account):
                shadows.append(f"shadow:{rule.id}")
            elif self._may_open(rule, decided.account, state, now):
                summary = "" if outcome is Outcome.VIOLATES else "undetermined: a signal is missing"
                cases.append(CaseOpened(f"case_{seq}_{rule.id}", decided.account, rule.id, (seq,), summary))
        return shadows, cases

    @staticmethod
    def _may_open(rule: Rule, account: str | None, state: State, now: float) -> bool:
        """Once a day for an account and a rule, and no more in all than the rule's cap."""
        if account is None or state.cases_since(rule.id, now - _DAY, account):
            return False
        return rule.cap_per_day is None or state.cases_since(rule.id, now - _DAY) < rule.cap_per_day
