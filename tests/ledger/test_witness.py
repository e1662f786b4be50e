"""Whoever kept a checkpoint can have the log prove itself, by command and over HTTP, and a log that was changed cannot."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from tampering import looked_up, tamper
from test_verify import filled, rewritten

from fairlead.cli.ledger import rebuild_command, verify_command
from fairlead.gateway.serve import serving
from fairlead.ledger.checkpoint import Signer, read_checkpoints
from fairlead.ledger.log import Ledger
from fairlead.ledger.witness import Consistency, Inclusion, Witness, add_checkpoint, create_app
from fairlead.records.entry import StageEnded
from fairlead.records.errors import InputError, LedgerCorrupt, LedgerError

SIGNER = Signer("example.com/log", bytes(32))


def grown(place: str, n: int) -> None:
    with Ledger(place, producer="p") as ledger:
        ledger.append(*[StageEnded("more", float(i)) for i in range(n)])


def test_every_entry_and_every_earlier_log_is_proven_against_signed_checkpoints(place: str) -> None:
    filled(place, 5)
    witness = Witness(place, SIGNER)
    old = read_checkpoints(witness.checkpoint(), [SIGNER.verifier])
    grown(place, 300)
    new = read_checkpoints(witness.checkpoint(), [SIGNER.verifier])
    assert (old[0].size, new[0].size) == (5, 305)
    assert all(witness.inclusion(seq).holds(new) for seq in (0, 4, 5, 304))
    assert witness.inclusion(4, 5).holds(old)
    assert not witness.inclusion(4).holds(old), "a checkpoint of another size bears nothing out"
    assert witness.consistency(5).holds([*old, *new])
    assert not witness.consistency(5).holds(new)
    witness.close()


def test_a_log_that_was_rewritten_cannot_be_added_to_the_checkpoints(place: str, tmp_path: Path) -> None:
    filled(place, 5)
    witness, path = Witness(place, SIGNER), tmp_path / "kept"
    add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    grown(place, 3)
    add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    before = path.read_text()
    assert [c.size for c in read_checkpoints(before, [SIGNER.verifier])] == [5, 8]
    tamper(place, "DELETE FROM entries WHERE seq = 7")
    tamper(place, "UPDATE cursor SET size = 7")
    with pytest.raises(LedgerCorrupt, match="cut off or written anew"):
        add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    body = bytes(looked_up(place, "SELECT body FROM entries WHERE seq = 2")[0])  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 2", body.replace(b"stage 2", b"stage x"))
    rewritten(place, 2)
    grown(place, 4)
    with pytest.raises(LedgerCorrupt, match="cut off or written anew"):
        add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    assert path.read_text() == before
    witness.close()


def test_a_log_of_the_same_size_that_was_rewritten_is_not_signed_beside_the_old(place: str, tmp_path: Path) -> None:
    filled(place, 5)
    witness, path = Witness(place, SIGNER), tmp_path / "kept"
    add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    body = bytes(looked_up(place, "SELECT body FROM entries WHERE seq = 2")[0])  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 2", body.replace(b"stage 2", b"stage x"))
    rewritten(place, 2)
    with pytest.raises(LedgerCorrupt, match="cut off or written anew"):
        add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    witness.close()


def test_a_file_of_checkpoints_that_cannot_be_written_is_said_so(place: str, tmp_path: Path) -> None:
    filled(place, 2)
    witness = Witness(place, SIGNER)
    for path in (tmp_path, tmp_path / "none" / "kept"):
        with pytest.raises(InputError, match="the checkpoints"):
            add_checkpoint(path, witness.checkpoint(), SIGNER.verifier, witness)
    witness.close()


def test_an_entry_that_was_changed_is_not_proven(place: str) -> None:
    filled(place, 9)
    witness = Witness(place, SIGNER)
    assert witness.inclusion(4).seq == 4
    tamper(place, "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 5) WHERE seq = 4")
    with pytest.raises(LedgerCorrupt, match=r"entry 4 of .* was changed"):
        witness.inclusion(4)
    witness.close()


def test_proofs_are_had_over_http_and_name_no_content(place: str) -> None:
    filled(place, 20)
    witness = Witness(place, SIGNER)
    with serving(create_app(witness)) as url:

        def get(path: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
            connection.request("GET", path)
            response = connection.getresponse()
            found = response.status, response.read()
            connection.close()
            return found

        checkpoints = read_checkpoints(get("/checkpoint")[1].decode(), [SIGNER.verifier])
        status, body = get("/inclusion?seq=7")
        assert (status, msgspec.json.decode(body, type=Inclusion).holds(checkpoints)) == (200, True)
        assert b"stage 7" not in body
        grown(place, 1)
        status, body = get("/consistency?first=20")
        checkpoints += read_checkpoints(get("/checkpoint")[1].decode(), [SIGNER.verifier])
        assert (status, msgspec.json.decode(body, type=Consistency).holds(checkpoints)) == (200, True)
        for path, said in (
            ("/inclusion?seq=21", "is not in a tree of 21"),
            ("/inclusion?seq=1&size=99", "the log has 21 entries, not 99"),
            ("/inclusion", "seq is missing"),
            ("/inclusion?seq=-1", "no number"),
            ("/consistency?first=0", "sizes must order"),
        ):
            status, body = get(path)
            assert (status, said in json.loads(body)["error"]) == (400, True), body
    witness.close()


def test_the_commands_prove_to_somebody_who_has_only_a_checkpoint(tmp_path: Path) -> None:
    place, key, kept = str(tmp_path / "house" / "l.db"), tmp_path / "key", tmp_path / "kept"
    filled(place, 9)

    def run(*arguments: object, status: int = 0) -> str:
        command = [sys.executable, "-m", "fairlead", "ledger", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    verifier = run("keygen", key, "--name", "example.com/log").strip()
    assert key.stat().st_mode & 0o777 == 0o600
    assert "never overwritten" in run("keygen", key, "--name", "example.com/log", status=2)
    assert "cannot write the signing key /proc/key: No such file" in run("keygen", "/proc/key", "--name", "n", status=2)
    near = tmp_path / "house" / "near"
    run("keygen", near, "--name", "example.com/log")
    assert "with what it protects" in run("checkpoint", place, "--key", near, "--add-to", kept, status=2)
    kept.write_text("")
    assert f"{kept} holds no checkpoint" in run("verify", place, "--checkpoints", kept, "--verifier", verifier, status=2)
    run("checkpoint", place, "--key", key, "--add-to", kept)
    other = run("keygen", tmp_path / "other", "--name", "example.com/other").strip()
    assert f"{kept}: the checkpoint is not" in run("verify", place, "--checkpoints", kept, "--verifier", other, status=2)
    grown(place, 3)
    run("checkpoint", place, "--key", key, "--add-to", kept)
    trusted = ("--checkpoints", kept, "--verifier", verifier)
    for name, arguments in (("in", ("--seq", 4)), ("old", ("--seq", 4, "--size", 9)), ("grown", ("--first", 9))):
        (tmp_path / name).write_text(run("prove", place, *arguments))
        assert "proven." in run("check", tmp_path / name, *trusted)
    assert "agree up to entry 11" in run("verify", place, *trusted)
    assert "go together" in run("verify", place, "--checkpoints", kept, status=2)
    assert "name either" in run("prove", place, status=2)
    body = bytes(looked_up(place, "SELECT body FROM entries WHERE seq = 4")[0])  # type: ignore[arg-type]
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 4", body.replace(b"stage 4", b"stage x"))
    rewritten(place, 4)
    assert "whole. 12 entries" in run("verify", place)
    assert "written anew between entry 0 and entry 8" in run("verify", place, *trusted, status=1)
    (tmp_path / "forged").write_text(run("prove", place, "--seq", 4))
    assert "NOT proven" in run("check", tmp_path / "forged", *trusted, status=1)
    assert "the stored state is what" in run("verify", place, "--state").lower()
    assert "folded anew from 12 entries" in run("rebuild", place)
    tamper(place, "UPDATE entries SET body = ? WHERE seq = 4", body.replace(b"stage.ended", b"stage.forged"))
    rewritten(place, 4)
    assert "whole. 12 entries" in run("verify", place), "the hashes fit"
    assert "hold it against a checkpoint kept elsewhere" in run("show", place, "--seq", 4, status=3)


def test_nothing_is_signed_without_a_key(tmp_path: Path) -> None:
    place = str(tmp_path / "l.db")
    filled(place, 1)
    with pytest.raises(InputError, match="keygen"):
        Witness(place).checkpoint()


def test_a_servers_password_is_not_shown(postgres: object, capsys: pytest.CaptureFixture[str]) -> None:
    url = postgres.create_database("shown")  # type: ignore[attr-defined]
    filled(url, 1)
    verify_command(url)
    rebuild_command(url)
    said = capsys.readouterr().out
    assert "whole. 1 entries" in said
    assert "folded anew from 1 entries" in said
    assert urlsplit(url).password not in said
    with Ledger(url, producer="p") as ledger, pytest.raises(LedgerError) as refused:
        ledger.entry(9)
    assert urlsplit(url).password not in str(refused.value)
