"""What a log was at one size, signed: to be kept where whoever can write the log cannot.

The text is a C2SP tlog-checkpoint (origin, size, root hash in Base64, one a line) in a C2SP signed note with Ed25519, so that
other people's witnesses and tools can read it. Keys are written as Go's `sumdb/note` writes them:

    PRIVATE+KEY+NAME+KEYID+BASE64(0x01 || 32 bytes)        the signer's, secret
    NAME+KEYID+BASE64(0x01 || 32 bytes)                    the verifier's

where KEYID are the first four bytes of SHA-256(NAME || 0x0A || 0x01 || public key), in hexadecimal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from fairlead.records.errors import InputError

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9]\d{0,18}")
_SIGNATURE = "\u2014 "


class Checkpoint(Struct, frozen=True):
    """The log named `origin` had `size` entries with this tree hash (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Verifier(Struct, frozen=True):
    """Whose signature is believed."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key's id, 4 bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """From its written form. Raises InputError."""
        parts = text.strip().split("+", 2)
        key = _decoded(parts[2]) if len(parts) == 3 else b""
        if len(key) != 33 or key[:1] != _ED25519 or not _NAME.fullmatch(parts[0]):
            raise InputError(
                "that is no Ed25519 verifier key; it is written NAME+KEYID+BASE64, as `fairlead ledger keygen` prints"
            )
        found = cls(parts[0], key[1:])
        if found.id.hex() != parts[1]:
            raise InputError(f"the key of {parts[0]!r} has the id {found.id.hex()}, not {parts[1]}; copy it again")
        return found


class Signer:
    """Who signs. The secret is not shown by `repr`."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` has 32 bytes. Raises InputError for a name with white space or a plus sign."""
        if not _NAME.fullmatch(name):
            raise InputError(f"the name {name!r} has white space or a plus sign; write something like example.com/fairlead")
        self._seed, self._key = seed, Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def new(cls, name: str) -> Signer:
        """With a key that was just drawn."""
        return cls(name, os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> Signer:
        """From its written form. Raises InputError, without showing the text."""
        parts = text.strip().split("+", 4)
        key = _decoded(parts[4]) if len(parts) == 5 and parts[:2] == ["PRIVATE", "KEY"] else b""
        if len(key) != 33 or key[:1] != _ED25519:
            raise InputError("that is no Ed25519 signing key; make one with `fairlead ledger keygen`")
        found = cls(parts[2], key[1:])
        if found.verifier.id.hex() != parts[3]:
            raise InputError(f"the signing key of {parts[2]!r} does not fit its id; copy it again")
        return found

    @classmethod
    def load(cls, path: Path) -> Signer:
        """From a file. Raises InputError when it cannot be read, or when others than its owner may read it."""
        return cls.parse(secret(path, "signing key"))

    def written(self) -> str:
        """The secret in its written form."""
        key = base64.b64encode(_ED25519 + self._seed).decode()
        return f"PRIVATE+KEY+{self.verifier.name}+{self.verifier.id.hex()}+{key}"

    def sign(self, text: str) -> str:
        """The signed note: the text, which ends with a line break, a blank line, and one signature."""
        signature = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_SIGNATURE}{self.verifier.name} {signature}\n"


def opened(note: str, verifiers: Sequence[Verifier]) -> str:
    """The text of a signed note. Raises InputError unless a verifier signed it, and every known signature is right."""
    text, _, signatures = note.rpartition("\n\n")
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    believed = False
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
        signature = _decoded(encoded)
        if not line.startswith(_SIGNATURE) or len(signature) < 5:
            raise InputError("that is no signed note: a line after the text is no signature")
        verifier = known.get((name, signature[:4]))
        if verifier is None:
            continue  # somebody whom we do not know, such as a witness
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature[4:], f"{text}\n".encode())
        except InvalidSignature as error:
            raise InputError(
                f"the signature of {name} is wrong: the checkpoint was changed, or signed with another key"
            ) from error
        believed = True
    if not believed:
        names = ", ".join(verifier.name for verifier in verifiers) or "nobody"
        raise InputError(f"the checkpoint is not signed by {names}; give the verifier key of who signed it")
    return f"{text}\n"


def read_checkpoints(text: str, verifiers: Sequence[Verifier]) -> list[Checkpoint]:
    """The checkpoints in a text that holds one signed note after the other. Raises InputError for one that is not right."""
    found = []
    for note in re.split(r"(?<=\n)\n(?=[^\n\u2014])", text.lstrip("\n")):
        body = opened(note.rstrip("\n") + "\n", verifiers)
        lines = body.split("\n")
        root = _decoded(lines[2]) if len(lines) > 3 else b""
        if len(root) != 32 or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise InputError("that is no checkpoint: its text is origin, size and root hash, one a line")
        found.append(Checkpoint(lines[0], int(lines[1]), root))
    return found


def secret(path: Path, what: str) -> str:
    """The text of a file that only its owner may read. Raises InputError."""
    try:
        mode, text = path.stat().st_mode & 0o777, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the {what} {path}: {error}") from error
    if mode & 0o077:
        raise InputError(f"the {what} {path} has mode {mode:04o}, so others may read it; run `chmod 600 {path}`")
    return text


def write_secret(path: Path, text: str, what: str) -> None:
    """Write a secret into a new file that only its owner may read. Raises InputError, also when there is one already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise InputError(f"{path} exists, and a {what} is never overwritten; name a new file") from error
    except OSError as error:
        raise InputError(f"cannot write the {what} {path}: {error.strerror}; name a file in a folder of yours") from error


def apart(path: Path, folders: Sequence[Path], what: str) -> None:
    """Raises InputError when a secret lies in, or below, one of the folders of what it protects."""
    for folder in folders:
        if folder.resolve() in path.resolve().parents:
            raise InputError(
                f"the {what} {path} lies in {folder.resolve()}, with what it protects; keep it where no copy of that folder is"
            )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
