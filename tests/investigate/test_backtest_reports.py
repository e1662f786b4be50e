"""What a back-test says: whom a policy would have hit, what nobody can know, and what labels say of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from histories import ACCOUNTS, HOUR, Other, Request, Truth, live, verdict
from hypothesis import given
from hypothesis import strategies as st

from fairlead.enforce.settle import Settlement
from fairlead.investigate.backtest import Report, backtest
from fairlead.investigate.changes import RuleChange
from fairlead.investigate.labels import said
from fairlead.investigate.recorded import Reader, texts
from fairlead.investigate.rejudge import rejudging
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.rows import Label, Labels
from fairlead.policy.decide import decide
from fairlead.policy.document import Policy, Surface
from fairlead.policy.evaluator import by_score
from fairlead.policy.load import parse
from fairlead.records.conversation import Conversation
from fairlead.records.entry import CaseOpened, Decided, Entry, Labelled, Payload, Reversed, Signals
from fairlead.records.verdict import RuleVerdict, Verdict

OLD = """
schema: 1
id: test
version: "1"
tiers: [low, high]
quotas: {low: {requests_per_minute: 9, requests_per_day: 9}, high: {requests_per_minute: 9, requests_per_day: 9}}
ladder:
  - {at: 2, do: tier_down, days: 1}
  - {at: 6, do: suspend, days: 1}
rules:
  - id: a
    definition: Asks for a.
    detect:
      {signal: harm.a, review: 0.7, block: 0.8, patterns: [{id: p1, match: aaa}]}
    act: {low: [block, strike(2)], high: [flag]}
    state: enforce
  - id: b
    definition: Asks for b.
    detect: {signal: harm.b, review: 0.9, block: 0.95}
    act: {low: [safe_complete], high: [flag]}
    state: enforce
  - id: again
    when: count("block", rule="a", window="24h") >= 2
    act: {low: [case], high: [case]}
    state: enforce
"""
LOWER = OLD.replace("review: 0.7, block: 0.8", "review: 0.5, block: 0.6")
odd = st.sampled_from([0.0, 0.4, 0.5, 0.6, 0.7, 0.9, 1.0, -0.1, 1.1, float("inf"), float("nan")])
truths = st.builds(Truth, st.dictionaries(st.sampled_from(["a", "b", "c"]), odd) | st.just({"a": 0.1, "b": 0.1, "c": 0.1}))
KEYS = dict.fromkeys(ACCOUNTS, "low")
FINE = Truth({"a": 0.1, "b": 0.1})


def asks(a: float = 0.1, *, b: float = 0.1, account: str = "ann", wait: float = 60.0, **more: object) -> Request:
    return Request(account, wait, Truth({"a": a, "b": b}, **more), (FINE,), (FINE,))  # type: ignore[arg-type]


def tried(new: str, happened: Sequence[Request | Other], old: str = OLD, keys: dict[str, str] = KEYS, **more: object) -> Report:
    policy = parse(new)
    entries = live(parse(old), keys, happened)
    return backtest(policy, iter(entries), settle=Settlement(policy).settle, **more)  # type: ignore[arg-type]


def logged(entries: Sequence[Entry], *payloads: Payload) -> list[Entry]:
    more = [Entry(seq, entries[-1].time, "test/1", p) for seq, p in enumerate(payloads, len(entries))]  # type: ignore[arg-type]
    return [*entries, *more]


def of(report: Report, rule: str) -> RuleChange:
    return next(change for change in report.rules if change.rule == rule)


def test_a_lower_threshold_hits_more_and_each_hit_counts_for_the_next() -> None:
    """Two blocks that were none before open a case, cost points, and take the account to a step of the ladder."""
    report = tried(LOWER, [asks(0.65), asks(0.1), asks(0.65), asks(0.1, account="bob")])
    assert report.actions == {"allow": {"allow": 2, "block": 2}}
    change = of(report, "a")
    assert (change.before, change.after, change.newly_hit, change.no_longer_hit, change.unchanged) == (0, 2, 2, 0, 0)
    assert of(report, "again").newly_hit == 1
    assert report.cases == (0, 1)
    assert report.steps == {"none": (2, 1), "tier_down": (0, 1)}
    assert (report.events, report.replayed, report.accounts) == (4, 4, 2)


def test_a_higher_threshold_hits_less_and_what_the_model_would_have_said_is_not_known() -> None:
    report = tried(OLD, [asks(0.65), asks(0.9)], old=LOWER)
    assert report.actions == {"block": {"block": 1, "unanswered": 1}}
    assert (of(report, "a").no_longer_hit, of(report, "a").unchanged) == (1, 1)


def test_an_account_that_would_have_been_shut_out_is_refused_from_then_on() -> None:
    report = tried(LOWER, [asks(0.65), asks(0.65), asks(0.65), asks(0.1), asks(0.1, wait=30 * HOUR)])
    assert report.actions == {"allow": {"allow": 1, "block": 3, "refuse": 1}}
    assert report.disagreements[-1].after == "refuse"
    assert report.turned_away == {"account": 1}


def test_an_account_that_would_not_have_been_shut_out_is_told_apart() -> None:
    report = tried(OLD, [asks(0.65), asks(0.65), asks(0.65), asks(0.1)], old=LOWER)
    assert report.left == {"account": 1}
    assert report.let_in == 1
    assert tried(LOWER, [asks(0.65), asks(0.65), asks(0.65), asks(0.1)], old=LOWER).let_in == 0


def test_a_step_down_lowers_the_tier_until_its_time_is_over() -> None:
    happened = [asks(0.65), asks(b=0.99), asks(b=0.99, wait=30 * HOUR)]
    harsh = LOWER.replace(
        "high: [flag]}\n    state: enforce\n  - id: b", "high: [block, strike(2)]}\n    state: enforce\n  - id: b"
    )
    report = tried(harsh, happened, keys=dict.fromkeys(ACCOUNTS, "high"))
    assert report.actions == {"allow": {"allow": 1, "block": 1, "unanswered": 1}}
    assert report.tiers == {"high": (1, 1)}, "by the last request the step was over"
    assert tried(harsh, happened[:2], keys=dict.fromkeys(ACCOUNTS, "high")).tiers == {"high": (1, 0), "low": (0, 1)}


def test_what_came_before_is_history_as_it_was() -> None:
    happened = [asks(0.9), asks(0.65), asks(0.65, wait=HOUR)]
    first, _, third = (e.time for e in live(parse(OLD), KEYS, happened) if isinstance(e.payload, Decided))
    assert tried(LOWER, happened, since=first).cases == (0, 1), "by the second request there are two blocks; then once a day"
    report = tried(LOWER, happened, since=third)
    assert (report.events, report.first, report.last) == (1, third, third)
    assert report.cases == (0, 1), "one real block before, and this one"
    assert tried(LOWER, happened, since=third + 1).events == 0


def test_a_pattern_that_is_gone_leaves_its_rule_undetermined() -> None:
    happened = [asks(0.1, patterns=frozenset(["p1"]))]
    kept = tried(LOWER, happened)
    assert (of(kept, "a").unchanged, of(kept, "a").undetermined) == (1, 0)
    renamed = tried(LOWER.replace("id: p1", "id: p2"), happened)
    change = of(renamed, "a")
    assert (change.after, change.no_longer_hit, change.undetermined) == (0, 0, 1)
    assert renamed.actions == {"block": {"review": 1}}, "what is undetermined is withheld, never allowed"
    assert renamed.untested == ("a",)
    assert [one.rules for one in renamed.disagreements] == [{"a": "not known"}]
    assert tried(OLD, happened).untested == ()
    entries, lower = live(parse(OLD), KEYS, happened), parse(LOWER)
    for below, untested in ((None, ("a",)), (parse(OLD), ())):
        on_top = backtest(lower, iter(entries), settle=Settlement(lower).settle, below=below)
        assert on_top.untested == untested, "its threshold is another, its patterns are those of the policy below"


def test_a_rule_without_a_recorded_signal_is_undetermined() -> None:
    added = """  - id: c
    definition: Asks for c.
    detect: {signal: harm.c, review: 0.5, block: 0.8}
    act: {low: [block]}
    state: enforce
"""
    new = OLD.replace("  - id: again", f"{added}  - id: again")
    report = tried(new, [asks()])
    assert report.actions == {"allow": {"review": 1}}
    assert (of(report, "c").undetermined, of(report, "c").state) == (1, "enforce")
    shadow = tried(new.replace(added, added.replace("enforce", "shadow")), [asks()])
    assert shadow.actions == {"allow": {"allow": 1}}


def test_a_text_that_was_cut_off_is_allowed_by_no_threshold() -> None:
    higher = OLD.replace("review: 0.7, block: 0.8", "review: 0.8, block: 0.85")
    report = tried(higher, [asks(0.75, cut=True)])
    assert report.actions == {"review": {"review": 1}}
    assert (of(report, "a").unsure_after, of(report, "a").undetermined) == (1, 0)
    assert tried(higher, [asks(0.75)]).actions == {"review": {"unanswered": 1}}
    report = tried(higher, [asks(0.1, cut=True)])
    assert report.actions == {"review": {"review": 1}}
    assert (of(report, "a").unsure_after, of(report, "a").undetermined) == (0, 1), "its score was not recorded"


def test_a_rule_that_was_taken_out_is_no_longer_hit() -> None:
    start, end = OLD.index("  - id: b"), OLD.index("  - id: again")
    report = tried(OLD[:start] + OLD[end:], [asks(b=0.99)])
    assert (of(report, "b").no_longer_hit, of(report, "b").state) == (1, "not in force")


def test_requests_that_ended_for_other_reasons_stand_as_they_were() -> None:
    ends = ["quota", "moderation", "upstream_error", "judge_error"]
    happened = [replace(asks(0.65), ends=why) for why in ends]
    report = tried(LOWER, happened)
    assert (report.replayed, report.left) == (0, {"judge_error": 1, "moderation": 1, "quota": 1, "upstream_error": 1})
    assert report.actions == {}
    entries = live(parse(OLD), KEYS, [asks(0.65)])
    for broken in ({"signals": ()}, {"signals": (Signals("prompt", {}, kept=3),)}, {"signals": (Signals("moon", {}),)}):
        old = [
            *entries[:-1],
            msgspec.structs.replace(entries[-1], payload=msgspec.structs.replace(entries[-1].payload, **broken)),
        ]
        report = backtest(parse(LOWER), iter(old), settle=Settlement(parse(LOWER)).settle)
        assert report.left == {"no signals recorded": 1}


def test_a_reversal_takes_back_what_the_same_decision_came_to() -> None:
    """Of three requests that would have been blocked the second is reversed before the third. The numbers of the log and of the
    history that is simulated differ by then: the first block brought a step that was not there."""
    policy = parse(LOWER)
    settle = Settlement(policy).settle
    entries = live(parse(OLD), KEYS, [asks(0.65), asks(0.65), asks(0.65)])
    _, second, last = [e for e in entries if isinstance(e.payload, Decided)]
    assert backtest(policy, iter(entries), settle=settle).steps["suspend"] == (0, 1)
    back = Entry(last.seq, last.time, "t", Reversed(second.seq, "reviewer:r", "appeal", account="ann"))
    appealed = [*entries[: last.seq], back, *(msgspec.structs.replace(e, seq=e.seq + 1) for e in entries[last.seq :])]
    report = backtest(policy, iter(appealed), settle=settle)
    assert report.steps == {"none": (1, 0), "tier_down": (0, 1)}, "four points, and no step of the second"


def test_a_reversal_of_what_came_to_nothing_takes_nothing_back() -> None:
    """Blocked in truth and allowed under the new policy: the reversal finds nothing, whatever stands at its number."""
    happened = [asks(0.65), asks(0.9), Other("reversed", "ann", 4), asks(0.1)]
    entries = live(parse(LOWER), KEYS, happened)
    (reversal,) = [e.payload for e in entries if isinstance(e.payload, Reversed)]
    assert isinstance(entries[reversal.seq].payload, Decided)
    policy = parse(OLD)
    report = backtest(policy, iter(entries), settle=Settlement(policy).settle)
    assert report.steps == {"none": (1, 0), "tier_down": (0, 1)}, "the second block alone led to the step"


def test_a_block_without_points_counts_as_well() -> None:
    happened = [asks(0.65), asks(0.65)]
    assert tried(LOWER.replace(", strike(2)", ""), happened).cases == (0, 1)


def test_a_tier_without_a_quota_is_granted_nothing() -> None:
    report = tried(OLD.replace("quotas: {low: {requests_per_minute: 9, requests_per_day: 9}, ", "quotas: {"), [asks(0.1)])
    assert report.actions == {"allow": {"refuse": 1}}
    assert (report.turned_away, report.tiers) == ({"tier": 1}, {"low": (1, 1)})
    gone = OLD.replace("tiers: [low, high]", "tiers: [high]").replace(
        "low: {requests_per_minute: 9, requests_per_day: 9}, ", ""
    )
    report = tried(re.sub(r"low: (\[.*?\]), high: \[.*?\]", r"high: \1", gone), [asks(0.1)])
    assert report.actions == {"allow": {"refuse": 1}}
    assert (report.turned_away, report.tiers) == ({"tier": 1}, {"low": (1, 0), "none": (0, 1)})


def test_a_request_that_was_under_way_is_no_difference() -> None:
    """It was let in before its account was shut out, under both policies, though they take other steps besides."""
    happened = [asks(0.9), asks(0.9), asks(0.9), replace(asks(0.1, wait=0.0), under_way=True)]
    warned = OLD.replace("ladder:\n", "ladder:\n  - {at: 1, do: warn}\n")
    report = tried(warned, happened)
    assert report.left == {}
    assert report.actions == {"allow": {"allow": 1}, "block": {"block": 3}}


@given(truths, truths)
def test_the_short_way_of_a_plain_request_agrees_with_the_long_one(prompt: Truth, answer: Truth) -> None:
    """Scores that are none, too: what is no number in [0, 1] is missing."""
    policy = parse(LOWER)
    reader = Reader(policy)
    signals = (Signals("prompt", prompt.scores), Signals("response", answer.scores))
    decided = Decided("r", "allow", "rule", 200, "ann", "low", signals=signals)
    found = texts(decided)
    assert found is not None
    slow = [reader.ruled(found[surface, ""], "low", "ann", "").ruling for surface in ("prompt", "response")]
    asked, answered = (recorded(policy, each) for each in signals)
    whole = [decide(policy, "low", "ann", asked, "prompt"), decide(policy, "low", "ann", answered, "response")]
    assert slow == whole
    plain = reader.plain(decided)
    assert (plain is not None) == all(not ruling.kept for ruling in whole)
    assert plain is None or list(plain) == whole


def recorded(policy: Policy, signals: Signals) -> Verdict:
    rules = policy.over("prompt")
    outcomes = {rule.id: by_score(rule.detect)(signals.scores.get(rule.id)) for rule in rules if rule.detect}
    return Verdict(
        tuple(RuleVerdict(r.id, r.digest, outcomes[r.id], signals.scores.get(r.id), "recorded") for r in rules), "judge"
    )


def test_labels_give_precision_and_recall_with_their_intervals() -> None:
    policy = parse(LOWER)
    entries = live(parse(OLD), KEYS, [asks(0.9), asks(0.65), asks(0.65, account="bob"), asks(0.2, account="cid"), asks(0.1)])
    labels = [Labelled(f"req_{n}", "a", violates, "reviewer:r") for n, violates in enumerate([True, True, False, True, False])]
    report = backtest(policy, iter(logged(entries, *labels)), settle=Settlement(policy).settle)
    change = of(report, "a")
    assert [change.precision_before.n, change.precision.n, change.precision_newly_hit.n] == [1, 3, 2]
    assert change.precision.value == pytest.approx(2 / 3)
    assert change.precision.low is not None
    assert change.precision.high is not None
    assert 0 < change.precision.low < 2 / 3 < change.precision.high < 1
    assert change.precision_newly_hit.value == 0.5
    assert (change.recall_before.value, change.recall.value, change.recall.n) == (pytest.approx(1 / 3), pytest.approx(2 / 3), 3)
    assert of(report, "b").precision.value is None
    assert of(report, "b").precision.n == 0


def test_an_item_that_is_no_request_of_that_time_does_not_count() -> None:
    entries = logged(live(parse(OLD), KEYS, [asks(0.9)]), Labelled("prompts-7", "a", True, "reviewer:r"))
    policy = parse(LOWER)
    assert of(backtest(policy, iter(entries), settle=Settlement(policy).settle), "a").recall.n == 0


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ([("reviewer:x", True)], True),
        ([("reviewer:x", True), ("reviewer:y", False)], None),
        ([("reviewer:x", True), ("reviewer:y", False), ("reviewer:x", False)], False),
        ([("finding", True), ("reviewer:x", False)], False),
        ([("finding", False), ("finding", True)], True),
        ([("reasoner:m", True)], None),
        ([("finding", False), ("reasoner:m", True)], False),
        ([], None),
    ],
)
def test_the_last_word_of_the_majority_of_reviewers_holds(given: list[tuple[str, bool]], answer: bool | None) -> None:
    labels = Labels(tuple(Label("a", violates, by, at) for at, (by, violates) in enumerate(given)))
    assert said(labels, "a") is answer
    assert said(labels, "b") is None


def test_disagreements_are_named_without_text_and_always_the_same() -> None:
    happened = [asks(0.65, account=ACCOUNTS[n % 3], wait=30 * HOUR) for n in range(30)]
    five, all_ = tried(LOWER, happened, disagreements=5), tried(LOWER, happened, disagreements=100)
    assert (len(five.disagreements), len(all_.disagreements)) == (5, 30)
    assert all(one in all_.disagreements for one in five.disagreements)
    assert [d.seq for d in five.disagreements] == sorted(d.seq for d in five.disagreements)
    assert five.disagreements == tried(LOWER, happened, disagreements=5).disagreements
    assert all(d.rules == {"a": "newly hit"} for d in five.disagreements)
    assert tried(LOWER, happened, disagreements=0).disagreements == ()


class TruthJudge:
    """Judges a conversation by what its text is known to be."""

    def __init__(self, policy: Policy, truths: dict[str, Truth]) -> None:
        self._policy, self._truths = policy, truths

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        return verdict(self._policy, self._truths[conversation.messages[-1].content], surface)


def test_judging_anew_settles_what_the_record_cannot() -> None:
    new = parse(LOWER.replace("id: p1", "id: p2"))
    truths = {"a text": Truth({"a": 0.1, "b": 0.1}, frozenset(["p1"]))}
    entries = live(parse(OLD), KEYS, [Request("ann", 1.0, truths["a text"], (FINE,), (FINE,)), asks(0.1)])
    stored = [
        msgspec.structs.replace(e, payload=msgspec.structs.replace(e.payload, content="c1")) if at == 0 else e
        for at, e in enumerate([e for e in entries if isinstance(e.payload, Decided)])
    ]
    asked: list[str] = []

    def contents(ref: str) -> list[Conversation]:
        asked.append(ref)
        return [Conversation.of("a text")]

    anew = rejudging(TruthJudge(new, truths), contents)
    report = backtest(new, iter(stored), settle=Settlement(new).settle, rejudge=anew)
    assert (report.rejudged, asked) == (1, ["c1"])
    assert of(report, "a").undetermined == 0
    assert report.actions == {"allow": {"allow": 1}, "block": {"unanswered": 1}}


def test_content_that_is_not_whole_is_not_judged() -> None:
    new = parse(LOWER)
    entries = [e for e in live(parse(OLD), KEYS, [asks(0.9)]) if isinstance(e.payload, Decided)]
    stored = [msgspec.structs.replace(e, payload=msgspec.structs.replace(e.payload, content="c")) for e in entries]
    for there in (None, [], [Conversation.of("x"), Conversation.of("y")]):
        anew = rejudging(TruthJudge(new, {}), lambda _, there=there: there)  # type: ignore[misc]
        assert backtest(new, iter(stored), settle=Settlement(new).settle, rejudge=anew).rejudged == 0


def test_a_log_without_requests_gives_an_empty_report() -> None:
    report = backtest(parse(OLD), iter([]), settle=Settlement(parse(OLD)).settle)
    assert (report.events, report.accounts, report.first, report.disagreements) == (0, 0, None, ())


def test_the_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path, producer="t", clock=lambda: 5.0) as ledger:
        ledger.append(*(e.payload for e in live(parse(OLD), KEYS, [asks(0.9), asks(0.65)])))
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.chmod(0o400)
    assert backtest(parse(LOWER), read(path), settle=Settlement(parse(LOWER)).settle).events == 2
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_cases_that_others_opened_stand() -> None:
    """Only what follows from a decision is settled anew."""
    policy = parse(LOWER)
    entries = logged(live(parse(OLD), KEYS, [asks(0.65)]), CaseOpened("unknown-1", None, "unknown", (3,)))
    report = backtest(policy, iter(entries), settle=Settlement(policy).settle)
    assert report.cases == (0, 0)
