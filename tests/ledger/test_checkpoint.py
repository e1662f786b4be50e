"""Checkpoints are signed notes as others write and read them, and a forged one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.ledger.checkpoint import Checkpoint, Signer, Verifier, opened, read_checkpoints
from fairlead.records.errors import InputError

# The example of Go's golang.org/x/mod/sumdb/note: a published key pair and a note signed with it.
PUBLISHED_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLISHED_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PUBLISHED_NOTE = (
    f"{PUBLISHED_TEXT}\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer("example.com/log", bytes(range(32)))


def note(size: int = 3, root: bytes = b"r" * 32) -> str:
    return SIGNER.sign(Checkpoint("example.com/log", size, root).text())


def test_a_published_note_is_signed_and_opened_byte_for_byte() -> None:
    signer = Signer.parse(PUBLISHED_SIGNER)
    assert str(signer.verifier) == PUBLISHED_VERIFIER
    assert signer.sign(PUBLISHED_TEXT) == PUBLISHED_NOTE
    assert opened(PUBLISHED_NOTE, [Verifier.parse(PUBLISHED_VERIFIER)]) == PUBLISHED_TEXT
    assert signer.written() == PUBLISHED_SIGNER


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_what_was_signed_is_read_back(size: int, root: bytes) -> None:
    assert read_checkpoints(note(size, root), [SIGNER.verifier]) == [Checkpoint("example.com/log", size, root)]


def test_several_checkpoints_stand_in_one_text() -> None:
    text = note(1) + "\n" + note(2) + "\n" + note(3)
    assert [found.size for found in read_checkpoints(text, [SIGNER.verifier])] == [1, 2, 3]


def test_the_signature_of_a_witness_whom_we_do_not_know_is_left_alone() -> None:
    witness = Signer("witness.example", bytes(32)).sign(Checkpoint("example.com/log", 3, b"r" * 32).text())
    cosigned = note() + witness.rpartition("\n\n")[2]
    assert read_checkpoints(cosigned, [SIGNER.verifier])[0].size == 3


@given(st.integers(0, 200), st.integers(1, 127))
def test_no_changed_byte_passes(at: int, change: int) -> None:
    """The signature's own Base64 may be written differently only where it decodes to the same bytes."""
    raw = bytearray(note().encode())
    at %= len(raw)
    raw[at] ^= change
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    try:
        found = read_checkpoints(text, [SIGNER.verifier])
    except InputError:
        return
    assert found == read_checkpoints(note(), [SIGNER.verifier])


def test_a_checkpoint_that_nobody_known_signed_is_refused() -> None:
    stranger = Signer("example.com/log", bytes(32))
    with pytest.raises(InputError, match=r"is not signed by example\.com/log"):
        read_checkpoints(stranger.sign(Checkpoint("example.com/log", 3, b"r" * 32).text()), [SIGNER.verifier])
    with pytest.raises(InputError, match="is not signed by nobody"):
        read_checkpoints(note(), [])


@pytest.mark.parametrize("text", ["", "three\nlines\nonly\n", "a\n03\nAAAA\n", "\n\n\n", "a\n1\n" + "A" * 44 + "\n"])
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"no checkpoint|no signed note|not signed|is wrong"):
        read_checkpoints(SIGNER.sign(text), [SIGNER.verifier])


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AAAA", str(SIGNER.verifier)[:-4] + "AAA=", "a b+c+d"])
def test_a_verifier_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Verifier.parse(text)


def test_a_signing_key_is_never_shown_and_must_be_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(SIGNER.written())
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        Signer.load(path)
    path.chmod(0o600)
    assert Signer.load(path).verifier == SIGNER.verifier
    secret = SIGNER.written().split("+")[-1]
    assert secret not in repr(SIGNER)
    path.write_text(SIGNER.written()[:-3])
    with pytest.raises(InputError) as refused:
        Signer.load(path)
    assert secret[:10] not in str(refused.value)
    with pytest.raises(InputError, match="plus sign"):
        Signer.new("a name with spaces")
