"""A master key opens what it wrapped and nothing else, and is taken only from where it is safe."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.master import Local, Program, open_master, write_new
from fairlead.records.errors import InputError, VaultError

KMS = """
import base64, json, sys
asked = json.load(sys.stdin)
mode = sys.argv[1]
if mode == "fails":
    sys.exit(3)
if mode == "babbles":
    print("no JSON")
    sys.exit()
turned = lambda text: base64.b64encode(bytes(b ^ 0x5A for b in base64.b64decode(text))).decode()
answers = {
    "name": lambda: {"master": "toy/" + mode},
    "wrap": lambda: {"wrapped": asked["key"] if mode == "clear" else turned(asked["key"])},
    "unwrap": lambda: {"key": turned(asked["wrapped"])[: 8 if mode == "short" else None]},
}
print(json.dumps(answers[asked["do"]]()))
"""


@pytest.fixture
def kms(tmp_path: Path) -> str:
    (tmp_path / "kms.py").write_text(KMS)
    return f"command:{sys.executable} {tmp_path / 'kms.py'}"


def test_a_key_comes_back_and_only_with_the_same_words() -> None:
    master, key = Local.new(), os.urandom(32)
    wrapped = master.wrap(key, "ann, day 3")
    assert key not in wrapped
    assert master.unwrap(wrapped, "ann, day 3") == key
    assert master.wrap(key, "ann, day 3") != wrapped, "each wrapping has its own nonce"
    with pytest.raises(VaultError, match="was changed"):
        master.unwrap(wrapped, "bob, day 3")
    with pytest.raises(VaultError, match="was changed"):
        Local.new().unwrap(wrapped, "ann, day 3")


@given(bit=st.integers(0, 60 * 8 - 1))
def test_any_changed_bit_is_refused(bit: int) -> None:
    master = Local.new()
    wrapped = bytearray(master.wrap(bytes(32), "a"))
    assert len(wrapped) == 60
    wrapped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        master.unwrap(bytes(wrapped), "a")


@given(cut=st.integers(0, 59))
def test_what_was_cut_is_refused(cut: int) -> None:
    master = Local.new()
    with pytest.raises(VaultError):
        master.unwrap(master.wrap(bytes(32), "a")[:cut], "a")


def test_its_text_comes_back_and_a_slip_of_the_pen_is_noticed_and_not_shown() -> None:
    master = Local.new()
    text = master.written()
    assert Local.parse(f"  {text}\n").id == master.id
    key = text.split("+", 3)[3]
    for wrong in (text[:-4], text.replace(key, "A" * 43 + "="), key, "", text.replace("MASTER", "PRIVATE"), "MASTER+KEY"):
        with pytest.raises(InputError) as refused:
            Local.parse(wrong)
        assert key not in str(refused.value)
    assert text not in repr(master)


def test_a_new_key_is_its_owners_alone_and_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "safe" / "master.key"
    made = write_new(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_master(str(path), {}, []).id == made.id  # type: ignore[union-attr]
    before = path.read_text()
    with pytest.raises(InputError, match="exists"):
        write_new(path)
    assert path.read_text() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    write_new(path)
    path.chmod(mode)
    with pytest.raises(InputError, match="others may read"):
        open_master(str(path), {}, [])


def test_a_file_that_lies_with_what_it_protects_is_refused(tmp_path: Path) -> None:
    house, elsewhere = tmp_path / "house", tmp_path / "elsewhere"
    for path in (house / "master.key", house / "deep" / "er" / "master.key", elsewhere / "master.key"):
        write_new(path)
    assert open_master(str(elsewhere / "master.key"), {}, [house]) is not None, "positive control"
    (elsewhere / "link").symlink_to(house / "master.key")
    (tmp_path / "door").symlink_to(house)
    inside = (house / "master.key", house / "deep" / "er" / "master.key", elsewhere / "link", tmp_path / "door" / "master.key")
    for path in (*inside, elsewhere / ".." / "house" / "master.key"):
        with pytest.raises(InputError, match="with what it protects"):
            open_master(str(path), {}, [elsewhere / "not here", house])


def test_the_environment_holds_the_key_itself_and_what_is_named_comes_first(tmp_path: Path, kms: str) -> None:
    one, two = Local.new(), write_new(tmp_path / "master.key")
    environment = {"FAIRLEAD_MASTER_KEY": one.written()}
    assert open_master(None, {}, []) is None
    assert open_master(None, environment, []).id == one.id  # type: ignore[union-attr]
    assert open_master(str(tmp_path / "master.key"), environment, []).id == two.id  # type: ignore[union-attr]
    assert open_master(None, {"FAIRLEAD_MASTER_KEY": f"{kms} good"}, []).id == "toy/good"  # type: ignore[union-attr]
    with pytest.raises(InputError, match="no master key"):
        open_master(None, {"FAIRLEAD_MASTER_KEY": ""}, [])


def test_a_program_wraps_and_unwraps(kms: str) -> None:
    master = open_master(f"{kms} good", {}, [])
    assert isinstance(master, Program)
    key = os.urandom(32)
    wrapped = master.wrap(key, json.dumps(["ann", 3]))
    assert wrapped != key
    assert master.unwrap(wrapped, json.dumps(["ann", 3])) == key


@pytest.mark.parametrize(("mode", "words"), [("fails", "status 3"), ("babbles", "one JSON object")])
def test_a_program_that_does_not_answer_is_an_error(kms: str, mode: str, words: str) -> None:
    with pytest.raises(VaultError, match=words):
        open_master(f"{kms} {mode}", {}, [])


def test_a_program_that_does_not_do_its_work_is_an_error(kms: str) -> None:
    with pytest.raises(VaultError, match="did not wrap"):
        Program(f"{kms} clear".removeprefix("command:")).wrap(os.urandom(32), "a")
    short = Program(f"{kms} short".removeprefix("command:"))
    with pytest.raises(VaultError, match="did not unwrap"):
        short.unwrap(short.wrap(os.urandom(32), "a"), "a")
    for command, kind in (("command:", InputError), ("command:/nowhere/kms", VaultError)):
        with pytest.raises(kind):
            open_master(command, {}, [])


def test_a_program_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.ledger.master._PROGRAM_S", 0.2)
    with pytest.raises(VaultError, match="did not answer within"):
        Program("sleep 20")
