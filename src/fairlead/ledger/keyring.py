"""The keys of the accounts, each wrapped by a master key, in a store of their own: never in the ledger's.

An account has a key of its own, from which keys for other ends are derived, and one for the content of each day on which some
was kept. So a backup of the ledger can be kept for years: what expired and what was erased is unreadable in it, once the key is
gone here and from the backups of this store.

    keys     account, day since the epoch (-1: the account's own), id of the master key, wrapped key
    erased   accounts whose keys were destroyed, and who asked for it; never removed, so that no new key is made
    keyring  one row: the ledger that it belongs to, the master key in force, and how often something was deleted from `keys`
             that was not yet overwritten
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from fairlead.ledger.master import KEY_BYTES, Master
from fairlead.ledger.place import is_server, open_store
from fairlead.ledger.sqlite import NoDatabase, make_private
from fairlead.ledger.store import Connection
from fairlead.records.canonical import canonical
from fairlead.records.errors import ErasedError, InputError, LedgerCorrupt, MasterKeyError, VaultError

# BYTEA and DOUBLE PRECISION are PostgreSQL's words, which SQLite takes as well.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS keys (account TEXT NOT NULL, day BIGINT NOT NULL, master TEXT NOT NULL, wrapped BYTEA NOT NULL,"
    " PRIMARY KEY (account, day))",
    "CREATE TABLE IF NOT EXISTS erased (account TEXT NOT NULL PRIMARY KEY, asked TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keyring (ledger TEXT NOT NULL, master TEXT NOT NULL, unclean BIGINT NOT NULL)",
)
_STATE = "SELECT ledger, master, unclean FROM keyring"
_KEY = "SELECT master, wrapped FROM keys WHERE account = ? AND day = ?"
_INSERT = "INSERT INTO keys (account, day, master, wrapped) VALUES (?, ?, ?, ?)"
_UNDER_ANOTHER = "SELECT account, day, master, wrapped FROM keys WHERE master <> ? ORDER BY account, day LIMIT 100"
_REWRAP = "UPDATE keys SET master = ?, wrapped = ? WHERE account = ? AND day = ? AND wrapped = ?"
_ERASE = "INSERT INTO erased (account, asked) VALUES (?, ?) ON CONFLICT (account) DO NOTHING"
_UNCLEAN = "UPDATE keyring SET unclean = unclean + 1"
# A server keeps samples of what stands in a column, for its plans: wrapped keys that no deletion reaches.
_NO_SAMPLES = "ALTER TABLE keys ALTER COLUMN wrapped SET STATISTICS 0"
_OWN = -1
_EPOCH = date(1970, 1, 1).toordinal()
_MOST_KNOWN = 4_096


def beside(ledger: str | Path) -> str:
    """Where the keys of a ledger lie by default: a file beside it; in this folder for a server's database."""
    if is_server(ledger):
        return f"{urlsplit(str(ledger)).path.strip('/') or 'ledger'}-keys.db"
    path = Path(ledger)
    return str(path.with_name(f"{path.stem}-keys{path.suffix}"))


class Keyring:
    """An open key store. Without a master key it can destroy keys, and neither make nor open any. Threads may share it."""

    def __init__(self, place: str | Path, master: Master | None = None) -> None:
        """Make the store when there is none. Raises LedgerError, and InputError when the keys are under another master key."""
        self.master = master
        if not is_server(place):
            _private(Path(place))
        with _said_of_keys(place):
            self._store = open_store(place)
        self.place = self._store.place
        self._known: dict[bytes, bytes] = {}
        try:
            if self._store.version() is not None:
                raise InputError(f"{self.place} is a ledger; its keys need a store of their own: name it with --keys")
            with _said_of_keys(place), self._store.transaction() as db:
                for table in _TABLES:
                    db.do(table)
                if db.one(_STATE) is None:
                    db.do("INSERT INTO keyring VALUES ('', '', 0)")
                    if is_server(place):
                        db.do(_NO_SAMPLES)
                if master is not None:
                    self._admit(db, master)
            self._overwrite()
        except BaseException:
            self._store.close()
            raise

    def belong(self, ledger: str, *, holds: bool) -> None:
        """Belong to the ledger of that identity from now on; `holds` says whether it holds contents.

        Raises InputError when this is the key store of another ledger, or a new one and the keys must lie elsewhere.
        """
        with self._store.transaction() as db:
            mine = _state(db)[0]
            if mine and mine != ledger:
                raise InputError(f"the keys in {self.place} are those of another ledger; name the right ones with --keys")
            if not mine and holds:
                raise InputError(
                    f"the ledger holds contents whose keys are not in {self.place}; name the right keys with --keys, restore"
                    " them from a backup, or give them up for lost with `fairlead vault forget-keys`"
                )
            if not mine and ledger:
                db.do("UPDATE keyring SET ledger = ?", ledger)

    @property
    def belongs(self) -> bool:
        """Whether it is the key store of a ledger already."""
        with self._store.reading() as db:
            return bool(_state(db)[0])

    def key(self, account: str, day: int = _OWN, *, make: bool = False) -> bytes:
        """The account's key of that day, 32 bytes; a new one when there is none and `make` holds.

        Raises VaultError when there is none, ErasedError when the account was erased, MasterKeyError when it is under another.
        """
        if self.master is None:
            raise VaultError("no master key was given; name it with --master-key")
        with self._store.reading() as db:
            row = db.one(_KEY, account, day)
        if row is None and make:
            row = self._made(account, day, self.master)
        if row is None:
            gone = f"the key of {_named(account, day)} is gone"
            if account in self.erased():
                raise ErasedError(f"{gone}: the account was erased")
            raise VaultError(f"{gone}: its time was over, the key store was given up (`forget-keys`), or it was never here")
        return self._opened(account, day, row[0], bytes(row[1]), self.master)

    def holds(self, account: str, day: int) -> bool:
        """Whether there is a key now, whatever this process remembers, in the store that is there now.

        Raises LedgerError when the store's file was removed or replaced.
        """
        with self._store.transaction() as db:
            return db.one(_KEY, account, day) is not None

    def erased(self) -> dict[str, str]:
        """The accounts whose keys were destroyed, each with who asked for it."""
        with self._store.reading() as db:
            return dict(db.all("SELECT account, asked FROM erased ORDER BY account"))

    def erase(self, accounts: Iterable[str], by: str) -> dict[str, int]:
        """Destroy all keys of the accounts, so that no file of the store holds them. Says how many each had.

        The destruction and its mark are one commit; a store that was killed before the rest was overwritten does so on opening.
        """
        destroyed = {}
        with self._store.transaction() as db:
            for account in accounts:
                destroyed[account] = len(db.all("DELETE FROM keys WHERE account = ? RETURNING day", account))
                db.do(_ERASE, account, by)
            db.do(_UNCLEAN)
        self._known = {}
        self._overwrite()
        return destroyed

    def expire(self, day: int) -> int:
        """Destroy the keys of all days before `day`, but not the accounts' own. Says how many there were."""
        with self._store.transaction() as db:
            destroyed = len(db.all("DELETE FROM keys WHERE day > ? AND day < ? RETURNING day", _OWN, day))
            if destroyed:
                db.do(_UNCLEAN)
        self._known = {}
        self._overwrite()
        return destroyed

    def rotate(self, old: Master, new: Master) -> int:
        """Wrap every key anew under `new`, which is in force from the first moment on. Says how many were under another.

        May be killed and asked again. The keys themselves stay as they are. Raises InputError when `old` is not in force,
        VaultError when it does not open a key.
        """
        with self._store.transaction() as db:
            in_force = _state(db)[1]
            if in_force not in ("", old.id, new.id):
                raise self._under(in_force, old)
            db.do("UPDATE keyring SET master = ?", new.id)
            db.do(_UNCLEAN)
        wrapped = 0
        while rows := self._under_another(new):
            opened = [(a, d, bytes(w), self._opened(a, d, master, bytes(w), old)) for a, d, master, w in rows]
            anew = [(new.id, new.wrap(key, _about(a, d)), a, d, w) for a, d, w, key in opened]
            with self._store.transaction() as db:
                db.many(_REWRAP, anew)  # a key that was destroyed meanwhile stays so: its row is not there
            wrapped += len(anew)
        self._known = {}
        self._overwrite()  # who has the old master key shall find nothing that it opens
        return wrapped

    def close(self) -> None:
        """Let go of the store."""
        self._known = {}
        self._store.close()

    def _admit(self, db: Connection, master: Master) -> None:
        """Take the master key in force; the first one is. No key is ever made under another."""
        in_force = _state(db)[1]
        if in_force == master.id:
            return
        if db.one("SELECT 1 FROM keys LIMIT 1") is not None:
            raise self._under(in_force, master)
        db.do("UPDATE keyring SET master = ?", master.id)

    def _under(self, in_force: str, master: Master) -> InputError:
        return InputError(f"the keys in {self.place} are under the master key {in_force}, not {master.id}; give that one")

    def _made(self, account: str, day: int, master: Master) -> tuple[str, bytes]:
        fresh = os.urandom(KEY_BYTES)
        wrapped = master.wrap(fresh, _about(account, day))  # outside the transaction: a program may take its time
        with self._store.transaction() as db:
            if db.one("SELECT 1 FROM erased WHERE account = ?", account) is not None:
                raise ErasedError(f"account {account} was erased: nothing of it is kept any more")
            if _state(db)[1] != master.id:
                raise MasterKeyError("the master key was rotated; start again with the new one")
            found = db.one(_KEY, account, day)
            if found is not None:  # another process was quicker
                return found[0], bytes(found[1])
            db.do(_INSERT, account, day, master.id, wrapped)
        return master.id, wrapped

    def _opened(self, account: str, day: int, under: str, wrapped: bytes, master: Master) -> bytes:
        if under != master.id:
            raise MasterKeyError(
                f"the key of {_named(account, day)} is under the master key {under}, not {master.id}; if a rotation was not"
                " finished, run `fairlead vault rotate` again"
            )
        known = self._known.get(wrapped)
        if known is None:
            known = master.unwrap(wrapped, _about(account, day))
            if len(self._known) >= _MOST_KNOWN:
                self._known = {}
            self._known[wrapped] = known
        return known

    def _under_another(self, master: Master) -> list[tuple[str, int, str, bytes]]:
        with self._store.reading() as db:
            return [(a, d, m, w) for a, d, m, w in db.all(_UNDER_ANOTHER, master.id)]

    def _overwrite(self) -> None:
        """Finish what a destruction began: overwrite what was deleted, and note it unless more was deleted meanwhile."""
        with self._store.reading() as db:
            times = _state(db)[2]
        if times:
            self._store.scrub("keys", rewrite=True)
            with self._store.transaction() as db:
                db.do("UPDATE keyring SET unclean = 0 WHERE unclean = ?", times)


def _state(db: Connection) -> tuple[str, str, int]:
    row = db.one(_STATE)
    if row is None:
        raise VaultError("the key store has no description; restore it from a backup")
    return row[0], row[1], row[2]


def _about(account: str, day: int) -> str:
    """Whose key it is, and of which day: what its wrapping is bound to."""
    return canonical([account, day]).decode()


def _named(account: str, day: int) -> str:
    """As a person reads it."""
    return f"account {account}" if day == _OWN else f"account {account} of {date.fromordinal(_EPOCH + day)}"


@contextmanager
def _said_of_keys(place: str | Path) -> Iterator[None]:
    """What a store says of a ledger that cannot be read is meant of the keys."""
    try:
        yield
    except (LedgerCorrupt, NoDatabase) as error:
        raise InputError(
            f"{place} cannot be read as a key store: {error.__cause__}; restore it from a backup, or name another with --keys"
        ) from error


def _private(path: Path) -> None:
    """As the store does, but the message names the option."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_private(path)
    except OSError as error:
        raise InputError(f"cannot write a key store at {path}: {error.strerror}; name another place with --keys") from error
