"""What the log adds up to: keys, accounts, open cases, what waits for review, labels, models and datasets.

The fold reads entries and nothing else: no policy, and no clock. Whatever expires is kept with its expiry, and who asks brings
the time. What it knows are rows, each a frozen record under a kind and an id. The fold does not care where they are kept: in
memory here, in the log's own database in `ledger.projection`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec.structs import replace

from fairlead.ledger.rows import (
    HOUSE,
    NEVER,
    Account,
    Case,
    Dataset,
    Erased,
    Event,
    Key,
    Label,
    Labels,
    Loaded,
    Memory,
    Model,
    Rows,
    Run,
    Step,
    Waiting,
)
from fairlead.records.entry import (
    AccountErased,
    CaseOpened,
    DatasetBuilt,
    Decided,
    Entry,
    KeyIssued,
    KeyRevoked,
    Labelled,
    LadderStepped,
    ModelMade,
    Payload,
    PolicyLoaded,
    PromotionDecided,
    Reversed,
    ReviewQueued,
)

_LONGEST_S = 400 * 86_400.0  # sums of strikes that expired longer ago than any window looks back are let go
_TOGETHER = 200  # strikes in a run


class State:
    """What the log adds up to."""

    def __init__(self, rows: Rows | None = None) -> None:
        self.rows: Rows = Memory() if rows is None else rows

    # ── what may be asked ──────────────────────────────────────────────────────────────────────────────────────────────

    def key(self, fingerprint: str) -> Key | None:
        """What the key with this SHA-256 opens."""
        return self.rows.get(Key, fingerprint)

    def account(self, id: str) -> Account:
        """The account; one that nothing is known of is empty."""
        return self.rows.get(Account, id) or Account()

    def points(self, account: str, now: float) -> int:
        """The account's points that have not expired. The history is asked only of runs of which some may have."""
        alive = (run for run in self.account(account).strikes if run.latest > now)
        return sum(run.points if run.soonest > now else self.rows.unexpired(account, run, now) for run in alive)

    def erased(self, account: str) -> bool:
        """Whether the key to the account's content was destroyed."""
        return self.rows.get(Erased, account) is not None

    def count(self, account: str, action: str, rule: str, since: float) -> int:
        """How many of an account's events after `since` are of `action`, under a rule matching the glob `rule`."""
        last = self.account(account).last
        if last is None or last <= since:
            return 0
        return sum(n for name, n in self.rows.counts(account, action, since).items() if fnmatchcase(name, rule))

    def cases_since(self, rule: str, since: float, account: str = HOUSE) -> int:
        """How many cases of a rule were opened after `since`: for one account, or in the whole house."""
        return self.rows.counts(account, "case", since).get(rule, 0)

    @property
    def policy(self) -> str:
        """Digest of the policy in force, empty when there was none."""
        return max(self.policies(), key=lambda loaded: loaded.seq).policy.policy if self.policies() else ""

    def policies(self) -> list[Loaded]:
        """The policies that were in force, each where it was put in force last, in that order."""
        return sorted((loaded for _, loaded in self.rows.each(Loaded)), key=lambda loaded: loaded.seq)

    def waiting(self) -> dict[str, tuple[str, ...]]:
        """The items that wait for reviewers, each with the rules that were undecided."""
        return {id: row.rules for id, row in self.rows.each(Waiting)}

    # ── what an entry does ─────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, entry: Entry) -> None:
        """Take in one entry. One that says nothing of what is kept here changes nothing."""
        match entry.payload:
            case Decided() as decided:
                self._decided(entry, decided)
            case CaseOpened(case=case, account=account, rule=rule):
                self.rows.put(case, Case(entry.time, account, rule))
                for whom in (HOUSE, account) if account else (HOUSE,):
                    self._event(whom, Event(entry.time, "case", rule, entry.seq))
            case ReviewQueued(item=item, rule=rule):
                self._waits(item, (*self._rules_waiting(item), rule))
            case Labelled(item=item) as label:
                self._labelled(entry.seq, item, label)
            case LadderStepped() as step:
                self._stepped(entry, step)
            case Reversed() as reversal:
                self._reversed(reversal)
            case AccountErased() as erased:
                self._erased(entry.seq, erased)
            case other:
                self._registered(entry.seq, other)

    def _registered(self, seq: int, payload: Payload) -> None:
        """Keys, policies, models and datasets."""
        match payload:
            case KeyIssued(key=key) as issued:
                self.rows.put(key, Key(issued.account, issued.tier, issued.expires, prefix=issued.prefix))
            case KeyRevoked(key=key):
                if opened := self.rows.get(Key, key):
                    self.rows.put(key, replace(opened, revoked=True))
            case PolicyLoaded(policy=policy) as loaded:
                self.rows.put(policy, Loaded(loaded, seq))
            case ModelMade(digest=digest) as made:
                known = self.rows.get(Model, digest)
                status = known.status if known else "made"
                self.rows.put(digest, Model(made.name, made.role, made.data, status, parent=made.parent))
            case PromotionDecided(candidate=candidate, promoted=promoted):
                if model := self.rows.get(Model, candidate):
                    self.rows.put(candidate, replace(model, status="promoted" if promoted else "refused"))
            case DatasetBuilt(digest=digest) as built:
                self.rows.put(digest, Dataset(built.name, built.accounts))

    def _decided(self, entry: Entry, decided: Decided) -> None:
        """An allowed request leaves no trace here, so that what is kept grows with trouble and not with traffic."""
        if decided.account is None:
            return
        for event in events_of(decided, entry.time, entry.seq):
            self._event(decided.account, event)
            if event.points:
                account = self.account(decided.account)
                alive = tuple(run for run in account.strikes if run.latest > entry.time - _LONGEST_S)
                self.rows.put(decided.account, replace(account, strikes=_with(alive, event)))

    def _stepped(self, entry: Entry, step: LadderStepped) -> None:
        account = self.account(step.account)
        taken = Step(step.do, step.until, step.waits_for, step.at, step.points, entry.seq)
        self.rows.put(step.account, replace(account, steps=(*account.steps, taken)))
        self._event(step.account, Event(entry.time, step.do, "", entry.seq))

    def _event(self, id: str, event: Event) -> None:
        self.rows.add_event(id, event)
        account = self.account(id)
        if account.last is None or event.time > account.last:
            self.rows.put(id, replace(account, last=event.time))

    def _labelled(self, seq: int, item: str, label: Labelled) -> None:
        known = self.rows.get(Labels, item) or Labels(())
        self.rows.put(item, Labels((*known.given, Label(label.rule, label.violates, label.by, seq))))
        if label.by.startswith("reviewer:"):
            self._waits(item, tuple(rule for rule in self._rules_waiting(item) if rule != label.rule))

    def _rules_waiting(self, item: str) -> tuple[str, ...]:
        known = self.rows.get(Waiting, item)
        return known.rules if known else ()

    def _waits(self, item: str, rules: tuple[str, ...]) -> None:
        if rules:
            self.rows.put(item, Waiting(rules))
        else:
            self.rows.drop(Waiting, item)

    def _reversed(self, reversal: Reversed) -> None:
        """Strikes and events of the entry go, and steps that the points without them would not have reached."""
        if reversal.account is not None:
            account, seq = self.account(reversal.account), reversal.seq
            taken = self.rows.drop_events(reversal.account, seq)
            lower = (
                replace(run, points=run.points - taken) if run.first <= seq <= run.last else run for run in account.strikes
            )
            lowered = (replace(step, points=step.points - taken) if step.seq > reversal.seq else step for step in account.steps)
            steps = tuple(step for step in lowered if step.seq != reversal.seq and step.points >= step.at)
            self.rows.put(reversal.account, replace(account, strikes=tuple(lower), steps=steps))
        if reversal.item is not None and (labels := self.rows.get(Labels, reversal.item)):
            self.rows.put(reversal.item, Labels(tuple(label for label in labels.given if label.seq != reversal.seq)))

    def _erased(self, seq: int, erased: AccountErased) -> None:
        self.rows.put(erased.account, Erased(seq))
        for digest in erased.datasets:
            if dataset := self.rows.get(Dataset, digest):
                self.rows.put(digest, replace(dataset, stale=True))
        for digest in erased.models:
            if model := self.rows.get(Model, digest):
                self.rows.put(digest, replace(model, stale=True))


def events_of(decided: Decided, time: float, seq: int = -1) -> list[Event]:
    """What a decision adds to its account's history: nothing when it was plainly allowed or no rule decided."""
    events = [Event(time, decided.action, decided.rule, seq)] if decided.rule else []
    events += [Event(time, "flag", flag, seq) for flag in decided.flags if not flag.startswith("shadow:")]
    if decided.points:
        expires = NEVER if decided.points_expire is None else decided.points_expire
        events.append(Event(time, "strike", decided.rule or "", seq, decided.points, expires))
    return events


def _with(runs: tuple[Run, ...], event: Event) -> tuple[Run, ...]:
    """`Account.strikes` with one more: the last run grows until it is long enough."""
    time, seq, points, expires = event.time, event.seq, event.points, event.expires
    if not runs or runs[-1].n >= _TOGETHER:
        return (*runs, Run(1, points, seq, seq, time, time, expires, expires))
    run = runs[-1]
    since, until, soonest, latest = (
        min(run.since, time),
        max(run.until, time),
        min(run.soonest, expires),
        max(run.latest, expires),
    )
    return (*runs[:-1], Run(run.n + 1, run.points + points, run.first, seq, since, until, soonest, latest))


def fold(entries: Iterable[Entry], state: State | None = None) -> State:
    """`state` (a new one in memory when None) after the entries, in order."""
    state = State() if state is None else state
    for entry in entries:
        state.apply(entry)
    return state
