"""The vault: what users wrote, and what was written about it, encrypted; and its end, by destroying keys.

Invariants. Text is on disk only as AES-256-GCM ciphertext (NIST SP 800-38D, random 96-bit nonces) under a key of its account,
and never without a master key. Nobody gets a text before the log says, on disk, who read it and why. An account that the log
calls erased has no key, whatever was restored: opening the vault compares both and finishes what is missing, before any read.

Erasing destroys the keys first and appends `AccountErased` then. The other way round, a crash between the two would leave a log
that says erased beside a key that opens; so it leaves a key store that says erased (in the commit that destroyed the keys) and
a log that does not know yet, which the next opening tells it.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from fairlead.ledger.fold import State
from fairlead.ledger.keyring import Keyring
from fairlead.ledger.log import Ledger
from fairlead.ledger.projection import Pending
from fairlead.ledger.rows import Account, Dataset, Erased, Key, Model, Rows
from fairlead.ledger.store import Connection
from fairlead.records.canonical import canonical
from fairlead.records.entry import AccountErased, ContentExpired, ContentRead, KeysForgotten, Payload
from fairlead.records.errors import ErasedError, InputError, VaultError

_DAY_S = 86_400
_NONCE_BYTES = 12
_EQUALITY = b"fairlead equality of texts"
_MOST_TOGETHER = 10_000  # contents that are removed in one commit
_INSERT = "INSERT INTO contents (id, account, day, rules, stored, sealed) VALUES (?, ?, ?, ?, ?, ?)"
_READ = "SELECT account, day, sealed FROM contents WHERE id = ?"
_EXPIRE = "DELETE FROM contents WHERE id IN (SELECT id FROM contents WHERE rules = ? AND stored <= ? LIMIT ?) RETURNING id"


class Erasure(Struct, frozen=True):
    """What erasing an account destroyed, and what was built from it: digests of datasets and models to build anew."""

    account: str
    keys: int
    contents: int
    datasets: tuple[str, ...]
    models: tuple[str, ...]


class Vault:
    """The contents of one ledger. Threads may share it. It closes neither the ledger nor the keys."""

    def __init__(self, ledger: Ledger, keyring: Keyring, *, clock: Callable[[], float] = time.time) -> None:
        """Finish every erasure that the log or the key store knows of.

        Raises InputError when the keys are those of another ledger, LedgerError when an erasure cannot be finished.
        """
        self._ledger, self._keyring, self._clock = ledger, keyring, clock
        with ledger.store.reading() as db:
            first = db.one("SELECT leaf FROM entries WHERE seq = 0")
        keyring.belong(bytes(first[0]).hex() if first else "", holds=holds_contents(ledger))
        logged, destroyed = {account for account, _ in ledger.state.rows.each(Erased)}, keyring.erased()
        missing, unlogged = sorted(logged - destroyed.keys()), sorted(destroyed.keys() - logged)
        # What opening finished, by account, until an erasure is asked that tells of it.
        self._keys = keyring.erase(missing, "restored") if missing else {}
        self._contents = {account: self._record(account, destroyed[account])[0] for account in unlogged}

    def put(self, account: str, text: str, rules: Sequence[str] = ()) -> str:
        """Keep a text of the account, because of these rules (none: only for re-judging). The reference, once it is on disk.

        Without a master key nothing is kept, and the reference is empty. Raises ErasedError when the account was erased.
        """
        if self._keyring.master is None:
            return ""
        if not account:
            raise InputError("a text is kept for an account; name it by its pseudonym")
        stored, ref = self._clock(), f"content_{secrets.token_hex(16)}"
        day = int(stored // _DAY_S)
        sealed = _sealed(self._keyring.key(account, day, make=True), text, _bound(account, ref, day))
        kept_for = canonical(sorted(set(rules))).decode()
        with self._ledger.store.transaction() as db:
            # Asked in the writer's place: an erasure removes contents after it destroyed the keys, so none comes too late.
            if not self._keyring.holds(account, day):
                raise ErasedError(f"the key of account {account} was destroyed: nothing of it is kept any more")
            db.do(_INSERT, ref, account, day, kept_for, stored, sealed)
        return ref

    def read(self, ref: str, *, by: str, purpose: str) -> str:
        """The text, once the log says on disk who reads it and why.

        Raises InputError without a reader, a purpose or such a content, VaultError when its key is gone or it was changed.
        """
        if not by.strip() or not purpose.strip():
            raise InputError("who reads what users wrote says who they are and why: name both, as --by NAME --purpose WHY")
        with self._ledger.store.reading() as db:
            row = db.one(_READ, ref)
        if row is None:
            raise InputError(f"there is no content {ref!r}: its time was over, its account was erased, or it never was")
        account, day = row[0], row[1]
        text = _opened(self._keyring.key(account, day), bytes(row[2]), _bound(account, ref, day), ref)

        def noted(state: State, now: float, seq: int) -> tuple[Payload, ...]:
            if state.erased(account):
                raise ErasedError(f"account {account} was erased: nothing of it may be read any more")
            return (ContentRead(ref, account, by, purpose),)

        self._ledger.compose(noted)
        return text

    def fingerprint(self, account: str, text: str) -> str:
        """HMAC-SHA-256 (RFC 2104) of a text under a key derived from the account's (HKDF, RFC 5869), in hexadecimal.

        Equal for equal texts of one account until it is erased; without the key it says nothing of the text.
        """
        own = self._keyring.key(account, make=True)
        return hmac.digest(HKDF(SHA256(), 32, None, _EQUALITY).derive(own), text.encode(), "sha256").hex()

    def knows(self, account: str) -> bool:
        """Whether there is anything of the account: an API key, a history, content, or that it was erased."""
        state = self._ledger.state
        with self._ledger.store.reading() as db:
            if db.one("SELECT 1 FROM contents WHERE account = ? LIMIT 1", account) is not None:
                return True
        known = state.erased(account) or state.account(account) != Account()
        return known or any(key.account == account for _, key in state.rows.each(Key))

    def erase(self, accounts: Iterable[str], by: str) -> list[Erasure]:
        """Destroy the keys of the accounts, remove their contents, and say so in the log. Again, it changes nothing.

        What was destroyed when the vault was opened, to finish an erasure, is counted with it.
        Raises InputError when nobody is named, LedgerLocked when a reader keeps old pages in use: to be asked again then.
        """
        named = list(dict.fromkeys(accounts))
        if not by.strip() or not all(named):
            raise InputError("name the accounts by their pseudonyms, and who asks for it with --by")
        keys = self._keyring.erase(named, by)
        erasures = []
        for account in named:
            contents, erased = self._record(account, by)
            destroyed, removed = keys[account] + self._keys.pop(account, 0), contents + self._contents.pop(account, 0)
            erasures.append(Erasure(account, destroyed, removed, erased.datasets, erased.models))
        self._ledger.store.scrub("contents", rewrite=False)
        return erasures

    def expire(self, retain_days: Mapping[str, int]) -> int:
        """Remove the contents that are older than the shortest `retain_days` of the rules for which they were kept; how many.

        For a rule that is not named, and for no rule, the shortest of all holds. The keys of days that lie back longer than the
        longest are destroyed. May be killed and asked again. Raises InputError when no rule is named.
        """
        if not retain_days:
            raise InputError("no rule says how long content is kept; name a policy with rules")
        removed = 0
        while now := self._remove(retain_days):
            removed += now
        self._keyring.expire(int(self._clock() // _DAY_S) - max(retain_days.values()))
        self._ledger.store.scrub("contents", rewrite=False)
        return removed

    def _remove(self, retain_days: Mapping[str, int]) -> int:
        now, shortest = self._clock(), min(retain_days.values())
        removed = 0

        def compose(state: State, *_: object) -> tuple[Payload, ...]:
            nonlocal removed
            db, removed = _beside(state), 0
            for (rules,) in db.all("SELECT DISTINCT rules FROM contents"):
                days = min((retain_days.get(rule, shortest) for rule in msgspec.json.decode(rules)), default=shortest)
                removed += len(db.all(_EXPIRE, rules, now - days * _DAY_S, _MOST_TOGETHER - removed))
            return (ContentExpired(removed),) if removed else ()

        self._ledger.compose(compose)
        return removed

    def _record(self, account: str, by: str) -> tuple[int, AccountErased]:
        """Remove the contents of an account whose keys are gone, and append that it was erased unless the log says so."""
        erased = AccountErased(account, by)
        removed = 0

        def compose(state: State, *_: object) -> tuple[Payload, ...]:
            nonlocal erased, removed
            removed = len(_beside(state).all("DELETE FROM contents WHERE account = ? RETURNING id", account))
            erased = AccountErased(account, by, *dependents(state.rows, account))
            return () if state.erased(account) else (erased,)

        self._ledger.compose(compose)
        return removed, erased


def holds_contents(ledger: Ledger) -> bool:
    """Whether anything is kept beside the log."""
    with ledger.store.reading() as db:
        return db.one("SELECT 1 FROM contents LIMIT 1") is not None


def forget_keys(ledger: Ledger, keyring: Keyring, by: str) -> int:
    """Take a new key store in the place of one that is lost for good. How many contents stay unreadable for ever.

    Raises InputError when nothing is kept, or when the key store is a ledger's already: then nothing is lost.
    """
    with ledger.store.reading() as db:
        (held,) = db.one("SELECT COUNT(*) FROM contents") or (0,)
        first = db.one("SELECT leaf FROM entries WHERE seq = 0")
    if not held or keyring.belongs:
        why = f"{keyring.place} is the key store of a ledger" if held else "the ledger holds no contents"
        raise InputError(f"{why}, so there is nothing to give up; name a new key store with --keys")
    ledger.append(KeysForgotten(by, held))  # first, so that no key store is taken without an entry that says so
    keyring.belong(bytes(first[0]).hex() if first else "", holds=False)
    return int(held)


def dependents(rows: Rows, account: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The digests of the datasets that hold something of the account, and of the models made from them or from such models."""
    datasets = {digest for digest, dataset in rows.each(Dataset) if account in dataset.accounts}
    models = dict(rows.each(Model))
    found = {digest for digest, model in models.items() if model.data in datasets}
    reached: set[str] = set()
    while reached != found:
        reached = found
        parents = (reached | {models[digest].name for digest in reached}) - {""}
        found = reached | {digest for digest, model in models.items() if model.parent in parents}
    return tuple(sorted(datasets)), tuple(sorted(found))


def _beside(state: State) -> Connection:
    """The database in which the entries are being written: what is done there is one commit with them."""
    assert isinstance(state.rows, Pending)
    return state.rows.db


def _bound(account: str, ref: str, day: int) -> bytes:
    """What a ciphertext is bound to: it opens for no other account, under no other name, and as of no other key."""
    return canonical(["fairlead content", account, ref, day])


def _sealed(key: bytes, text: str, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), bound)


def _opened(key: bytes, sealed: bytes, bound: bytes, ref: str) -> str:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound).decode()
    except (InvalidTag, ValueError) as error:
        raise VaultError(f"content {ref} was changed in the store: it does not fit its key; restore a copy") from error
