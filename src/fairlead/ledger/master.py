"""The master key: it wraps the keys of the accounts, and lies where neither the ledger nor those keys lie.

Three ways to have one, all with the same two verbs, `wrap` and `unwrap`:

    a file            that only its owner may read, outside the ledger's folder; its text is MASTER+KEY+ID+BASE64(32 bytes)
    the environment   FAIRLEAD_MASTER_KEY holds that text
    a program         `command:PROGRAM ARGUMENT…`, such as a few lines in front of a key management service

The program is run once for each question. It reads one JSON object from standard input and writes one to standard output; bytes
are in Base64, and `about` says whose key it is, so that the service can refuse or log it:

    {"do": "name"}                                        {"master": "VERSION"}
    {"do": "wrap", "about": "…", "key": "…"}              {"wrapped": "…"}
    {"do": "unwrap", "about": "…", "wrapped": "…"}        {"key": "…"}
"""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from fairlead.ledger.checkpoint import apart, secret, write_secret
from fairlead.records.errors import InputError, VaultError

KEY_BYTES = 32
_NONCE_BYTES = 12
_PROGRAM = "command:"
_PROGRAM_S = 30.0
VARIABLE = "FAIRLEAD_MASTER_KEY"


class Master(Protocol):
    """Wraps keys. `id` names this version of it."""

    id: str

    def wrap(self, key: bytes, about: str) -> bytes:
        """The key, to be opened by this master key and with the same `about` only. Raises VaultError."""
        ...

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """The key, 32 bytes. Raises VaultError when it is not what was wrapped."""
        ...


class Local:
    """A master key in our own memory: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, `about` as associated data.

    GCM and not the key wrap of RFC 3394, because that one cannot bind a key to its account.
    """

    def __init__(self, key: bytes) -> None:
        self._key = AESGCM(key)
        self._secret = key
        self.id = hashlib.sha256(b"fairlead master key\n" + key).hexdigest()[:16]

    @classmethod
    def new(cls) -> Local:
        """One that was just drawn."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Local:
        """From its written form. Raises InputError, without showing the text."""
        parts = text.strip().split("+", 3)
        try:
            key = base64.b64decode(parts[3], validate=True) if parts[:2] == ["MASTER", "KEY"] else b""
        except (IndexError, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise InputError("that is no master key; make one with `fairlead vault keygen PATH`")
        found = cls(key)
        if found.id != parts[2]:
            raise InputError(f"the master key does not fit its id {parts[2]}; copy it again")
        return found

    def written(self) -> str:
        """The secret in its written form."""
        return f"MASTER+KEY+{self.id}+{base64.b64encode(self._secret).decode()}"

    def wrap(self, key: bytes, about: str) -> bytes:
        """As in `Master`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, key, about.encode())

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """As in `Master`."""
        try:
            return self._key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError(f"the wrapped key of {about} was changed, or is another's; restore the key store") from error


class _Answer(Struct):
    master: str = ""
    wrapped: bytes = b""
    key: bytes = b""


class Program:
    """A master key that a program of the operator's keeps, or asks for."""

    def __init__(self, command: str) -> None:
        """Asks the program for the key's version. Raises InputError for no command, VaultError when it does not answer."""
        self._command = shlex.split(command)
        if not self._command:
            raise InputError("write a program after `command:`, such as command:/usr/local/bin/fairlead-kms")
        self.id = self._asked({"do": "name"}).master
        if not self.id:
            raise VaultError(f"{self._command[0]} does not name its master key; it must answer {{'master': VERSION}}")

    def wrap(self, key: bytes, about: str) -> bytes:
        """As in `Master`."""
        wrapped = self._asked({"do": "wrap", "about": about, "key": key}).wrapped
        if not wrapped or key in wrapped:
            raise VaultError(f"{self._command[0]} did not wrap the key of {about}; it must answer {{'wrapped': BASE64}}")
        return wrapped

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """As in `Master`."""
        key = self._asked({"do": "unwrap", "about": about, "wrapped": wrapped}).key
        if len(key) != KEY_BYTES:
            raise VaultError(f"{self._command[0]} did not unwrap the key of {about}; it must answer {{'key': BASE64}}")
        return key

    def _asked(self, question: dict[str, object]) -> _Answer:
        name = self._command[0]
        try:
            done = subprocess.run(  # noqa: S603  the operator's own program, named by the operator
                self._command, input=msgspec.json.encode(question), stdout=subprocess.PIPE, timeout=_PROGRAM_S, check=False
            )
            if done.returncode:
                raise VaultError(f"{name} ended with status {done.returncode}; what it said stands above")
            return msgspec.json.decode(done.stdout, type=_Answer)
        except OSError as error:
            raise VaultError(f"cannot run {name}: {error.strerror}; name a program that may be run") from error
        except subprocess.TimeoutExpired as error:
            raise VaultError(f"{name} did not answer within {_PROGRAM_S:g} s") from error
        except msgspec.MsgspecError as error:  # its words are not shown: they may hold a key
            raise VaultError(f"{name} did not answer with one JSON object as docs/vault.md says") from error


def open_master(named: str | None, environment: Mapping[str, str], protected: Sequence[Path]) -> Master | None:
    """The master key: what is `named` (a file or `command:…`), or else what the environment holds; None when there is none.

    Raises InputError when the file lies in one of the folders `protected`, or when others may read it.
    """
    if named is None:
        text = environment.get(VARIABLE)
        if text is None:
            return None
        return Program(text.removeprefix(_PROGRAM)) if text.startswith(_PROGRAM) else Local.parse(text)
    if named.startswith(_PROGRAM):
        return Program(named.removeprefix(_PROGRAM))
    apart(Path(named), protected, "master key")
    return Local.parse(secret(Path(named).resolve(), "master key"))


def write_new(path: Path) -> Local:
    """Write a new master key into a new file that only its owner may read. Raises InputError when there is one already."""
    made = Local.new()
    write_secret(path, made.written(), "master key")
    return made
