"""Every error that Fairlead raises on purpose.

    FairleadError
    ├── InputError          a file, flag or request that a person wrote is wrong
    │   └── PolicyError     … in a policy: file, line, and what would be right
    ├── LedgerError         the log cannot be read or written
    │   ├── LedgerLocked    another process is writing
    │   ├── LedgerCorrupt   an entry does not match its hash
    │   └── VaultError      content cannot be kept or read
    │       ├── ErasedError     … because its account was erased
    │       └── MasterKeyError  … because its key is under another master key
    ├── JudgeError          the judge could not assess: never the same as "allowed"
    └── UpstreamError       a model endpoint is down, slow or answered nonsense
        └── UpstreamTimeout … it did not answer in time

`cli.main` maps each to an exit code, in one place.
"""


class FairleadError(Exception):
    """Base of the tree. The message names what was wrong, what would be right, what to do next."""


class InputError(FairleadError):
    """Something a person wrote is wrong."""


class PolicyError(InputError):
    """A policy file is wrong. `file` and `line` (1-based) say where; `more` are further mistakes that were found with it."""

    def __init__(self, message: str, *, file: str = "<policy>", line: int = 0) -> None:
        self.file, self.line = file, line
        self.more: tuple[PolicyError, ...] = ()
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")


class LedgerError(FairleadError):
    """The log cannot be read or written."""


class LedgerLocked(LedgerError):
    """Another process holds the ledger open for writing."""


class LedgerCorrupt(LedgerError):
    """An entry does not match its recorded hash, or the log has a gap."""


class VaultError(LedgerError):
    """Content cannot be kept or read: its key is gone, under another master key, or out of reach."""


class ErasedError(VaultError):
    """The account was erased: nothing of it is kept or read any more."""


class MasterKeyError(VaultError):
    """The key is under another master key: one that was rotated away, or is to come."""


class JudgeError(FairleadError):
    """The judge could not assess a text."""


class UpstreamError(FairleadError):
    """A model endpoint failed; the outcome is an error, never a safe answer."""


class UpstreamTimeout(UpstreamError):
    """A model endpoint did not answer in time."""
