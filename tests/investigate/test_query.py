"""A query asks of each decision what a rule would have asked at that moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from histories import ACCOUNTS, WHENS, Other, Request, Truth, histories, keys, live, policies
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.investigate.query import Counts, Match, query
from fairlead.ledger.facts import DecisionFacts, Highest
from fairlead.ledger.fold import events_of, fold
from fairlead.ledger.log import Ledger
from fairlead.policy.document import Policy
from fairlead.policy.expression import compile_when
from fairlead.policy.load import parse
from fairlead.records.entry import CaseOpened, Decided, Entry, Signals

RULE = """
schema: 1
id: test
version: "1"
tiers: [low]
quotas: {low: {requests_per_minute: 9, requests_per_day: 9}}
rules:
  - id: a
    definition: Asks for a.
    detect: {signal: harm.a, review: 0.5, block: 0.8}
    act: {low: [block]}
    state: enforce
  - id: again
    when: WHEN
    act: {low: [case]}
    state: shadow
"""


def asked(when: str, entries: Sequence[Entry], counts: Counts | None = None) -> list[Match]:
    return list(query(iter(entries), compile_when(when), lambda *_: True, counts or Counts()))


@settings(max_examples=150)
@given(policies(), keys, histories, st.sampled_from(WHENS))
def test_it_agrees_with_a_slow_twin(policy: Policy, issued: dict[str, str], happened: list[Request | Other], when: str) -> None:
    entries, holds, counts = live(policy, issued, happened), compile_when(when), Counts()
    slow, unknown = [], 0
    for entry in entries:
        if isinstance(decided := entry.payload, Decided):
            harm = {name: max(s.scores.get(name, -1) for s in decided.signals) for s in decided.signals for name in s.scores}
            state = fold(entries[: entry.seq])
            answer = holds(DecisionFacts(state, events_of(decided, entry.time), decided, harm, entry.time))
            slow += [entry.seq] if answer else []
            unknown += answer is None
    assert [match.seq for match in asked(when, entries, counts)] == slow
    assert counts == Counts(sum(isinstance(e.payload, Decided) for e in entries), unknown)


@given(st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from([0.1, 0.6, 0.9])), max_size=12))
def test_the_condition_of_a_rule_finds_what_the_rule_took_note_of(happened: list[tuple[str, float]]) -> None:
    """One evaluator: the gateway's settlement on one side, the query on the other."""
    when = 'signal.harm["a"] >= 0.5 and count("block", rule="a", window="24h") >= 2'
    policy = parse(RULE.replace("WHEN", when))
    fine = (Truth({"a": 0.1}),)
    requests = [Request(who, 3600.0, Truth({"a": score}), fine, fine) for who, score in happened]
    entries = live(policy, dict.fromkeys(ACCOUNTS, "low"), requests)
    noted = [e.seq for e in entries if isinstance(e.payload, Decided) and "shadow:again" in e.payload.flags]
    assert [match.seq for match in asked(when, entries)] == noted


def test_a_request_without_an_account_has_no_history() -> None:
    entries = [
        Entry(0, 1.0, "t", CaseOpened("c", None, "x")),
        Entry(1, 2.0, "t", Decided("r", "refuse", "key", 401)),
        Entry(2, 3.0, "t", Decided("r", "block", "rule", 400, account="ann", rule="x")),
    ]
    assert asked('count("case", rule="*", window="1h") >= 1', entries) == []
    assert asked('count("block", rule="*", window="1h") >= 1', entries) == [Match(2, 3.0, "ann", "block", "x")]


def test_the_highest_score_of_all_texts_counts_and_a_missing_one_is_told() -> None:
    signals = (Signals("prompt", {"a": 0.2}), Signals("response", {"a": 0.9}), Signals("response", {"a": 0.4}, choice=1))
    entries = [Entry(0, 1.0, "t", Decided("r", "allow", "rule", 200, signals=signals))]
    counts = Counts()
    assert len(asked('signal.harm["a"] >= 0.9', entries)) == 1
    assert asked('signal.harm["b"] >= 0.9', entries, counts) == []
    assert (counts.asked, counts.unknown) == (1, 1)
    assert asked('signal.harm["b"] >= 0.9 and tier == "x"', entries, counts := Counts()) == []
    assert counts.unknown == 0, "the known part decides it"


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1)), max_size=4))
def test_highest_is_the_maximum_of_each(texts: list[dict[str, float]]) -> None:
    slow = {name: max(t[name] for t in texts if name in t) for t in texts for name in t}
    assert dict(Highest(texts)) == slow
    assert len(Highest(texts)) == len(slow)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fairlead", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_the_command_prints_lines_within_the_time_that_was_asked_for(tmp_path: Path) -> None:
    path, day = tmp_path / "l.db", 86_400.0
    for at, account in enumerate(["ann", "ann", "bob", "ann"]):
        with Ledger(path, producer="t", clock=lambda at=at: day * at) as ledger:  # type: ignore[misc]
            ledger.append(Decided(f"r{at}", "block", "rule", 400, account=account, rule="x"))
    when = 'count("block", rule="x", window="2d") >= 1'

    def lines(*more: object) -> list[int]:
        done = run("ledger", "query", path, when, *more)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["seq"] for line in done.stdout.splitlines()]

    assert lines("--since", "1970-01-01") == [0, 1, 2, 3]
    assert lines("--since", "1970-01-02", "--until", "1970-01-03T00:00+00:00") == [1]
    assert lines("--since", "1970-01-01", "--account", "ann") == [0, 1, 3]
    assert lines("--since", "1970-01-01", "-n", 2) == [0, 1]
    assert lines() == []
    told = run("ledger", "query", path, when, "--since", "1970-01-01", "-n", 2)
    assert json.loads(told.stdout.splitlines()[0]) == {"seq": 0, "time": 0.0, "account": "ann", "action": "block", "rule": "x"}
    assert "2 of the 2 decisions that were looked at; there may be more" in told.stderr
    unknown = run("ledger", "query", path, 'tier == "pubic"', "--account", "anne", "--since", "1970-01-01").stderr
    assert "no decision in the log names the account 'anne'" in unknown
    assert "no decision in the log names the tier 'pubic'" in unknown
    assert "names the" not in run("ledger", "query", path, when, "--account", "ann", "--since", "1970-01-01").stderr


def test_names_that_the_log_does_not_hold_are_said_with_the_nearest(tmp_path: Path) -> None:
    path, signals = tmp_path / "l.db", (Signals("prompt", {"weapons_uplift": 0.9}),)
    with Ledger(path, producer="t") as ledger:
        ledger.append(Decided("r", "block", "rule", 400, account="ann", tier="low", rule="weapons.uplift", signals=signals))
        ledger.append(CaseOpened("c", "ann", "spam.repeat"))
    for when, said in (
        ('count("block", rule="weapon.*", window="24h") > 0', "matches the glob 'weapon.*'; did you mean 'weapons.*'?"),
        ('signal.harm["weapon_uplift"] > 0.5', "holds the signal 'weapon_uplift'; did you mean 'weapons_uplift'?"),
        ('tier == "lo"', "names the tier 'lo'; did you mean 'low'?"),
        ('count("block", rule="weapons.*", window="24h") > 0', ""),
        ('count("case", rule="spam.*", window="24h") > 9', ""),
        ('signal.harm["weapons_uplift"] > 0.99 and tier == "low"', ""),
    ):
        told = run("ledger", "query", path, when).stderr
        assert (said in told) if said else ("in the log" not in told), told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.db", 'tier == "x"', "--since", "2d", "--until", "5d"), "no time lies between: --since 2d must lie before 5d"),
        (
            ("absent.db", 'tier == "x"', "--since", "2999-01-01"),
            "no time lies between: --since 2999-01-01 must lie in the past",
        ),
        (("absent.db", 'tier == "x"'), "there is no ledger at absent.db"),
        (("absent.db", "__import__('os')"), "the condition, at character 1: unknown function '__import__'"),
        (("absent.db", 'tier == "x"', "--since", "lately"), "'lately' is no moment"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = run("ledger", "query", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"fairlead: {message}")
