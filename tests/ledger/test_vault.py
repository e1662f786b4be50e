"""What users wrote is unreadable without its key, read only with a purpose that the log knows, and gone when it is erased."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killing import at_random, before_each_statement
from remains import files_of, found_in, wrapped_keys
from tampering import looked_up, tamper

from fairlead.ledger.fold import fold
from fairlead.ledger.keyring import Keyring
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.master import Local
from fairlead.ledger.projection import differences
from fairlead.ledger.rows import Dataset, Model
from fairlead.ledger.vault import Vault, dependents
from fairlead.ledger.verify import verify
from fairlead.records.entry import (
    AccountErased,
    ContentExpired,
    ContentRead,
    DatasetBuilt,
    Entry,
    KeyIssued,
    ModelMade,
    Payload,
    StageEnded,
)
from fairlead.records.errors import InputError, LedgerError, VaultError

MASTER = Local(bytes(range(32)))
DAY = 86_400.0
TEXT = "the canary sings at noon"


@contextmanager
def opened(place: str, keys: str | Path, master: Local | None = MASTER, now: list[float] | None = None) -> Iterator[Vault]:
    """A vault over a log with one entry; `now` holds the time, in days."""
    clock = (lambda: now[0] * DAY) if now is not None else (lambda: 1_000.5 * DAY)
    with Ledger(place, producer="test/1", clock=clock) as ledger:
        if ledger.size == 0:
            ledger.append(StageEnded("first", 0.0))
        with closing(Keyring(keys, master)) as keyring:
            yield Vault(ledger, keyring, clock=clock)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A key store as it is by default: a file, wherever the log lies."""
    return str(tmp_path / "ledger-keys.db")


def payloads(place: str, kind: type[Payload]) -> list[Payload]:
    return [entry.payload for entry in read(place) if isinstance(entry.payload, kind)]


def ciphertexts(vault: Vault) -> dict[str, bytes]:
    with vault._ledger.store.reading() as db:
        return {ref: bytes(sealed) for ref, sealed in db.all("SELECT id, sealed FROM contents")}


def test_what_was_put_comes_back_and_lies_nowhere_in_clear(place: str, mine: str) -> None:
    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT, ["r.b", "r.a"])
        assert vault.read(ref, by="eve", purpose="case 7") == TEXT
    with opened(place, mine) as vault:
        assert vault.read(ref, by="eve", purpose="case 7") == TEXT
    account, day, rules, stored, sealed = looked_up(place, "SELECT account, day, rules, stored, sealed FROM contents")
    assert (account, day, rules, stored) == ("ann", 1_000, '["r.a","r.b"]', 1_000.5 * DAY)
    assert len(bytes(sealed)) == 12 + len(TEXT) + 16  # type: ignore[call-overload]
    assert payloads(place, ContentRead) == [ContentRead(ref, "ann", "eve", "case 7")] * 2
    assert found_in(files_of(mine), [TEXT.encode(), b"canary"]) == set()


def test_nothing_is_kept_under_a_key_whose_store_was_removed(place: str, mine: str) -> None:
    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT)
        Path(mine).unlink()
        with pytest.raises(LedgerError, match=r"ledger-keys\.db, or its -wal file, was removed"):
            vault.put("ann", TEXT)
        assert ciphertexts(vault).keys() == {ref}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.tuples(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"))), max_size=6))
def test_any_text_of_any_account_comes_back(tmp_path: Path, said: list[tuple[str, str]]) -> None:
    house = tmp_path / secrets.token_hex(8)
    with opened(str(house / "l.db"), house / "k.db") as vault:
        refs = [vault.put(account, text) for account, text in said]
        assert [vault.read(ref, by="eve", purpose="test") for ref in refs] == [text for _, text in said]
    assert len(set(refs)) == len(refs)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, (12 + len(TEXT) + 16) * 8 - 1))
def test_any_changed_bit_of_nonce_ciphertext_or_tag_is_refused(tmp_path: Path, bit: int) -> None:
    place, keys = str(tmp_path / "l.db"), tmp_path / "k.db"
    with opened(place, keys) as vault:
        ref = vault.put("ann", TEXT)
        assert vault.read(ref, by="eve", purpose="positive control") == TEXT
    sealed = bytearray(bytes(looked_up(place, "SELECT sealed FROM contents WHERE id = ?", ref)[0]))  # type: ignore[call-overload]
    sealed[bit // 8] ^= 1 << bit % 8
    tamper(place, "UPDATE contents SET sealed = ? WHERE id = ?", bytes(sealed), ref)
    with opened(place, keys) as vault, pytest.raises(VaultError, match="was changed"):
        vault.read(ref, by="eve", purpose="test")


@pytest.mark.parametrize("column", ["account", "day", "id"])
def test_a_content_in_anothers_place_is_refused(place: str, mine: str, column: str) -> None:
    now = [1_000.5]
    with opened(place, mine, now=now) as vault:
        ref = vault.put("ann", TEXT)
        vault.put("bob", "something else")
        now[0] += 1
        vault.put("ann", "a day later")
    other = {"account": "bob", "day": 1_001, "id": "content_other"}[column]
    tamper(place, f"UPDATE contents SET {column} = ? WHERE id = ?", other, ref)
    with opened(place, mine) as vault, pytest.raises(VaultError, match="was changed"):
        vault.read("content_other" if column == "id" else ref, by="eve", purpose="test")
    assert payloads(place, ContentRead) == []


@pytest.mark.parametrize(("by", "purpose"), [("", "case 7"), ("eve", ""), ("  ", "case 7"), ("eve", "\n")])
def test_nobody_reads_without_a_name_and_a_purpose(place: str, mine: str, by: str, purpose: str) -> None:
    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT)
        with pytest.raises(InputError, match="--purpose"):
            vault.read(ref, by=by, purpose=purpose)
        assert payloads(place, ContentRead) == []
        assert vault.read(ref, by="eve", purpose="case 7") == TEXT


def test_a_read_that_the_log_does_not_take_gives_no_text(place: str, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_write", lambda self, composes: [LedgerError("the disk is full")] * len(composes))
            with pytest.raises(LedgerError, match="disk is full"):
                vault.read(ref, by="eve", purpose="case 7")
        assert vault.read(ref, by="eve", purpose="case 7") == TEXT, "positive control"
        with pytest.raises(InputError, match="there is no content"):
            vault.read("content_nothing", by="eve", purpose="case 7")


def test_without_a_master_key_nothing_is_kept(place: str, mine: str) -> None:
    with opened(place, mine, None) as vault:
        assert vault.put("ann", TEXT) == ""
        with pytest.raises(VaultError, match="no master key"):
            vault.fingerprint("ann", TEXT)
    assert looked_up(place, "SELECT COUNT(*) FROM contents") == (0,)
    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT)
        with pytest.raises(InputError, match="for an account"):
            vault.put("", TEXT)
    with opened(place, mine, None) as vault, pytest.raises(VaultError, match="no master key"):
        vault.read(ref, by="eve", purpose="case 7")


def test_fingerprints_are_equal_for_equal_texts_of_one_account_only(place: str, mine: str) -> None:
    with opened(place, mine) as vault:
        one = vault.fingerprint("ann", TEXT)
        assert len(one) == 64
        others = {vault.fingerprint("ann", TEXT + "!"), vault.fingerprint("bob", TEXT)}
        assert len(others | {one}) == 3
        vault.erase(["bob"], "dpo")
        with pytest.raises(VaultError, match="was erased"):
            vault.fingerprint("bob", TEXT)
    with opened(place, mine) as vault:
        assert vault.fingerprint("ann", TEXT) == one


# ── erasing ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_erased_account_is_gone_from_key_store_and_contents_and_the_log_says_so(place: str, keys: str) -> None:
    with opened(place, keys) as vault:
        ref, other = vault.put("ann", TEXT), vault.put("bob", TEXT)
        vault.fingerprint("ann", TEXT)
        (erasure,) = vault.erase(["ann"], "dpo")
        assert (erasure.keys, erasure.contents) == (2, 1)
        for _ in range(2):
            with pytest.raises(InputError, match="there is no content"):
                vault.read(ref, by="eve", purpose="case 7")
            with pytest.raises(VaultError, match="was erased"):
                vault.put("ann", TEXT)
            (again,) = vault.erase(["ann"], "somebody else")
            assert (again.keys, again.contents) == (0, 0)
        assert vault.read(other, by="eve", purpose="case 7") == TEXT
        for accounts, by in (([""], "dpo"), (["ann"], " ")):
            with pytest.raises(InputError, match="name the accounts"):
                vault.erase(accounts, by)
    assert payloads(place, AccountErased) == [AccountErased("ann", "dpo")]
    assert verify(place).whole
    with Ledger(place, producer="p") as ledger:
        assert ledger.state.erased("ann")
        assert not ledger.state.erased("bob")
        assert differences(ledger.store, ledger.entries()) == []


class Overtaken(Keyring):
    """A keyring whose user is overtaken by an erasure just after it got the key."""

    then: Callable[[], object] | None = None

    def key(self, account: str, day: int = -1, *, make: bool = False) -> bytes:
        found = super().key(account, day, make=make)
        if self.then is not None:
            then, self.then = self.then, None
            then()
        return found


@pytest.mark.parametrize("what", ["put", "read"])
def test_an_erasure_that_comes_in_between_wins(place: str, mine: str, what: str) -> None:
    def erase() -> None:
        with opened(place, mine) as other:
            other.erase(["ann"], "dpo")

    with opened(place, mine) as vault:
        ref = vault.put("ann", TEXT)
    with Ledger(place, producer="p", clock=lambda: 0.0) as ledger, closing(Overtaken(mine, MASTER)) as keyring:
        vault = Vault(ledger, keyring, clock=lambda: 1_000.5 * DAY)
        keyring.then = erase
        with pytest.raises(VaultError, match=r"was (destroyed|erased)"):
            vault.put("ann", TEXT) if what == "put" else vault.read(ref, by="eve", purpose="case 7")
        assert ciphertexts(vault) == {}
    assert payloads(place, ContentRead) == []
    assert payloads(place, AccountErased) == [AccountErased("ann", "dpo")]


def test_what_was_built_from_an_erased_account_is_named(place: str, mine: str) -> None:
    built = [
        DatasetBuilt("d", "d1", 3, accounts=("ann", "bob")),
        DatasetBuilt("d", "d2", 3, accounts=("bob",)),
        ModelMade("base", "model", "m1", data="d1"),
        ModelMade("sft", "model", "m2", data="elsewhere", parent="base"),
        ModelMade("dpo", "model", "m3", data="elsewhere", parent="m2"),
        ModelMade("heads", "judge", "m4", data="d2", parent=""),
        ModelMade("", "judge", "m5", data="d1", parent=""),
    ]
    with opened(place, mine) as vault:
        vault._ledger.append(*built)
        (erasure,) = vault.erase(["ann"], "dpo")
    assert erasure.datasets == ("d1",)
    assert erasure.models == ("m1", "m2", "m3", "m5")
    assert payloads(place, AccountErased) == [AccountErased("ann", "dpo", erasure.datasets, erasure.models)]
    state = fold(read(place))
    stale = {id for kind in (Dataset, Model) for id, row in state.rows.each(kind) if row.stale}
    assert stale == {"d1", "m1", "m2", "m3", "m5"}


@given(
    data=st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-1, 9)), max_size=10),
    whose=st.sets(st.sampled_from("xyz")),
)
def test_descent_is_followed_to_its_end(data: list[tuple[str, int]], whose: set[str]) -> None:
    """The slow twin asks of each model, by following its parents."""
    logged: list[Payload] = [DatasetBuilt(d, d, 1, accounts=("ann",) if d in whose else ()) for d in "xyz"]
    parents = {f"m{n}": f"m{parent}" if parent >= 0 else "" for n, (_, parent) in enumerate(data)}
    logged += [ModelMade("n" + str(n), "r", f"m{n}", d, parents[f"m{n}"]) for n, (d, _) in enumerate(data)]

    def tainted(model: str, seen: frozenset[str] = frozenset()) -> bool:
        if model not in parents or model in seen:
            return False
        return data[int(model[1:])][0] in whose or tainted(parents[model], seen | {model})

    rows = fold(Entry(n, 0.0, "p", payload) for n, payload in enumerate(logged)).rows  # type: ignore[arg-type]
    assert dependents(rows, "ann") == (tuple(sorted(whose)), tuple(sorted(m for m in parents if tainted(m))))


def copied(path: str, to: Path) -> None:
    """A backup of a SQLite file that nobody has open, or its restoration."""
    for name in ("", "-wal", "-shm"):
        Path(f"{to}{name}").unlink(missing_ok=True)
        if Path(path + name).exists():
            shutil.copy(path + name, f"{to}{name}")


def test_a_restored_key_store_is_erased_again_before_anything_is_read(place: str, tmp_path: Path) -> None:
    keys = str(tmp_path / "keys" / "keys.db")
    with opened(place, keys) as vault:
        ref = vault.put("ann", TEXT)
        other = vault.put("bob", TEXT)
    sealed = looked_up(place, "SELECT account, day, rules, stored, sealed FROM contents WHERE id = ?", ref)
    stored = wrapped_keys(keys)
    copied(keys, tmp_path / "backup.db")
    with opened(place, keys) as vault:
        vault.erase(["ann"], "dpo")
    copied(str(tmp_path / "backup.db"), Path(keys))
    assert found_in(files_of(keys), stored.values()) == set(stored.values()), "positive control: the backup holds it"
    tamper(place, "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?)", ref, *sealed)
    with opened(place, keys) as vault:
        assert found_in(files_of(keys), stored.values()) == {stored["bob", 1_000]}
        with pytest.raises(VaultError, match="is gone"):
            vault.read(ref, by="eve", purpose="case 7")
        with pytest.raises(VaultError, match="was erased"):
            vault.put("ann", TEXT)
        assert vault.read(other, by="eve", purpose="case 7") == TEXT
    assert payloads(place, AccountErased) == [AccountErased("ann", "dpo")]


def test_a_restored_ledger_learns_of_erasures_from_the_key_store(tmp_path: Path) -> None:
    place, keys = str(tmp_path / "ledger.db"), str(tmp_path / "keys.db")
    with opened(place, keys) as vault:
        ref = vault.put("ann", TEXT)
    copied(place, tmp_path / "backup.db")
    with opened(place, keys) as vault:
        vault.erase(["ann"], "dpo")
    copied(str(tmp_path / "backup.db"), Path(place))
    assert payloads(place, AccountErased) == []
    assert looked_up(place, "SELECT id FROM contents") == (ref,)
    with opened(place, keys) as vault:
        with pytest.raises(InputError, match="there is no content"):
            vault.read(ref, by="eve", purpose="case 7")
        assert [vault.erase(["ann"], "dpo")[0].contents for _ in range(2)] == [1, 0], "what opening removed is counted, once"
    assert payloads(place, AccountErased) == [AccountErased("ann", "dpo")]


def test_the_keys_of_another_ledger_and_keys_that_are_missing_are_told(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one.db"), str(tmp_path / "two.db")
    with opened(one, tmp_path / "one-keys.db") as vault:
        ref = vault.put("ann", TEXT)
    with Ledger(two, producer="p", clock=lambda: 5.0) as ledger:
        ledger.append(StageEnded("another", 0.0))
    for place, keys, words in (
        (two, "one-keys.db", "those of another ledger"),
        (one, "new.db", "not in .*new.db"),
        (one, "two-keys.db", "not in"),
        (str(tmp_path / "empty.db"), "one-keys.db", "those of another ledger"),
    ):
        with Ledger(place, producer="p") as ledger, closing(Keyring(tmp_path / keys, MASTER)) as keyring:  # noqa: SIM117
            with pytest.raises(InputError, match=words):
                Vault(ledger, keyring)
    with opened(one, tmp_path / "one-keys.db") as vault:
        assert vault.read(ref, by="eve", purpose="nothing was lost") == TEXT


def test_a_log_without_entries_takes_its_keys_later(tmp_path: Path) -> None:
    place, keys = str(tmp_path / "l.db"), tmp_path / "k.db"
    with Ledger(place, producer="p") as ledger, closing(Keyring(keys, MASTER)) as keyring:
        Vault(ledger, keyring)
        ledger.append(KeyIssued("k", "fl", "ann", "public"))
    for _ in range(2):
        with opened(place, keys) as vault:
            assert vault.put("ann", TEXT)


def test_killed_before_any_statement_an_erasure_is_finished_by_the_next_opening(tmp_path: Path) -> None:
    place, keys = str(tmp_path / "ledger.db"), str(tmp_path / "keys.db")
    number, outcomes = 0, []
    with opened(place, keys) as vault:
        vault.put("acct_0", TEXT)

    def erase() -> None:
        with opened(place, keys) as vault:
            vault.erase([f"acct_{number}"], "dpo")

    for _ in before_each_statement(erase):
        account = f"acct_{number}"
        logged = {payload.account for payload in payloads(place, AccountErased)}  # type: ignore[attr-defined]
        with opened(place, keys) as vault:
            marked = vault._keyring.erased()
            held = vault._keyring.holds(account, 1_000)
            assert held != (account in marked)
            assert logged <= set(marked), "the log never says erased of a key that is there"
            assert vault._ledger.state.erased(account) == (account in marked), "opening tells the log"
            assert looked_up(place, "SELECT COUNT(*) FROM contents WHERE account = ?", account) == (int(held),)
            outcomes.append((account in logged, account in marked))
            number += 1
            vault.put(f"acct_{number}", TEXT)
    assert set(outcomes) == {(False, False), (False, True), (True, True)}
    assert verify(place).whole
    accounts = [payload.account for payload in payloads(place, AccountErased)]  # type: ignore[attr-defined]
    assert len(accounts) == len(set(accounts))


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_erasures_are_finished_by_the_next_opening(tmp_path: Path, seed: int) -> None:
    place, keys = str(tmp_path / "ledger.db"), str(tmp_path / "keys.db")
    with opened(place, keys) as vault:
        refs = [vault.put(f"acct_{n}", TEXT) for n in range(25)]

    def erase(n: int) -> None:
        with opened(place, keys) as vault:
            vault.erase([f"acct_{n}"], "dpo")

    for n in at_random(erase, 20, seed):
        with opened(place, keys) as vault:
            marked = set(vault._keyring.erased())
            assert {payload.account for payload in payloads(place, AccountErased)} == marked  # type: ignore[attr-defined]
            if f"acct_{n}" not in marked:
                assert vault.read(refs[n], by="eve", purpose="test") == TEXT
    with opened(place, keys) as vault:
        assert vault.read(refs[24], by="eve", purpose="test") == TEXT
    assert verify(place).whole


# ── retention ──────────────────────────────────────────────────────────────────────────────────────────────────────────

KEPT = {"short": 7, "long": 30}


@pytest.mark.parametrize(
    ("rules", "days"),
    [(["short"], 7), (["long"], 30), (["long", "short"], 7), ([], 7), (["unknown"], 7), (["long", "gone"], 7)],
)
def test_content_lives_as_long_as_its_strictest_rule_allows(place: str, mine: str, rules: list[str], days: int) -> None:
    now = [1_000.5]
    with opened(place, mine, now=now) as vault:
        ref = vault.put("ann", TEXT, rules)
        now[0] += days - 0.001
        assert vault.expire(KEPT) == 0
        assert vault.read(ref, by="eve", purpose="case 7") == TEXT
        now[0] += 0.002
        assert vault.expire(KEPT) == 1
        assert vault.expire(KEPT) == 0
        with pytest.raises(InputError, match="its time was over"):
            vault.read(ref, by="eve", purpose="case 7")
        with pytest.raises(InputError, match="no rule says"):
            vault.expire({})
    assert payloads(place, ContentExpired) == [ContentExpired(1)]


def test_expired_content_and_the_keys_of_its_days_are_in_no_file(tmp_path: Path) -> None:
    place, keys, now = str(tmp_path / "ledger.db"), str(tmp_path / "keys.db"), [1_000.0]
    with opened(place, keys, now=now) as vault:
        stays = set()
        for n in range(40):  # on the days 1001 to 1040, small ones and such as fill several pages
            now[0] += 1
            ref = vault.put("ann", f"{TEXT} {n}" * (1 + 400 * (n % 2)), ["short" if n % 3 else "long"])
            stays |= {ref} if n % 3 == 0 and n >= 30 else set()
        stored, starts = wrapped_keys(keys), {ref: body[:64] for ref, body in ciphertexts(vault).items()}
        assert found_in(files_of(place), starts.values()) == set(starts.values()), "positive control"
        now[0] = 1_060.0
        assert vault.expire(KEPT) == 36
        files = files_of(place)
        assert set(ciphertexts(vault)) == stays
        assert found_in(files, [start for ref, start in starts.items() if ref not in stays]) == set()
        assert {day for _, day in wrapped_keys(keys)} == {day for _, day in stored if day >= 1_030}
        assert found_in(files, [wrapped for (_, day), wrapped in stored.items() if day < 1_030]) == set()
        for ref in stays:
            assert vault.read(ref, by="eve", purpose="what is left can be read").startswith(TEXT)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.lists(st.tuples(st.floats(1_000, 1_040), st.lists(st.sampled_from(["short", "long", "x"]))), max_size=12),
    when=st.floats(1_000, 1_080),
)
def test_what_expires_is_what_a_slow_reading_of_the_rules_says(
    tmp_path: Path, contents: list[tuple[float, list[str]]], when: float
) -> None:
    house, now = tmp_path / secrets.token_hex(8), [0.0]
    with opened(str(house / "l.db"), house / "k.db", now=now) as vault:
        expected = {}
        for time, rules in contents:
            now[0] = time
            days = [KEPT.get(rule, min(KEPT.values())) for rule in rules] or [min(KEPT.values())]
            expected[vault.put("ann", TEXT, rules)] = when * DAY - min(days) * DAY < time * DAY
        now[0] = when
        assert vault.expire(KEPT) == sum(not stays for stays in expected.values())
        for ref, stays in expected.items():
            if stays:
                assert vault.read(ref, by="eve", purpose="test") == TEXT
            else:
                with pytest.raises(InputError):
                    vault.read(ref, by="eve", purpose="test")


def test_killed_before_any_statement_the_count_of_what_expired_stays_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.ledger.vault._MOST_TOGETHER", 2)
    place, keys, now, put = str(tmp_path / "ledger.db"), str(tmp_path / "keys.db"), [1_000.0], 0

    def expire() -> None:
        with opened(place, keys, now=now) as vault:
            vault.expire(KEPT)

    def fill() -> int:
        with opened(place, keys, now=now) as vault:
            vault.expire(KEPT)
            for n in range(3):
                vault.put("ann", TEXT, ["short"] if n else [])
        now[0] += 40
        return 3

    put += fill()
    for _ in before_each_statement(expire):
        left = looked_up(place, "SELECT COUNT(*) FROM contents")[0]
        assert put == left + sum(payload.removed for payload in payloads(place, ContentExpired))  # type: ignore[attr-defined]
        put += fill()
    assert sum(payload.removed for payload in payloads(place, ContentExpired)) == put  # type: ignore[attr-defined]
    assert {payload.removed for payload in payloads(place, ContentExpired)} == {1, 2}  # type: ignore[attr-defined]
    assert verify(place).whole


def test_an_older_ledger_gets_the_table_with_its_entries_in_place(place: str, mine: str) -> None:
    with opened(place, mine):
        pass
    before = verify(place).root
    tamper(place, "DROP TABLE contents")
    for column in ("points", "expires"):
        tamper(place, f"ALTER TABLE history DROP COLUMN {column}")
    tamper(place, "UPDATE alembic_version SET version_num = '0002'")
    with opened(place, mine) as vault:
        assert vault.put("ann", TEXT)
    assert verify(place).root == before


def test_a_server_that_keeps_the_log_never_has_a_key(mine: str, postgres: object) -> None:
    """By default the keys are in a file even then: what lingers in the server's pages and its own log is unreadable."""
    place = postgres.create_database("ledger_without_keys")  # type: ignore[attr-defined]
    with opened(place, mine) as vault:
        for _ in range(5):
            vault.put("ann", TEXT)
        wrapped = set(wrapped_keys(mine).values())
        sealed = set(ciphertexts(vault).values())
        vault.erase(["ann"], "dpo")
    files = [path for path in (postgres._folder / "data").rglob("*") if path.is_file()]  # type: ignore[attr-defined]
    assert found_in(files, {TEXT.encode(), *wrapped}) == set()
    assert found_in(files, sealed), "positive control: the server's log still has the ciphertext"
    assert found_in(files_of(mine), wrapped) == set()
