"""What the log adds up to: keys, accounts, open cases, what waits for review.

The fold reads entries and nothing else: no policy, and no clock. Whatever expires is kept with its expiry, and who asks brings
the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct, field

from fairlead.records.entry import (
    CaseOpened,
    Decided,
    Entry,
    KeyIssued,
    KeyRevoked,
    Labelled,
    LadderStepped,
    PolicyLoaded,
    ReviewQueued,
)


class Key(Struct, frozen=True):
    """What a key opens. `expires` is in seconds since the epoch, None for never."""

    account: str
    tier: str
    expires: float | None = None
    revoked: bool = False


class Strike(Struct, frozen=True):
    """Points that count until `expires`."""

    points: int
    expires: float | None


class Event(Struct, frozen=True):
    """Something that was done to a request or an account, under a rule."""

    time: float
    action: str
    rule: str


def events_of(decided: Decided, time: float) -> list[Event]:
    """What a decision adds to its account's history: nothing when it was plainly allowed or no rule decided."""
    events = [Event(time, decided.action, decided.rule)] if decided.rule else []
    events += [Event(time, "flag", flag) for flag in decided.flags if not flag.startswith("shadow:")]
    return events + ([Event(time, "strike", decided.rule or "")] if decided.points else [])


def count(events: Iterable[Event], action: str, rule: str, since: float) -> int:
    """How many events after `since` are of `action` under a rule matching the glob `rule`."""
    return sum(e.action == action and e.time > since and fnmatchcase(e.rule, rule) for e in events)


class Account(Struct):
    """What is known of one account."""

    strikes: list[Strike] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: list[LadderStepped] = field(default_factory=list)

    def points(self, now: float) -> int:
        """The points that have not expired."""
        return sum(s.points for s in self.strikes if s.expires is None or s.expires > now)

    def in_force(self, now: float) -> tuple[str, ...]:
        """The steps of the ladder that hold now. One that waits for an approval does not."""
        return tuple(s.do for s in self.steps if s.waits_for == "nobody" and (s.until is None or s.until > now))


class Case(Struct, frozen=True):
    """An open case and when it was opened."""

    time: float
    account: str | None
    rule: str


class State(Struct):
    """All that the gateway needs to know. `queue` maps an item that waits for review to the rules that were undecided."""

    keys: dict[str, Key] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    queue: dict[str, tuple[str, ...]] = field(default_factory=dict)
    policy: str = ""

    def account(self, id: str) -> Account:
        """The account; one that nothing is known of is empty."""
        return self.accounts.get(id) or Account()

    def cases_since(self, rule: str, time: float) -> list[Case]:
        """Cases under one rule that were opened after `time`."""
        return [case for case in self.cases.values() if case.rule == rule and case.time > time]

    def apply(self, entry: Entry) -> None:
        """Take in one entry. Entries that say nothing of keys, accounts, cases or reviews change nothing."""
        match entry.payload:
            case KeyIssued(key=key, account=account, tier=tier, expires=expires):
                self.keys[key] = Key(account, tier, expires)
            case KeyRevoked(key=key) if key in self.keys:
                known = self.keys[key]
                self.keys[key] = Key(known.account, known.tier, known.expires, revoked=True)
            case Decided() as decided if decided.account is not None:
                self._decided(entry.time, decided.account, decided)
            case CaseOpened(case=case, account=account, rule=rule):
                self.cases[case] = Case(entry.time, account, rule)
                if account is not None:
                    self._known(account).events.append(Event(entry.time, "case", rule))
            case ReviewQueued(item=item, rule=rule):
                self._queued(item, (*self.queue.get(item, ()), rule))
            case Labelled(item=item, rule=rule, by=by) if by.startswith("reviewer:"):
                self._queued(item, tuple(waits for waits in self.queue.get(item, ()) if waits != rule))
            case LadderStepped(account=account, do=do) as step:
                self._known(account).steps.append(step)
                self._known(account).events.append(Event(entry.time, do, ""))
            case PolicyLoaded(policy=policy):
                self.policy = policy

    def _decided(self, time: float, id: str, decided: Decided) -> None:
        """An allowed request leaves no trace here, so that memory grows with trouble and not with traffic."""
        if found := events_of(decided, time):
            account = self._known(id)
            account.events += found
            if decided.points:
                account.strikes.append(Strike(decided.points, decided.points_expire))

    def _queued(self, item: str, rules: tuple[str, ...]) -> None:
        if rules:
            self.queue[item] = rules
        else:
            self.queue.pop(item, None)

    def _known(self, id: str) -> Account:
        return self.accounts.setdefault(id, Account())


def fold(entries: Iterable[Entry], state: State | None = None) -> State:
    """`state` (a new one when None) after the entries, in order."""
    state = State() if state is None else state
    for entry in entries:
        state.apply(entry)
    return state
