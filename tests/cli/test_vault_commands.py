"""The vault's commands: what they do, and what they refuse before anything happens."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairlead.cli.main import app
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.master import open_master
from fairlead.ledger.vault import Vault
from fairlead.policy.core import CORE
from fairlead.records.entry import AccountErased, ContentExpired, ContentRead, KeyIssued, KeysForgotten, StageEnded
from fairlead.records.errors import ErasedError, InputError, VaultError


def run(*words: object) -> str:
    """What a command printed; its errors come through."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


class Scene:
    """A ledger with one content, and a master key elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.ledger, self.master = folder / "house" / "ledger.db", folder / "safe" / "master.key"
        run("vault", "keygen", self.master)
        with Ledger(self.ledger, producer="p") as ledger:
            ledger.append(StageEnded("first", 0.0))
            with closing(Keyring(beside(self.ledger), open_master(str(self.master), {}, []))) as keyring:
                self.refs = [Vault(ledger, keyring, clock=lambda: 1.0).put("ann", "an old text", ["weapons.uplift"])]
                self.refs.append(Vault(ledger, keyring).put("bob", "a new text"))

    def run(self, *words: object, key: bool = True) -> str:
        return run(*words, "--ledger", self.ledger, *(["--master-key", self.master] if key else []))

    def payloads(self, kind: type) -> list[object]:
        return [entry.payload for entry in read(self.ledger) if isinstance(entry.payload, kind)]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.delenv("FAIRLEAD_MASTER_KEY", raising=False)
    return Scene(tmp_path)


def test_a_reviewer_reads_with_a_purpose(scene: Scene) -> None:
    assert scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7") == "a new text\n"
    assert scene.payloads(ContentRead) == [ContentRead(scene.refs[1], "bob", "eve", "case 7")]
    with pytest.raises(InputError, match="--purpose WHY"):
        scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", " ")
    done = CliRunner().invoke(app, ["vault", "read", scene.refs[1], "--by", "eve", "--ledger", str(scene.ledger)])
    assert done.exit_code == 2
    assert len(scene.payloads(ContentRead)) == 1


def test_the_master_key_may_come_from_the_environment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7")
    with pytest.raises(InputError, match="name the master key"):
        scene.run(*words, key=False)
    monkeypatch.setenv("FAIRLEAD_MASTER_KEY", scene.master.read_text())
    assert scene.run(*words, key=False) == "a new text\n"


def test_a_master_key_beside_the_ledger_or_the_keys_is_refused(scene: Scene, tmp_path: Path) -> None:
    near = scene.ledger.parent / "master.key"
    near.write_text(scene.master.read_text())
    near.chmod(0o600)
    words = ["vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7", "--ledger", scene.ledger]
    for more in (["--master-key", near], ["--master-key", scene.master, "--keys", scene.master.parent / "keys.db"]):
        with pytest.raises(InputError, match="with what it protects"):
            run(*words, *more)
    with pytest.raises(InputError, match="with what it protects"):
        run("vault", "rotate", "--to", near, "--ledger", scene.ledger, "--master-key", scene.master)
    assert scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7") == "a new text\n"


def test_rotation_needs_both_keys_once(scene: Scene, tmp_path: Path) -> None:
    new = tmp_path / "safe" / "new.key"
    run("vault", "keygen", new)
    assert scene.run("vault", "rotate", "--to", new).startswith("2 keys wrapped anew")
    assert scene.run("vault", "rotate", "--to", new).startswith("0 keys wrapped anew")
    with pytest.raises(InputError, match="give that one"):
        scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7")
    scene.master = new
    assert scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7") == "a new text\n"
    with pytest.raises(InputError, match="there are no keys"):
        scene.run("vault", "rotate", "--to", new, "--keys", tmp_path / "other" / "nowhere.db")


def test_expiry_and_erasure_need_no_master_key(scene: Scene) -> None:
    assert scene.run("vault", "expire", "--policy", CORE, key=False) == "1 contents removed\n"
    assert scene.run("vault", "expire", "--policy", CORE, key=False) == "0 contents removed\n"
    assert scene.payloads(ContentExpired) == [ContentExpired(1)]
    said = scene.run("ledger", "erase", "bob", "--by", "dpo", key=False)
    assert said.splitlines() == [
        "bob: 1 keys destroyed, 1 contents removed",
    ]
    assert scene.payloads(AccountErased) == [AccountErased("bob", "dpo")]
    with pytest.raises(InputError, match="its account was erased"):
        scene.run("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7")


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger"):
        run("ledger", "erase", "bob", "--by", "dpo", "--ledger", tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


def test_a_key_store_is_not_made_by_whoever_asks_for_one(scene: Scene, tmp_path: Path) -> None:
    new = tmp_path / "new" / "keys.db"
    reading = ("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7")
    for words in (reading, ("ledger", "erase", "bob", "--by", "dpo"), ("vault", "expire", "--policy", CORE)):
        with pytest.raises(InputError, match="there are no keys at"):
            scene.run(*words, "--keys", new, key=words is reading)
    assert not new.parent.exists()
    with Ledger(tmp_path / "house2" / "bare.db", producer="p") as ledger:
        ledger.append(KeyIssued("k", "fl", "ann", "public"))
    bare = ("--ledger", tmp_path / "house2" / "bare.db")
    with pytest.raises(InputError, match="there are no keys at"):
        run(*reading, *bare, "--master-key", scene.master)
    assert not (tmp_path / "house2" / "bare-keys.db").exists()
    assert "ann: 0 keys destroyed" in run("ledger", "erase", "ann", "--by", "dpo", *bare)


def test_a_key_store_that_cannot_be_read_is_called_one(scene: Scene, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_text("no keys " * 1000)
    with pytest.raises(InputError, match=r"junk\.db cannot be read as a key store: file is not a database; restore it"):
        scene.run("ledger", "erase", "bob", "--by", "dpo", "--keys", junk, key=False)


def test_the_gateway_keeps_nothing_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRLEAD_MASTER_KEY", raising=False)
    words = ("gateway", "--policy", CORE, "--ledger", tmp_path / "l.db", "--upstream", "http://127.0.0.1:9", "--keep", "all")
    done = subprocess.run([sys.executable, "-m", "fairlead", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == ("fairlead: --keep all needs a master key: name it with --master-key; nothing is kept in clear\n")


def test_a_key_store_that_is_lost_can_be_given_up_and_the_ledger_says_so(scene: Scene) -> None:
    scene.run("ledger", "erase", "ann", "--by", "dpo", key=False)
    for left in scene.ledger.parent.glob("ledger-keys.db*"):
        left.unlink()
    reading = ("vault", "read", scene.refs[1], "--by", "eve", "--purpose", "case 7")
    with pytest.raises(InputError, match="forget-keys"):
        scene.run(*reading)
    assert "1 contents stay unreadable" in scene.run("vault", "forget-keys", "--by", "ops", key=False)
    assert scene.payloads(KeysForgotten) == [KeysForgotten("ops", 1)]
    with pytest.raises(VaultError, match=r"the key of account bob of \d{4}-\d\d-\d\d is gone: .*the key store was given up"):
        scene.run(*reading)
    with pytest.raises(InputError, match="nothing to give up"):
        scene.run("vault", "forget-keys", "--by", "ops", key=False)
    master = open_master(str(scene.master), {}, [])
    with Ledger(scene.ledger, producer="p") as ledger, closing(Keyring(beside(scene.ledger), master)) as keyring:
        vault = Vault(ledger, keyring)
        assert vault.read(vault.put("bob", "a third text"), by="eve", purpose="case 8") == "a third text"
        with pytest.raises(ErasedError):
            vault.put("ann", "a text")


def test_what_would_stand_in_the_ledger_for_ever_names_nobody(tmp_path: Path) -> None:
    place, master, address = tmp_path / "house" / "l.db", tmp_path / "safe" / "key", "ann.example@example.com"
    run("vault", "keygen", master)
    with Ledger(place, producer="t") as ledger:
        ledger.append(KeyIssued("k", "fl_1", "ann", "public"))
    reading = ("vault", "read", "content_1", "--ledger", place, "--master-key", master)
    for words in (
        (*reading, "--by", address, "--purpose", "case 7"),
        (*reading, "--by", "eve", "--purpose", f"{address} asked"),
        ("ledger", "erase", "ann", "--by", address, "--ledger", place),
        ("keys", "add", "--tier", address, "--ledger", place),
        ("keys", "revoke", "fl_1", "--reason", address, "--ledger", place),
    ):
        with pytest.raises(InputError, match="stand in the ledger for ever") as refused:
            run(*words)
        assert address not in str(refused.value)
    assert address.encode() not in b"".join(path.read_bytes() for path in place.parent.iterdir())


def test_an_account_of_which_nothing_is_known_is_not_said_to_be_erased(tmp_path: Path) -> None:
    place = tmp_path / "l.db"
    with Ledger(place, producer="t") as ledger:
        ledger.append(KeyIssued("k", "fl_1", "ann", "public"))
    with pytest.raises(InputError, match="of anne nothing is known"):
        run("ledger", "erase", "anne", "--by", "dpo", "--ledger", place)
    for _ in range(2):
        run("ledger", "erase", "ann", "--by", "dpo", "--ledger", place)
    assert [e.payload.account for e in read(place) if isinstance(e.payload, AccountErased)] == ["ann"]
