"""The command line: errors are one line and an exit status, and nothing heavy is loaded to start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.ledger.log import Ledger
from fairlead.records.entry import StageEnded


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "fairlead", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_a_whole_ledger_is_proved_and_a_changed_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path, producer="t") as ledger:
        ledger.append(StageEnded("a", 1.0), StageEnded("b", 2.0))
    done = run("ledger", "verify", path)
    assert (done.returncode, "whole. 2 entries, tree hash" in done.stdout) == (0, True)
    assert '"stage":"b"' in run("ledger", "show", path, "--seq", 1).stdout
    done = run("ledger", "show", path, "--seq", 2)
    assert (done.returncode, done.stderr) == (
        2,
        f"fairlead: there is no entry 2 in {path}; it holds 2, and they count from 0\n",
    )
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b'"stage":"b"') + 9] ^= 1
    path.write_bytes(raw)
    done = run("ledger", "verify", path)
    assert done.returncode == 1
    assert "NOT whole" in done.stdout
    assert "entry 1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("ledger", "verify", "absent.db"), 2, "there is no ledger at absent.db"),
        (("ledger", "show", "absent.db"), 2, "there is no ledger at absent.db"),
        (("policy", "check", "absent.yaml"), 2, "cannot read the policy absent.yaml"),
        (("policy", "show", "no.such.rule"), 2, "there is no rule 'no.such.rule'"),
        (("policy", "show", "hate.incitement", "--for", "nobody"), 2, "unknown reader 'nobody'"),
        (("cycle", "--prompts", "absent.jsonl"), 2, "cannot read absent.jsonl"),
        (("serve", "absent"), 2, "absent"),
        (("judge", " ", "--heads", "absent"), 2, "there is no text to judge"),
    ],
)
def test_an_error_is_one_line_and_an_exit_status(tmp_path: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    done = run(*arguments, *(("--out", tmp_path) if arguments[0] == "cycle" else ()))
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert message in said
    assert "Traceback" not in said


def test_a_wrong_policy_is_refused_with_file_and_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text('schema: 1\nid: x\nversion: "1"\nteirs: [a]\nrules: []\n')
    done = run("policy", "check", wrong)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"fairlead: {wrong}:4: unknown key 'teirs'; did you mean 'tiers'?",
        f"fairlead: {wrong}:5: Expected a list of length >= 1 (rules)",
    ]


def test_the_default_policy_is_right_and_a_rule_can_be_read() -> None:
    assert "21 rules" in run("policy", "check").stdout
    assert "Rule weapons.uplift" in run("policy", "show", "weapons.uplift", "--for", "model").stdout


def test_starting_loads_nothing_heavy() -> None:
    code = "import sys, fairlead.cli.main; print(sorted({'torch', 'transformers', 'sklearn', 'onnx'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_keys_are_issued_listed_and_revoked(tmp_path: Path) -> None:
    place = tmp_path / "l.db"
    first = run("keys", "add", "--ledger", place, "--tier", "public", "--account", "ann")
    assert "nobody checked" in first.stderr
    key = first.stdout.strip()
    assert run("keys", "list", "--ledger", place).stdout == f"{key[:11]}  ann  public\n"
    assert "opens nothing" in run("keys", "revoke", "--ledger", place, key[:11], "--reason", "lost").stdout
    assert run("keys", "list", "--ledger", place).stdout == f"{key[:11]}  ann  public  revoked\n"
    wrong = run("keys", "add", "--ledger", place, "--tier", "pubic", "--policy", "core")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no tier 'pubic' in core; did you mean 'public'?" in wrong.stderr
    assert run("keys", "add", "--ledger", place, "--tier", "public", "--policy", "core").stderr == ""
    named = run("keys", "add", "--ledger", place, "--tier", "public", "--account", "ann.example@example.com")
    assert (named.returncode, "name a pseudonym" in named.stderr) == (2, True)
    again = run("keys", "revoke", "--ledger", place, key, "--reason", "lost")
    assert (again.returncode, "no key in force" in again.stderr, key in again.stderr) == (2, True, False)
