"""`fairlead policy backtest`: a table for people, JSON for programs, and the ledger left as it was."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from fairlead.cli.backtest import WIDTH, show, tried
from fairlead.investigate.changes import Disagreement
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.master import open_master, write_new
from fairlead.ledger.vault import Vault
from fairlead.policy.load import parse
from fairlead.records.canonical import canonical
from fairlead.records.conversation import Conversation, Exchange
from fairlead.records.entry import ContentRead, Decided, Labelled, PolicyLoaded, Signals
from fairlead.records.verdict import Outcome, RuleVerdict

POLICY = """
schema: 1
id: shop
version: "1"
tiers: [low]
quotas: {low: {requests_per_minute: 9, requests_per_day: 9}}
rules:
  - id: goblins
    definition: Asks for goblins.
    detect: {signal: harm.goblins, review: 0.5, block: 0.8, patterns: [{id: p1, match: aaa}]}
    act: {low: [block]}
    state: enforce
"""
DAY = 86_400.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Four days, a request each: two plain ones, one undecided, one that a pattern blocked; then a refusal, and labels."""
    policy = parse(POLICY)
    digest = policy.rules[0].digest
    unsure = RuleVerdict("goblins", digest, Outcome.UNDETERMINED, 0.6, "heads")
    hit = RuleVerdict("goblins", digest, Outcome.VIOLATES, 1.0, "signatures", "plain", "pattern p1")
    plain = (Signals("prompt", {"goblins": 0.1}), Signals("response", {"goblins": 0.2}))
    said = [
        Decided("r0", "allow", "rule", 200, "ann", "low", "response", policy=policy.digest, signals=plain),
        Decided("r1", "review", "rule", 400, "ann", "low", policy=policy.digest, rule="goblins", verdicts=(unsure,),
                signals=(Signals("prompt", {"goblins": 0.6}, 1),)),
        Decided("r2", "block", "rule", 400, "bob", "low", policy=policy.digest, rule="goblins", verdicts=(hit,),
                signals=(Signals("prompt", {"goblins": 1.0}, 1),)),
        Decided("r3", "refuse", "quota", 429, "bob", "low"),
    ]  # fmt: skip
    now = 0.0
    with Ledger(tmp_path / "ledger.db", producer="t", clock=lambda: now) as ledger:
        ledger.append(policy.entry())
        for at, decided in enumerate(said):
            now = DAY * at
            ledger.append(decided)
        ledger.append(Labelled("r1", "goblins", True, "reviewer:x"))
    (tmp_path / "same.yaml").write_text(POLICY)
    (tmp_path / "lower.yaml").write_text(POLICY.replace("block: 0.8", "block: 0.55"))
    (tmp_path / "other.yaml").write_text(POLICY.replace("id: p1", "id: p2"))
    return tmp_path


def run(place: Path, policy: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "fairlead",
        "policy",
        "backtest",
        f"{place}/{policy}",
        "--ledger",
        f"{place}/ledger.db",
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_table_names_what_changes(place: Path) -> None:
    before = (place / "ledger.db").read_bytes()
    done = run(place, "lower.yaml", "--since", "1970-01-01")
    assert done.returncode == 0, done.stderr
    for part in (
        "shop 1, digest",
        "tried on 1970-01-01 00:00 – 1970-01-04 00:00 UTC",
        "4 requests of 2 accounts; 3 decided anew",
        "left as they were: 1 quota",
        "1.00 n=1",
        "the log knows other versions of goblins: a pattern that is new or rewritten found nothing: --rejudge",
        "goblins newly hit",
    ):
        assert part in done.stdout
    assert (place / "ledger.db").read_bytes() == before


def test_the_policy_in_force_changes_nothing(place: Path) -> None:
    told = run(place, "same.yaml", "--since", "1970-01-01").stdout
    assert "rules that find what they found: 1" in told
    assert "to review" not in told


def test_json_is_one_object_with_the_same(place: Path) -> None:
    report = json.loads(run(place, "other.yaml", "--since", "1970-01-02", "--json").stdout)
    assert (report["events"], report["replayed"], report["left"]) == (3, 2, {"quota": 1})
    (rule,) = report["rules"]
    assert (rule["rule"], rule["undetermined"], rule["unsure_before"]) == ("goblins", 1, 1)
    assert report["actions"] == {"block": {"review": 1}, "review": {"review": 1}}
    assert report["disagreements"][0]["rules"] == {"goblins": "not known"}
    assert (
        len(
            json.loads(run(place, "other.yaml", "--since", "1970-01-01", "--json", "--disagreements", "0").stdout)[
                "disagreements"
            ]
        )
        == 0
    )


def test_a_time_without_requests_is_said_to_be_empty(place: Path) -> None:
    assert "nothing: no request lies in that time" in run(place, "same.yaml", "--since", "1h").stdout


@pytest.mark.parametrize(
    ("policy", "more", "message"),
    [
        ("same.yaml", ("--rejudge",), "name the master key with --master-key"),
        ("same.yaml", ("--since", "lately"), "'lately' is no moment"),
        ("absent.yaml", (), "cannot read the policy"),
    ],
)
def test_what_is_wrong_is_one_line(place: Path, policy: str, more: tuple[str, ...], message: str) -> None:
    done = run(place, policy, *more)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert message in done.stderr


def test_stored_content_is_judged_anew_and_each_reading_is_an_entry(tmp_path: Path) -> None:
    """A pattern that is new finds what its text holds; the decision stays as it was."""
    policy, key, path = parse(POLICY), tmp_path / "safe" / "master.key", tmp_path / "house" / "ledger.db"
    write_new(key)
    plain = (Signals("prompt", {"goblins": 0.1}), Signals("response", {"goblins": 0.2}))
    with (
        Ledger(path, producer="t") as ledger,
        closing(Keyring(beside(path), open_master(str(key), {}, []))) as keyring,
    ):
        ledger.append(policy.entry())
        said = Exchange(Conversation.of("a bbb please"), ("no",))
        content = Vault(ledger, keyring).put("ann", canonical(said).decode())
        was = Decided("r0", "allow", "rule", 200, "ann", "low", policy=policy.digest, signals=plain, content=content)
        ledger.append(was)
    (tmp_path / "new.yaml").write_text(POLICY.replace("match: aaa", "match: bbb"))
    words = ("--ledger", str(path), "--rejudge", "--master-key", str(key), "--by", "eve", "--purpose", "try bbb")
    done = run(tmp_path, "new.yaml", *words)
    assert done.returncode == 0, done.stderr
    assert "texts that were judged anew: 1;" in done.stdout
    assert "goblins newly hit" in done.stdout
    assert [e.payload for e in read(path) if not isinstance(e.payload, PolicyLoaded)] == [
        was,
        ContentRead(content, "ann", "eve", "try bbb"),
    ]
    assert "--by NAME and --purpose WHY" in run(tmp_path, "new.yaml", *words[:-2]).stderr


def test_a_table_says_why_no_rule_is_hit_any_more(place: Path) -> None:
    (place / "gone.yaml").write_text(POLICY.replace("low", "high"))
    told = run(place, "gone.yaml", "--since", "1970-01-01").stdout
    assert "3 would be refused before any rule looks, because their tier is gone or has no quota" in told
    assert [line.split("│")[1:4] for line in told.splitlines() if "accounts in tier" in line] == [
        [" accounts in tier low  ", "      2 ", "     0 "],
        [" accounts in tier none ", "      0 ", "     2 "],
    ]


def test_many_rules_are_wrapped_and_squeeze_nothing_else(place: Path) -> None:
    policy = parse(POLICY)
    report = tried(policy, str(place / "ledger.db"), 0.0, 20, None)
    one = Disagreement(12345, "req_db8106d0aa012dd1db060622", "acct_13559", "allow", "safe_complete", {})
    rules = {f"rule.{n}": "no longer hit" for n in range(15)}
    printed = io.StringIO()
    many = msgspec.structs.replace(report, disagreements=(msgspec.structs.replace(one, rules=rules),))
    show(many, Console(width=WIDTH, file=printed))
    told = printed.getvalue()
    assert all(part in told for part in ("12345", one.request, "acct_13559", "safe_complete"))
    squeezed = "".join(line.split("│")[6].strip() + " " for line in told[told.index("to review") :].splitlines() if "│" in line)
    assert squeezed.replace("\n", " ").split() == ", ".join(f"{rule} {how}" for rule, how in rules.items()).split()


def test_without_a_ledger_there_is_nothing_to_try_on(place: Path) -> None:
    (place / "ledger.db").unlink()
    assert "there is no ledger at" in run(place, "same.yaml").stderr
