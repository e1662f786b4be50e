"""What another policy would have changed: counted event by event, and what labels say of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct

from fairlead.investigate.course import Course
from fairlead.investigate.labels import said
from fairlead.ledger.fold import State
from fairlead.ledger.rows import Labels
from fairlead.policy.document import Policy
from fairlead.records.entry import CaseOpened, Decided, Payload, ReviewQueued
from fairlead.records.figure import Figure
from fairlead.records.streams import key
from fairlead.records.verdict import Outcome, RuleVerdict
from fairlead.statistics.intervals import wilson

_SHADOW = "shadow:"
_NONE: frozenset[str] = frozenset()


class Side(Struct, frozen=True):
    """What one of the two policies made of an event. `hit` names the rules that were violated, and those over accounts that
    took note; `unsure` those that were undetermined; `unknown` those of which the record cannot say what they find."""

    action: str
    hit: frozenset[str] = _NONE
    unsure: frozenset[str] = _NONE
    unknown: frozenset[str] = _NONE


class Event(Struct, frozen=True, gc=False):
    """One event that left a trace on either side. There may be very many."""

    seq: int
    account: str | None
    before: Side
    after: Side

    @property
    def changed(self) -> dict[str, str]:
        """What happened to each rule that is hit on one side, and not known to be on the other."""
        gained = dict.fromkeys(self.after.hit - self.before.hit, "newly hit")
        lost = dict.fromkeys(self.before.hit - self.after.hit, "no longer hit")
        open_ = dict.fromkeys(self.before.hit & self.after.unknown, "not known")
        return dict(sorted({**gained, **lost, **open_}.items()))


class RuleChange(Struct, frozen=True):
    """One rule, in events. `undetermined` are those of which the record cannot say what the rule finds: they need to be judged
    anew. The shares are over labelled events; reviewers see what was queued or hit, so recall is that of what they saw."""

    rule: str
    state: str
    before: int
    after: int
    newly_hit: int
    no_longer_hit: int
    unchanged: int
    unsure_before: int
    unsure_after: int
    undetermined: int
    precision_before: Figure
    precision: Figure
    precision_newly_hit: Figure
    recall_before: Figure
    recall: Figure


class Disagreement(Struct, frozen=True):
    """An event that the two policies see differently, for people to look at."""

    seq: int
    request: str
    account: str | None
    before: str
    after: str
    rules: dict[str, str]


class Changes:
    """The tally."""

    def __init__(self) -> None:
        self.actions: Counter[tuple[str, str]] = Counter()
        self.opened, self.queued = [0, 0], [0, 0]
        self._events: dict[str, Event] = {}
        self._sides: dict[Side, Side] = {}  # few differ
        self._seen = array("q")  # hashes of all requests: a label may be of one that left no trace

    def add(self, seq: int, was: Decided, follows: Sequence[Payload], course: Course, payloads: Sequence[Payload]) -> None:
        """Take in one event: as it was, and as it would have been."""
        now = payloads[0]
        assert isinstance(now, Decided)
        action = "unanswered" if course.unanswered else now.action
        self.actions[was.action, action] += 1
        self._seen.append(hash(was.request))
        kept = tuple(verdict for ruling in course.rulings for verdict in ruling.kept)
        if not (was.verdicts or follows or was.flags or kept or now.flags or len(payloads) > 1 or was.action != action):
            return
        for at, entries in enumerate((follows, payloads)):
            self.opened[at] += sum(isinstance(payload, CaseOpened) for payload in entries)
            self.queued[at] += sum(isinstance(payload, ReviewQueued) for payload in entries)
        before = Side(was.action, _hit(was.verdicts) | _noted(was, was.verdicts, follows), _unsure(was.verdicts))
        found = tuple(verdict for verdict in kept if verdict.rule not in course.unknown)
        after = Side(action, _hit(found) | _noted(now, kept, payloads), _unsure(found), course.unknown)
        sides = (self._sides.setdefault(side, side) for side in (before, after))
        self._events[was.request] = Event(seq, was.account, *sides)

    def rules(self, policy: Policy, state: State) -> tuple[RuleChange, ...]:
        """The rules of the new policy that are alive and those that only the events know. `state` knows the labels."""
        counts = _counted(self._events.values())
        known = {rule.id: str(rule.state) for rule in policy.rules if rule.state.alive}
        gone = {rule for _, rule in counts} - known.keys()
        labelled = self._labelled(state)
        states = {**known, **dict.fromkeys(sorted(gone), "not in force")}
        return tuple(_change(rule, written, counts, labelled) for rule, written in states.items())

    def disagreements(self, most: int) -> tuple[Disagreement, ...]:
        """At most so many, drawn by their own names, in the order of the log."""
        differ = [
            (request, event)
            for request, event in self._events.items()
            if event.before.hit != event.after.hit or event.before.action != event.after.action
        ]
        drawn = sorted(differ, key=lambda pair: key(0, "disagreement", pair[0]))[:most]
        return tuple(
            Disagreement(event.seq, request, event.account, event.before.action, event.after.action, event.changed)
            for request, event in sorted(drawn, key=lambda pair: pair[1].seq)
        )

    def _labelled(self, state: State) -> list[tuple[Event, Labels]]:
        """The events that somebody labelled, those without a trace as well."""
        rows = list(state.rows.each(Labels))
        seen = np.isin(np.array([hash(item) for item, _ in rows], np.int64), np.array(self._seen, np.int64))
        plain = Event(-1, None, Side("allow"), Side("allow"))
        return [(self._events.get(item, plain), labels) for (item, labels), there in zip(rows, seen, strict=True) if there]


def _hit(verdicts: Iterable[RuleVerdict]) -> frozenset[str]:
    return frozenset(verdict.rule for verdict in verdicts if verdict.outcome is Outcome.VIOLATES)


def _unsure(verdicts: Iterable[RuleVerdict]) -> frozenset[str]:
    verdicts = tuple(verdicts)
    return frozenset(v.rule for v in verdicts if v.outcome is Outcome.UNDETERMINED) - _hit(verdicts)


def _noted(decided: Decided, verdicts: Iterable[RuleVerdict], follows: Iterable[Payload]) -> frozenset[str]:
    """The rules over accounts that opened a case, or noted it in shadow: no verdict is theirs."""
    cases = {payload.rule for payload in follows if isinstance(payload, CaseOpened)}
    flags = {flag.removeprefix(_SHADOW) for flag in decided.flags if flag.startswith(_SHADOW)}
    return frozenset((cases | flags) - {verdict.rule for verdict in verdicts})


def _counted(events: Iterable[Event]) -> Counter[tuple[str, str]]:
    """How many events there are of each kind and rule."""
    found: Counter[tuple[str, str]] = Counter()
    for event in events:
        before, after = event.before, event.after
        for kind, rules in (
            ("before", before.hit),
            ("after", after.hit),
            ("newly hit", after.hit - before.hit),
            ("no longer hit", before.hit - after.hit - after.unknown),
            ("unsure before", before.unsure),
            ("unsure after", after.unsure),
            ("undetermined", after.unknown),
        ):
            for rule in rules:
                found[kind, rule] += 1
    return found


def _change(rule: str, state: str, counts: Counter[tuple[str, str]], labelled: list[tuple[Event, Labels]]) -> RuleChange:
    judged = [(event, violates) for event, labels in labelled if (violates := said(labels, rule)) is not None]
    was = [violates for event, violates in judged if rule in event.before.hit]
    now = [violates for event, violates in judged if rule in event.after.hit]
    new = [violates for event, violates in judged if rule in event.after.hit - event.before.hit]
    violating = [event for event, violates in judged if violates]
    return RuleChange(
        rule=rule,
        state=state,
        before=counts["before", rule],
        after=counts["after", rule],
        newly_hit=counts["newly hit", rule],
        no_longer_hit=counts["no longer hit", rule],
        unchanged=counts["after", rule] - counts["newly hit", rule],
        unsure_before=counts["unsure before", rule],
        unsure_after=counts["unsure after", rule],
        undetermined=counts["undetermined", rule],
        precision_before=_share("precision before", was),
        precision=_share("precision", now),
        precision_newly_hit=_share("precision of the newly hit", new),
        recall_before=_share("recall before", [rule in event.before.hit for event in violating]),
        recall=_share("recall", [rule in event.after.hit for event in violating if rule not in event.after.unknown]),
    )


def _share(name: str, holds: Sequence[bool]) -> Figure:
    low, high = wilson(sum(holds), len(holds))
    return Figure(name, sum(holds) / len(holds) if holds else None, "", low, high, len(holds), judge="labels")
