"""A canary of an account flows through gateway, vault, dataset, model and export. After the erasure it is nowhere.

The search is an attacker's who has the master key, every file of the house and every ciphertext there ever was: the canary in
clear, the wrapped keys as they lay in the key store, and every ciphertext tried with every key that can still be unwrapped.
"""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from house import MASTER, House, house
from test_keeping import say
from typer.testing import CliRunner

from fairlead.cli.main import app
from fairlead.cycle.datasets import build
from fairlead.gateway.keeping import Keep
from fairlead.ledger.keyring import Keyring
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.place import open_store
from fairlead.ledger.vault import Vault
from fairlead.ledger.verify import verify
from fairlead.policy.document import Policy
from fairlead.records.conversation import Exchange
from fairlead.records.entry import AccountErased, Decided, ModelMade
from fairlead.records.example import Example


class Sealed(NamedTuple):
    ref: str
    account: str
    day: int
    body: bytes


class Scene(NamedTuple):
    """The house after the canary flew through it. `contents` and `wrapped` are what an attacker noted of the stores."""

    home: House
    folder: Path
    backup: Path
    canary: str
    contents: list[Sealed]
    wrapped: dict[tuple[str, int], bytes]
    refs: list[str]


@pytest.fixture
def scene(tmp_path: Path, policy: Policy) -> Iterator[Scene]:
    folder, canary = tmp_path / "house", f"canary{secrets.token_hex(12)}"
    folder.mkdir()
    with house(folder, policy, keep=Keep.FLAGGED) as home:
        home.stub.says = [f"look at the comets and the {canary}"]
        assert say(home, f"bring goblins and a {canary}") == 400
        assert say(home, f"bring maybe-goblins, {canary}") == 400
        assert say(home, "see the comets") == 200
        home.stub.says = ["of course"]
        assert say(home, "bring goblins for somebody else", "trusted") == 200
        refs = built(home, folder)
        export = b"".join(msgspec.json.encode(entry) + b"\n" for entry in read(home.path))
        (folder / "export.jsonl").write_bytes(export)
        shutil.copytree(folder, tmp_path / "backup")
        store, keys = open_store(home.path, read_only=True), open_store(folder / "ledger-keys.db", read_only=True)
        with store.reading() as db, keys.reading() as key_db:
            contents = [Sealed(*row) for row in db.all("SELECT id, account, day, sealed FROM contents")]
            wrapped = {(a, d): bytes(w) for a, d, w in key_db.all("SELECT account, day, wrapped FROM keys")}
        store.close()
        keys.close()
        yield Scene(home, folder, tmp_path / "backup", canary, contents, wrapped, refs)


def built(home: House, folder: Path) -> list[str]:
    """A dataset of what was kept, as a turn builds one, and a model from it."""
    rows = []
    for decided in home.decided():
        if decided.content:
            text = home.vault.read(decided.content, by="cycle", purpose="training")
            asked = msgspec.json.decode(text, type=Exchange).asked.text("user")
            whose = (decided.account or "",)
            rows.append(Example(decided.request, asked, {"goblins": True}, "review", at=decided.content, accounts=whose))
    dataset = build("improved", [rows], [])
    home.ledger.append(dataset.entry(), ModelMade("heads", "judge", "m1", dataset.digest))
    dataset.save(folder / "datasets")
    return [row.at for row in rows]


def still_there(scene: Scene, folder: Path) -> set[str]:
    """What an attacker still finds of the account in a folder."""
    found = set()
    mine = [wrapped for (account, _), wrapped in scene.wrapped.items() if account == "acct_public"]
    clear = [scene.canary.encode(), scene.canary.encode("utf-16-le"), base64.b64encode(scene.canary.encode())[:-4]]
    keys: set[bytes] = set()
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        found |= {f"in clear in {path.name}" for needle in clear if needle in data}
        found |= {f"a wrapped key in {path.name}" for needle in mine if needle in data}
        # Whatever wrapped key lies there, in a row or not, is opened.
        for (account, day), wrapped in scene.wrapped.items():
            if wrapped in data:
                keys.add(MASTER.unwrap(wrapped, f'["{account}",{day}]'))
    for sealed in scene.contents:
        for key in keys:
            bound = msgspec.json.encode(["fairlead content", sealed.account, sealed.ref, sealed.day])
            try:
                text = AESGCM(key).decrypt(sealed.body[:12], sealed.body[12:], bound)
            except InvalidTag:
                continue
            if scene.canary.encode() in text:
                found.add(f"{sealed.ref} can be read")
    return found


def fairlead(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def erase(folder: Path) -> str:
    return fairlead("ledger", "erase", "acct_public", "--by", "dpo", "--ledger", str(folder / "ledger.db"))


def test_before_the_erasure_everything_is_there(scene: Scene) -> None:
    """The positive control of all the others: the search finds what it looks for, and nothing in clear."""
    mine = [sealed.ref for sealed in scene.contents if sealed.account == "acct_public"]
    assert len(mine) == 3
    found = still_there(scene, scene.folder)
    assert {f"{ref} can be read" for ref in mine} < found
    assert {what.removesuffix("-wal") for what in found if "key" in what} == {"a wrapped key in ledger-keys.db"}
    assert not [what for what in found if "clear" in what]
    assert scene.canary in scene.home.vault.read(mine[0], by="eve", purpose="positive control")
    (scene.folder / "leak.txt").write_text(f"somebody wrote {scene.canary}")
    assert "in clear in leak.txt" in still_there(scene, scene.folder)


def test_after_the_erasure_it_is_in_no_file_while_the_gateway_runs(scene: Scene) -> None:
    said = erase(scene.folder)
    assert "acct_public: 1 keys destroyed, 3 contents removed" in said
    assert "dataset" in said
    assert "model m1 must be built anew" in said
    assert still_there(scene, scene.folder) == set()
    (erased,) = scene.home.payloads(AccountErased)
    assert len(erased.datasets) == len(erased.models) == 1  # type: ignore[attr-defined]
    other = next(sealed.ref for sealed in scene.contents if sealed.account == "acct_trusted")
    assert "somebody else" in scene.home.vault.read(other, by="eve", purpose="others are not touched")
    # The gateway goes on, and keeps nothing of the account any more.
    assert say(scene.home, f"bring goblins again, {scene.canary}") == 400
    last = scene.home.payloads(Decided)[-1]
    assert (last.content, last.error) == ("", "content not kept: ErasedError")  # type: ignore[attr-defined]
    assert still_there(scene, scene.folder) == set()
    assert verify(scene.home.path).whole


def test_a_backup_of_the_ledger_holds_nothing_once_the_backup_of_the_keys_expired(scene: Scene) -> None:
    erase(scene.folder)
    assert still_there(scene, scene.backup) != set(), "until then whoever has it and the master key can read it"
    for path in scene.backup.glob("ledger-keys.db*"):
        path.unlink()
    assert still_there(scene, scene.backup) == set()


@pytest.mark.parametrize("restored", ["ledger-keys.db", "ledger.db"])
def test_a_restored_backup_of_either_store_is_erased_again_on_opening(scene: Scene, tmp_path: Path, restored: str) -> None:
    erase(scene.folder)
    again = tmp_path / "again"
    shutil.copytree(scene.folder, again)
    for path in again.glob(f"{restored}*"):
        path.unlink()
    for path in scene.backup.glob(f"{restored}*"):
        shutil.copy(path, again / path.name)
    if restored == "ledger-keys.db":
        assert still_there(scene, again) != set(), "positive control: it came back"
    with (
        Ledger(again / "ledger.db", producer="test/1") as ledger,
        closing(Keyring(again / "ledger-keys.db", MASTER)) as keyring,
    ):
        Vault(ledger, keyring)
        assert ledger.state.erased("acct_public")
        assert still_there(scene, again) == set()


def test_a_restored_backup_of_everything_is_erased_again_by_asking_again(scene: Scene) -> None:
    """Nothing in such a backup knows of the erasure: docs/vault.md says so, and what to do."""
    erase(scene.folder)
    assert still_there(scene, scene.backup) != set()
    erase(scene.backup)
    assert still_there(scene, scene.backup) == set()
