"""Keys of accounts: one each, opened by the master key in force only, and gone from every file when they are destroyed."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from killing import at_random, before_each_statement
from remains import files_of, found_in, wrapped_keys

from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Ledger
from fairlead.ledger.master import Local
from fairlead.ledger.place import is_server, open_store
from fairlead.records.errors import InputError, LedgerLocked, VaultError

MASTER = Local(bytes(range(32)))
OTHER = Local(bytes(range(1, 33)))


def server(request: pytest.FixtureRequest, keys: str) -> object:
    return request.getfixturevalue("postgres") if is_server(keys) else None


def filled(keys: str, accounts: int, days: int = 2) -> Keyring:
    keyring = Keyring(keys, MASTER)
    for n in range(accounts):
        for day in range(-1, days - 1):
            keyring.key(f"acct_{n}", day, make=True)
    return keyring


def test_a_key_is_made_once_and_comes_back_after_opening_again(keys: str) -> None:
    keyring = Keyring(keys, MASTER)
    key = keyring.key("ann", 3, make=True)
    assert len(key) == 32
    assert keyring.key("ann", 3) == key
    assert keyring.holds("ann", 3)
    assert not keyring.holds("ann", 4)
    with pytest.raises(VaultError, match="is gone"):
        keyring.key("ann", 4)
    keyring.close()
    again = Keyring(keys, MASTER)
    assert again.key("ann", 3, make=True) == key
    again.close()


def test_no_two_accounts_and_no_two_days_share_a_key(keys: str) -> None:
    keyring = filled(keys, 20, 3)
    made = {keyring.key(f"acct_{n}", day) for n in range(20) for day in (-1, 0, 1)}
    assert len(made) == 60
    keyring.close()


def test_a_key_that_was_put_in_anothers_place_does_not_open(keys: str) -> None:
    filled(keys, 2).close()
    stored = wrapped_keys(keys)
    store = open_store(keys)
    with store.transaction() as db:
        db.do("UPDATE keys SET wrapped = ? WHERE account = ? AND day = ?", stored["acct_1", 0], "acct_0", 0)
    store.close()
    keyring = Keyring(keys, MASTER)
    with pytest.raises(VaultError, match="another's"):
        keyring.key("acct_0", 0)
    assert keyring.key("acct_1", 0)
    keyring.close()


def test_another_master_key_is_told_at_once_and_nothing_is_lost(keys: str) -> None:
    keyring = filled(keys, 1)
    key = keyring.key("acct_0")
    keyring.close()
    before = wrapped_keys(keys)
    with pytest.raises(InputError, match=f"under the master key {MASTER.id}, not {OTHER.id}"):
        Keyring(keys, OTHER)
    assert wrapped_keys(keys) == before
    again = Keyring(keys, MASTER)
    assert again.key("acct_0") == key
    again.close()


def test_without_a_master_key_keys_are_neither_made_nor_opened_but_destroyed(keys: str) -> None:
    filled(keys, 1).close()
    keyring = Keyring(keys)
    for account in ("acct_0", "new"):
        with pytest.raises(VaultError, match="no master key"):
            keyring.key(account, make=True)
    assert keyring.erase(["acct_0"], "dpo") == {"acct_0": 2}
    keyring.close()
    assert wrapped_keys(keys) == {}


def test_two_threads_that_need_a_key_get_the_same(keys: str) -> None:
    one, two = Keyring(keys, MASTER), Keyring(keys, MASTER)
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda k: got.append(k.key("ann", 1, make=True)), args=(k,)) for k in (one, two) * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 16
    assert len(set(got)) == 1
    one.close()
    two.close()


def test_destroyed_keys_are_in_no_file(keys: str, request: pytest.FixtureRequest) -> None:
    keyring = filled(keys, 90)
    with keyring._store.transaction() as db:
        db.do("ANALYZE")  # a server does so by itself, sooner or later, and keeps samples of what it saw
    stored = wrapped_keys(keys)
    gone = {key: wrapped for key, wrapped in stored.items() if int(key[0].removeprefix("acct_")) % 3}
    assert found_in(files_of(keys, server(request, keys)), stored.values()) == set(stored.values()), "positive control"
    assert keyring.erase({account for account, _ in gone}, "dpo") == {account: 2 for account, _ in gone}
    files = files_of(keys, server(request, keys))
    assert found_in(files, gone.values()) == set()
    pieces = {wrapped[at : at + 15] for wrapped in gone.values() for at in range(0, 60, 15)}
    assert found_in(files, pieces) == set()
    left = {key: wrapped for key, wrapped in stored.items() if key not in gone}
    assert wrapped_keys(keys) == left
    assert found_in(files, left.values()) == set(left.values())
    assert keyring.key("acct_0")
    keyring.close()


def test_a_servers_own_log_keeps_wrapped_keys_for_a_while(postgres: object) -> None:
    """What docs/vault.md warns of: positive control for the choice of the default."""
    keys = postgres.create_database("keys_wal")  # type: ignore[attr-defined]
    keyring = filled(keys, 5)
    stored = set(wrapped_keys(keys).values())
    keyring.erase([f"acct_{n}" for n in range(5)], "dpo")
    keyring.close()
    wal = postgres._folder / "data" / "pg_wal"  # type: ignore[attr-defined]
    assert found_in([path for path in wal.iterdir() if path.is_file()], stored)


def test_an_erased_account_gets_no_new_key_whatever_a_process_remembers(keys: str) -> None:
    here, there = filled(keys, 1), Keyring(keys, MASTER)
    there.key("acct_0", 0)
    here.erase(["acct_0"], "dpo")
    for keyring in (here, there):
        assert not keyring.holds("acct_0", 0)
        with pytest.raises(VaultError, match="is gone"):
            keyring.key("acct_0", 0)
        with pytest.raises(VaultError, match="was erased"):
            keyring.key("acct_0", 0, make=True)
        assert keyring.erased() == {"acct_0": "dpo"}
        keyring.close()


def test_keys_of_old_days_are_destroyed_and_the_accounts_own_stay(keys: str, request: pytest.FixtureRequest) -> None:
    keyring = filled(keys, 3, 6)
    own = keyring.key("acct_1")
    stored = wrapped_keys(keys)
    assert keyring.expire(3) == 9
    assert keyring.expire(3) == 0
    left = wrapped_keys(keys)
    assert {day for _, day in left} == {-1, 3, 4}
    gone = [wrapped for key, wrapped in stored.items() if key not in left]
    assert found_in(files_of(keys, server(request, keys)), gone) == set()
    assert keyring.key("acct_1") == own
    keyring.close()


def test_rotation_wraps_all_keys_anew_and_leaves_nothing_for_the_old_master_key(
    keys: str, request: pytest.FixtureRequest
) -> None:
    keyring = filled(keys, 130)
    known = {(n, day): keyring.key(f"acct_{n}", day) for n in range(130) for day in (-1, 0)}
    before = wrapped_keys(keys)
    plain = Keyring(keys)
    assert plain.rotate(MASTER, OTHER) == 260
    assert plain.rotate(MASTER, OTHER) == 0
    plain.close()
    after = wrapped_keys(keys)
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    some = [before[f"acct_{n}", -1] for n in range(0, 130, 5)]
    assert found_in(files_of(keys, server(request, keys)), some) == set()
    with pytest.raises(VaultError, match="was rotated"):
        keyring.key("new", 0, make=True)
    with pytest.raises(VaultError, match=f"under the master key {OTHER.id}"):
        keyring.key("acct_0", 0)
    keyring.close()
    with pytest.raises(InputError, match=f"under the master key {OTHER.id}"):
        Keyring(keys, MASTER)
    again = Keyring(keys, OTHER)
    assert {(n, day): again.key(f"acct_{n}", day) for n in range(130) for day in (-1, 0)} == known
    again.close()


class Slow:
    """A master key that lets something happen while it wraps."""

    def __init__(self, master: Local, meanwhile: Callable[[], object]) -> None:
        self.id, self._master, self._meanwhile = master.id, master, meanwhile

    def wrap(self, key: bytes, about: str) -> bytes:
        self._meanwhile()
        return self._master.wrap(key, about)

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        return self._master.unwrap(wrapped, about)


def test_a_rotation_does_not_bring_back_what_was_destroyed_meanwhile(keys: str) -> None:
    with closing(filled(keys, 3)) as keyring:
        slow = Slow(OTHER, lambda: keyring.erase(["acct_1"], "dpo"))
        with closing(Keyring(keys)) as plain:
            plain.rotate(MASTER, slow)
    assert {account for account, _ in wrapped_keys(keys)} == {"acct_0", "acct_2"}


class Dies:
    """A master key that fails after so many wrappings."""

    def __init__(self, master: Local, after: int) -> None:
        self.id, self._master, self._left = master.id, master, after

    def wrap(self, key: bytes, about: str) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise VaultError("the service is down")
        return self._master.wrap(key, about)

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        return self._master.unwrap(wrapped, about)


def test_a_rotation_that_stopped_half_way_says_so_and_goes_on(keys: str) -> None:
    filled(keys, 130).close()
    keyring = Keyring(keys)
    with pytest.raises(VaultError, match="service is down"):
        keyring.rotate(MASTER, Dies(OTHER, 150))
    halfway = Keyring(keys, OTHER)
    with pytest.raises(VaultError, match="run `fairlead vault rotate` again"):
        halfway.key("acct_99")
    assert halfway.key("acct_0"), "what was done holds"
    halfway.close()
    third = Local.new()
    with pytest.raises(InputError, match="give that one"):
        keyring.rotate(third, Local.new())
    with pytest.raises(VaultError, match=f"under the master key {MASTER.id}"):
        keyring.rotate(third, OTHER)
    assert keyring.rotate(MASTER, OTHER) == 160
    keyring.close()


def test_a_key_store_is_its_owners_alone_and_no_ledger(tmp_path: Path) -> None:
    keys, ledger = tmp_path / "deep" / "keys.db", tmp_path / "ledger.db"
    keyring = filled(str(keys), 1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.parent.iterdir()}
    assert set(modes) >= {"keys.db", "keys.db-wal"}
    assert set(modes.values()) == {0o600}
    keyring.close()
    Ledger(ledger, producer="p").close()
    with pytest.raises(InputError, match="is a ledger"):
        Keyring(ledger)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write a key store"):
        Keyring(tmp_path / "file" / "keys.db")
    assert beside(ledger) == str(tmp_path / "ledger-keys.db")
    assert beside("postgresql://ann:secret@host/house") == "house-keys.db"


def test_who_reads_for_too_long_delays_an_erasure_which_the_next_opening_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = str(tmp_path / "keys.db")
    keyring = filled(keys, 1)
    stored = set(wrapped_keys(keys).values())
    reading = open_store(keys, read_only=True)
    rows = reading.stream("SELECT * FROM keys")
    next(rows)
    monkeypatch.setattr("fairlead.ledger.sqlite._PATIENCE_S", 0.2)
    with pytest.raises(LedgerLocked, match="another process"):
        keyring.erase(["acct_0"], "dpo")
    assert found_in(files_of(keys), stored) == stored, "positive control: they are in the file or its write-ahead log"
    rows.close()  # type: ignore[attr-defined]
    reading.close()
    keyring.close()
    Keyring(keys).close()
    assert found_in(files_of(keys), stored) == set()


def test_killed_before_any_statement_a_rotation_is_finished_by_the_next(tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.db")
    keyring = filled(keys, 3)
    known = [keyring.key(f"acct_{n}") for n in range(3)]
    keyring.close()
    masters = [MASTER]

    def rotate() -> None:
        Keyring(keys).rotate(masters[-1], OTHER if masters[-1] is MASTER else MASTER)

    states = set()
    for _ in before_each_statement(rotate):
        new = OTHER if masters[-1] is MASTER else MASTER
        with closing(Keyring(keys)) as plain:
            states.add(plain.rotate(masters[-1], new))
        with closing(Keyring(keys, new)) as again:
            assert [again.key(f"acct_{n}") for n in range(3)] == known
        masters.append(new)
    assert states == {0, 6}, "no kill came before the keys were wrapped anew, or none after it"


def test_killed_before_any_statement_an_erasure_leaves_the_keys_or_nothing(tmp_path: Path) -> None:
    keys = str(tmp_path / "keys.db")
    filled(keys, 1).close()
    number = [0]

    def erase() -> None:
        Keyring(keys).erase([f"acct_{number[0]}"], "dpo")

    outcomes: list[bool] = []
    made = set(wrapped_keys(keys).values())
    for _ in before_each_statement(erase):
        with closing(Keyring(keys, MASTER)) as keyring:
            outcomes.append(f"acct_{number[0]}" in keyring.erased())
            assert found_in(files_of(keys), made) == (set() if outcomes[-1] else made)
            keyring.erase([f"acct_{number[0]}"], "dpo")
            number[0] += 1
            keyring.key(f"acct_{number[0]}", make=True)
        made = set(wrapped_keys(keys).values())
    assert set(outcomes) == {True, False}
    assert outcomes == sorted(outcomes), "once the keys are destroyed they stay so"


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_rotations_and_erasures_lose_nothing_and_leave_nothing(tmp_path: Path, seed: int) -> None:
    keys = str(tmp_path / "keys.db")
    keyring = filled(keys, 60)
    known = {n: keyring.key(f"acct_{n}") for n in range(60)}
    stored = wrapped_keys(keys)
    keyring.close()
    masters = [MASTER] + [Local.new() for _ in range(12)]

    def work(n: int) -> None:
        with closing(Keyring(keys)) as keyring:
            keyring.rotate(masters[n], masters[n + 1])
            keyring.erase([f"acct_{n}"], "dpo")

    for n in at_random(work, 11, seed):
        work(n)
        with closing(Keyring(keys, masters[n + 1])) as again:
            assert {m: again.key(f"acct_{m}") for m in range(n + 1, 60)} == {m: known[m] for m in range(n + 1, 60)}
            assert set(again.erased()) == {f"acct_{m}" for m in range(n + 1)}
        assert found_in(files_of(keys), stored.values()) == set()
