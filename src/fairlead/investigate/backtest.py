"""Run a policy over what happened: the same signals, the same settlement, a history as that policy would have made it.

Invariant: a back-test of the policy that was in force reports no difference; and it is told apart what a policy would have done
from what nobody can know. Events before `since` warm the history as they really were. From then on each request that was judged
is decided anew, and what follows is settled upon the simulated state. A request that ended for another reason (quota, key,
error) stands as it was. Not simulated: quotas, whoever would have been throttled, and what people would have asked otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from fairlead.investigate.changes import Changes, Disagreement, RuleChange
from fairlead.investigate.course import Course, walk
from fairlead.investigate.recorded import Reader, Ruled, Text, texts
from fairlead.investigate.rejudge import Rejudge
from fairlead.investigate.simulation import Settle, Simulation, happenings
from fairlead.ledger.fold import State
from fairlead.ledger.rows import Account, Loaded, Memory
from fairlead.policy.decide import decide, strictest
from fairlead.policy.document import Policy, Surface
from fairlead.policy.standing import closed, lowered
from fairlead.records.entry import Decided, Entry, KeyIssued
from fairlead.records.verdict import Verdict


class Report(Struct, frozen=True):
    """What a back-test found. Pairs are (before, after).

    `events` are all requests since the start, `replayed` those that were decided anew, `left` the others by the reason why;
    `let_in` are among these: refused because their account was shut out, which it would not have been. `actions` counts
    before → after; `unanswered` is one after which the model would have been asked what it never was. `turned_away` are those
    that would have been refused before any rule looked, by the reason why. `untested` names the rules with patterns of which
    the log knows another version: a pattern that is new or rewritten has found nothing here.
    """

    policy: str
    id: str
    version: str
    first: float | None
    last: float | None
    events: int
    replayed: int
    rejudged: int
    left: dict[str, int]
    let_in: int
    turned_away: dict[str, int]
    accounts: int
    actions: dict[str, dict[str, int]]
    tiers: dict[str, tuple[int, int]]
    steps: dict[str, tuple[int, int]]
    cases: tuple[int, int]
    queued: tuple[int, int]
    rules: tuple[RuleChange, ...]
    untested: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]


def backtest(
    policy: Policy,
    entries: Iterator[Entry],
    *,
    settle: Settle,
    since: float | None = None,
    below: Policy | None = None,
    rejudge: Rejudge | None = None,
    disagreements: int = 20,
) -> Report:
    """Decide a whole log anew from `since` (seconds since the epoch; None for its start) on.

    `below` is the policy that this one is on top of: where the log knows one of its rules, the patterns of both are compared.
    `settle` is that of an `enforce.settle.Settlement` of the same policy: stages do not import each other. With `rejudge`,
    texts whose content is there are judged anew; of the others the recorded signals are read.
    """
    run = _Run(policy, settle, since, below, rejudge)
    for entry, follows in happenings(entries):
        run.take(entry, follows)
    return run.report(disagreements)


class _Run:
    """How far a back-test has come."""

    def __init__(
        self, policy: Policy, settle: Settle, since: float | None, below: Policy | None, rejudge: Rejudge | None
    ) -> None:
        self._policy, self._settle, self._since, self._rejudge = policy, settle, since, rejudge
        versions = (*policy.rules, *(below.rules if below is not None else ()))
        self._patterns = {rule.digest: rule.detect.patterns for rule in versions if rule.detect is not None}
        self._reader = Reader(policy)
        self._real = State(Memory())
        self._simulation: Simulation | None = None
        self._changes = Changes()
        self._left: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()
        self._first: float | None = None
        self._last: float | None = None
        self._let_in = self._rejudged = 0
        self._keys: dict[str, set[str]] = {}
        self._tiers: dict[str, tuple[str, str]] = {}
        self._accounts: set[str] = set()
        self._policies: set[str] = set()

    def take(self, entry: Entry, follows: Sequence[Entry]) -> None:
        """Take in the next of the log."""
        payload = entry.payload
        if isinstance(payload, KeyIssued):
            self._keys.setdefault(payload.account, set()).add(payload.tier)
        if self._simulation is None and (self._since is None or entry.time >= self._since):
            assert isinstance(self._real.rows, Memory)
            self._simulation = Simulation(State(self._real.rows.copy()), entry.seq, self._settle)
        if self._simulation is not None:
            self._last = entry.time
            if isinstance(payload, Decided):
                self._decided(self._simulation, entry, payload, follows)
            else:
                self._simulation.stands(entry)
        self._real.apply(entry)
        for follow in follows:
            self._real.apply(follow)

    def _decided(self, simulation: Simulation, entry: Entry, was: Decided, follows: Sequence[Entry]) -> None:
        self._first = entry.time if self._first is None else self._first
        if was.account is not None:
            self._accounts.add(was.account)
        judged = was.cause == "rule" and was.account is not None
        plain = self._reader.plain(was) if judged and self._rejudge is None else None
        found = texts(was) if judged and plain is None else None
        if plain is None and found is None:
            self._stands(simulation, entry, was, follows)
            return
        self._policies.add(was.policy)
        tier, refused = self._at_the_door(simulation, was, entry.time)
        if refused is not None:
            self._turned_away[refused] += 1
            course = Course("refuse", refused, None, "prompt", ())
        elif plain is not None:
            course = Course("allow", "rule", None, "response", plain)
        else:
            course = self._course(was, found or {}, tier)
        decided = Decided(
            request=was.request,
            action=course.action,
            cause=course.cause,
            status=was.status,
            account=was.account,
            tier=tier,
            surface=course.surface,
            policy=self._policy.digest,
            rule=course.rule,
            points=course.points,
            flags=course.flags,
        )
        payloads = simulation.settles(entry, follows, decided, course.rulings)
        self._tiers[was.account or ""] = was.tier or "", tier if tier in self._policy.tiers else "none"
        self._changes.add(entry.seq, was, [follow.payload for follow in follows] if follows else (), course, payloads)

    def _stands(self, simulation: Simulation, entry: Entry, was: Decided, follows: Sequence[Entry]) -> None:
        if was.cause == "account" and was.account is not None:
            shut = [closed(state.account(was.account).in_force(entry.time)) for state in (self._real, simulation.state)]
            self._let_in += shut == [True, False]
        why = was.cause if was.cause != "rule" else "moderation" if was.surface == "moderation" else "no signals recorded"
        self._left[why] += 1
        for each in (entry, *follows):
            simulation.stands(each)

    def _at_the_door(self, simulation: Simulation, was: Decided, now: float) -> tuple[str, str | None]:
        """The tier that the account would have had, and why it would have been turned away, if so.

        The account was let in. Only a step that it holds here and did not hold there can shut it out, so that a request which
        was under way when its account was suspended is no difference.
        """
        account, tier = was.account or "", was.tier or ""
        real, simulated = self._real.account(account), simulation.state.account(account)
        if real.steps != simulated.steps and (held := real.in_force(now)) != (holds := simulated.in_force(now)):
            # Several keys may have led to the tier that it had; the least trusted of them is taken.
            keys = [key for key in self._keys.get(account, ()) if lowered(self._policy, key, held) == tier] or [tier]
            tier = min((lowered(self._policy, key, holds) for key in keys), key=self._rank)
            if closed(holds) and not closed(held):
                return tier, "account"
        return tier, None if tier in self._policy.tiers and tier in self._policy.quotas else "tier"

    def _rank(self, tier: str) -> int:
        return self._policy.tiers.index(tier) if tier in self._policy.tiers else -1

    def _course(self, was: Decided, found: dict[tuple[str, str], list[Text]], tier: str) -> Course:
        def ask(surface: str, care: str) -> Ruled | None:
            there = found.get((surface, care))
            if there is None:
                return None
            return self._anew(was, there, tier) or self._reader.ruled(there, tier, was.account, was.judge)

        return walk(self._policy, ask)

    def _anew(self, was: Decided, there: Sequence[Text], tier: str) -> Ruled | None:
        """The ruling on texts that are judged again; None where the content of one is not there."""
        verdicts: list[Verdict] = []
        for text in there:
            verdict = self._rejudge(was, text.at) if self._rejudge is not None else None
            if verdict is None:
                return None
            verdicts.append(verdict)
        surface: Surface = "prompt" if there[0].signals.surface == "prompt" else "response"
        self._rejudged += len(verdicts)
        return Ruled(strictest(decide(self._policy, tier, was.account, verdict, surface) for verdict in verdicts))

    def report(self, disagreements: int) -> Report:
        """What was found. Raises nothing for a log without a decision: every number is then 0."""
        rules = self._changes.rules(self._policy, self._real)
        actions: dict[str, dict[str, int]] = {}
        for (before, after), n in sorted(self._changes.actions.items()):
            actions.setdefault(before, {})[after] = n
        replayed = sum(self._changes.actions.values())
        return Report(
            policy=self._policy.digest,
            id=self._policy.id,
            version=self._policy.version,
            first=self._first,
            last=self._last,
            events=replayed + sum(self._left.values()),
            replayed=replayed,
            rejudged=self._rejudged,
            left=dict(sorted(self._left.items())),
            let_in=self._let_in,
            turned_away=dict(sorted(self._turned_away.items())),
            accounts=len(self._accounts),
            actions=actions,
            tiers=_pairs(self._tiers.values()),
            steps=_pairs(self._standings()),
            cases=(self._changes.opened[0], self._changes.opened[1]),
            queued=(self._changes.queued[0], self._changes.queued[1]),
            rules=rules,
            untested=self._untested(),
            disagreements=self._changes.disagreements(disagreements),
        )

    def _untested(self) -> tuple[str, ...]:
        loaded = [self._real.rows.get(Loaded, digest) for digest in self._policies]
        known = [row.policy.rules if row is not None else {} for row in loaded]
        return tuple(
            rule.id
            for rule in self._policy.text_rules
            if rule.detect is not None
            and rule.detect.patterns
            and any(self._patterns.get(rules.get(rule.id, "")) != rule.detect.patterns for rules in known)
        )

    def _standings(self) -> Iterator[tuple[str, str]]:
        """The gravest step of each account at the end of the log, on both sides."""
        now = self._last or 0.0
        simulated = self._simulation.state if self._simulation is not None else self._real
        for account in self._accounts:
            yield _standing(self._real.account(account), now), _standing(simulated.account(account), now)


def _standing(account: Account, now: float) -> str:
    alive = [step for step in account.steps if step.until is None or step.until > now]
    if not alive:
        return "none"
    gravest = max(alive, key=lambda step: step.at)
    return gravest.do if gravest.waits_for == "nobody" else f"{gravest.do} (waits for {gravest.waits_for})"


def _pairs(found: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """How many stand under each name, before and after."""
    pairs = list(found)
    before, after = Counter(was for was, _ in pairs), Counter(now for _, now in pairs)
    return {name: (before[name], after[name]) for name in sorted(before | after)}
