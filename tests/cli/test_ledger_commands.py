"""The ledger's commands on a ledger that was changed behind its back: each says so, and none writes over what shows it."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairlead.cli.main import app
from fairlead.ledger.log import Ledger
from fairlead.records.entry import KeyIssued, StageEnded
from fairlead.records.errors import InputError, LedgerCorrupt


def run(*words: object, status: int = 0) -> str:
    """What a command printed; its errors come through."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "house" / "l.db"
    with Ledger(path, producer="p") as opened:
        opened.append(*[StageEnded(f"s{n}", 1.0) for n in range(300)], KeyIssued("k", "fl", "a", "public"))
    return path


def changed(path: Path, sql: str) -> None:
    db = sqlite3.connect(path)
    db.execute(sql)
    db.commit()
    db.close()


def test_a_cut_is_told_until_somebody_rebuilds(ledger: Path) -> None:
    changed(ledger, "DELETE FROM entries WHERE seq > 200")
    for state in ((), ("--state",)) * 2:
        said = run("ledger", "verify", ledger, *state, status=1)
        assert "NOT whole. the state was made from 301 entries, the log holds 201" in said
    said = run("ledger", "rebuild", ledger)
    assert "was NOT whole. the state was made from 301 entries" in said
    assert "folded anew from 201 entries" in said
    assert "whole. 201 entries" in run("ledger", "verify", ledger, "--state")


def test_a_state_that_was_changed_is_told_and_left_as_it_is(ledger: Path) -> None:
    assert "what the log adds up to" in run("ledger", "verify", ledger, "--state")
    changed(ledger, "DELETE FROM state WHERE kind = 'key'")
    for _ in range(2):
        assert "NOT what the log adds up to: key" in run("ledger", "verify", ledger, "--state", status=1)
    changed(ledger, "UPDATE cursor SET version = 1")
    assert "another version of Fairlead: it was not compared" in run("ledger", "verify", ledger, "--state")


def test_what_verify_does_not_call_whole_is_neither_shown_nor_proven_nor_signed_nor_asked(ledger: Path, tmp_path: Path) -> None:
    key = tmp_path / "safe" / "key"
    run("ledger", "keygen", key, "--name", "n")
    commands = [
        ("ledger", "show", ledger, "--seq", 7),
        ("ledger", "prove", ledger, "--seq", 7),
        ("ledger", "checkpoint", ledger, "--key", key),
        ("ledger", "query", ledger, "signal.harm['weapons.uplift'] > 0"),
    ]
    for words in commands[:3]:
        run(*words)
    changed(ledger, "UPDATE entries SET body = replace(CAST(body AS TEXT), 's7', 'x7') WHERE seq = 7")
    changed(ledger, "UPDATE entries SET body = CAST(body AS BLOB)")
    for words in commands:
        with pytest.raises(LedgerCorrupt, match="entry 7"):
            run(*words)


def test_the_leaf_hash_that_check_prints_is_that_of_the_line_that_show_prints(ledger: Path, tmp_path: Path) -> None:
    said = run("ledger", "keygen", tmp_path / "safe" / "key", "--name", "n")
    run("ledger", "checkpoint", ledger, "--key", tmp_path / "safe" / "key", "--add-to", tmp_path / "kept")
    (tmp_path / "proof").write_text(run("ledger", "prove", ledger, "--seq", 7))
    line = run("ledger", "show", ledger, "--seq", 7).removesuffix("\n")
    checked = run("ledger", "check", tmp_path / "proof", "--checkpoints", tmp_path / "kept", "--verifier", said.strip())
    assert hashlib.sha256(b"\0" + line.encode()).hexdigest() in checked


def test_what_is_no_ledger_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("rules: []\n" * 100)
    with pytest.raises(InputError, match=r"small\.yaml is no ledger"):
        run("ledger", "verify", tmp_path / "small.yaml")
