"""Finding and masking: what is found of each kind, what must be left alone, and what holds for any text."""

from __future__ import annotations

import inspect
import random
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import re2
from canaries import CANARIES, Canary
from hypothesis import given
from hypothesis import strategies as st

from fairlead.gateway.identity import new_key
from fairlead.personal import find as module
from fairlead.personal.find import KINDS, RECOGNISERS, WITHHELD, find, mask
from fairlead.records.entry import Decided, Entry, ModelMade, PolicyLoaded

seeds = st.integers(0, 2**32)
fragments = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [" ", "\n", ": ", "@", ".", "-", "+", "=", "//", "[card]", "token ", "my password is ", "tel ", "12", "e4f", "::"]
    ),
    st.builds(lambda kind, seed: CANARIES[kind](random.Random(seed)), st.sampled_from(sorted(CANARIES)), seeds),
    st.builds(lambda kind, seed: CANARIES[kind](random.Random(seed)).datum, st.sampled_from(sorted(CANARIES)), seeds),
)
texts = st.lists(fragments, max_size=8).map("".join)


def test_there_is_a_canary_of_every_kind() -> None:
    assert set(CANARIES) == set(KINDS)


def test_every_kind_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "personal.md").read_text(encoding="utf-8")
    described = {
        kind for row in page.splitlines() if row.startswith("| `") for kind in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert described == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_every_kind_is_found_and_masked(kind: str, seed: int) -> None:
    canary: Canary = CANARIES[kind](random.Random(seed))
    text = f"so: {canary}\nand no more"
    start = text.index(canary.datum)
    assert any(s.start <= start and start + len(canary.datum) <= s.end for s in find(text) if s.kind == kind)
    masked = mask(text)
    assert canary.datum not in masked
    assert f"[{kind}]" in masked
    assert masked.startswith("so: ")
    assert (
        masked.endswith("\nand no more") or kind == "private_key"
    )  # a key that was cut off goes on as far as it looks like one


@given(texts)
def test_masking_leaves_nothing_to_find_and_is_idempotent(text: str) -> None:
    masked = mask(text)
    assert find(masked) == []
    assert mask(masked) == masked


@given(texts)
def test_spans_are_ordered_apart_and_inside_the_text(text: str) -> None:
    end = 0
    for span in find(text):
        assert end <= span.start < span.end <= len(text)
        assert span.kind in KINDS
        end = span.end


@given(texts)
def test_a_text_in_which_nothing_is_found_is_unchanged(text: str) -> None:
    assert (mask(text) == text) is (find(text) == [])


@given(texts)
def test_looking_only_where_something_needed_was_found_finds_what_every_pattern_finds(text: str) -> None:
    read = module._folded(text)
    every = sorted((*at, rank) for rank in range(len(RECOGNISERS)) for at in module._all(rank, read, read.encode("latin-1")))
    assert find(text) == list(module._merged(every))


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_what_a_pattern_needs_is_in_whatever_it_matches(kind: str, seed: int) -> None:
    raw = module._folded(CANARIES[kind](random.Random(seed))).encode("latin-1")
    for pattern, recogniser in zip(module._PATTERNS, RECOGNISERS, strict=True):
        if found := pattern.search(raw):
            around = raw[max(0, found.start() - 1) : found.end() + 1]  # for what stands at the edge of a word
            assert re2.compile(recogniser.needs.encode("latin-1"), module._OPTIONS).search(around), recogniser.pattern


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(module._folded(text).encode("latin-1")) == len(text)


@given(st.text(st.characters(exclude_categories=[])))
def test_folding_looks_up_each_character(text: str) -> None:
    assert module._folded(text) == text.translate(module._FOLD)


def test_a_text_that_does_not_come_to_rest_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find", lambda text: [module.Span(0, 1, "card")])
    assert mask("whatever") == WITHHELD


@pytest.mark.parametrize(
    "written",
    [
        "card 4111 1111 1111 1111", "card ４１１１１１１１１１１１１１１１", "card ٤١١١١١١١١١١١١١١١",
        "card 4111\u00a01111\u00a01111\u00a01111", "card 4111\u20131111\u20131111\u20131111",
    ],
)  # fmt: skip
def test_other_scripts_digits_spaces_and_dashes_do_not_hide_a_number(written: str) -> None:
    assert mask(written) == "card [card]"


HARMLESS = [
    "The quick brown fox jumps over the lazy dog, 12 times in 3.5 seconds.",
    "In 2024, 1,234,567 people (55.2 %) voted; 2019-05-06T12:30:45.123456Z, 12/05/2024, 10:45.",
    "Room 101, chapter 12-14, ISBN 978-3-16-148410-0, order 2024-000123, 100 000 000 000 stars",
    "fairlead 0.1.0, Python 3.11.7, Chrome/120.0.6099.109, 1.2.3.4, libssl 3.0.2-0ubuntu1.18",
    "/usr/lib/python3.11/site-packages/re2/__init__.py:142 and C:\\Users\\Public\\file_20240506.txt",
    "git show 4e4659779efc0160687f291b36f022bb77a756cb (4e46597)",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "request req_0123456789abcdef01234567 of acct_0123456789ab, chatcmpl-req_0123456789abcdef01234567",
    "550e8400-e29b-41d4-a716-446655440000",
    "serving basin-sft on http://127.0.0.1:8100, behind http://[::1]:8080 and 192.168.1.20, 10.0.0.1, 0.0.0.0",
    "std::vector<int> a; std::map::iterator b; x = a::b; dead::beef",
    "def f(token: str, password: str | None = None, api_key: Secret = secret) -> Token: ...",
    "f(password=password, token=self.token, secret=get_secret(name), api_key=os.environ['KEY'])",
    "the password is required; the token is missing; a wrong password: none given",
    "send `Authorization: Bearer KEY` with a current key",
    "max_tokens=256, temperature=0.7, n_tokens: 1024, keys: 3, tokens: 12000",
    "@dataclass(frozen=True) @app.get('/x') lodash@4.17.21 user@host git@github.com:org/repo.git",
    "call f(12345678) 3 times; call 911; sin(0.1234567), tin 4000000, pan 12345678",
    "loss 0.123456789 at step 1234567890, 1700000000.123, 1763745123456",
    "12:34:56, a1:b2, SHA1 Fingerprint=AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
    "He was born in Paris and died in 1998. She was born on a Tuesday.",
    "Turn left at the main street; 3 drives, 2 courts and 1 place to stay.",
    "passport photos, drivers and licences, accounts numbered by hand, a seed phrase has twelve words",
    "rules weapons.uplift and hate.incitement; digest f3009baf69904ceff47f5daa89bc788b38034394c533f26f1c356ae09a0badf9",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_prose_code_and_numbers_are_left_alone(text: str) -> None:
    assert mask(text) == text


@given(st.uuids(), st.binary(min_size=20, max_size=32))
def test_identifiers_and_digests_are_left_alone(drawn: uuid.UUID, digest: bytes) -> None:
    for text in (str(drawn), digest.hex(), f"sha256 {digest.hex()}", f"req_{digest.hex()[:24]}", f"acct_{digest.hex()[:12]}"):
        assert mask(text) == text


@given(seeds)
def test_our_own_entries_are_left_alone(seed: int) -> None:
    draw = random.Random(seed)
    digest = draw.randbytes(32).hex()
    _, issued = new_key("public", draw=lambda n: draw.randbytes(n).hex())
    payloads = [
        issued,
        PolicyLoaded(digest, "core", "2026.11.1", {"weapons.uplift": digest}),
        ModelMade("heads", "judge", digest, data=digest),
        Decided(
            request=f"req_{draw.randbytes(12).hex()}", action="block", cause="rule", status=400, account=issued.account,
            tier="public", policy=digest, judge=f"judge/0.1.0/{digest[:12]}", milliseconds=draw.random() * 1e4,
        ),
    ]  # fmt: skip
    for payload in payloads:
        text = msgspec.json.encode(
            Entry(draw.randrange(10**7), 1.76e9 + draw.random() * 1e6, "gateway/0.1.0", payload)
        ).decode()
        assert mask(text) == text


def test_the_source_is_left_alone() -> None:
    """But for the addresses of the standard library's authors, 200,000 characters of code hold nothing."""
    import argparse
    import ast
    import csv
    import json.decoder
    import logging
    import pathlib

    for code in (argparse, ast, csv, json.decoder, logging, pathlib, module):
        assert {span.kind for span in find(inspect.getsource(code))} <= {"email"}


ADVERSARIAL: list[Callable[[int], str]] = [
    lambda n: "4" * n,
    lambda n: "1 " * (n // 2),
    lambda n: "1234 " * (n // 5),
    lambda n: "a@" * (n // 2),
    lambda n: "a@b." * (n // 4),
    lambda n: "x@a.bb.1" * (n // 8),
    lambda n: "password=" * (n // 9),
    lambda n: "token: '" * (n // 8),
    lambda n: "key " * (n // 4),
    lambda n: "eyJaaaaaaaa." * (n // 12) + "é",
    lambda n: "-----BEGIN PRIVATE KEY-----" * (n // 27),
    lambda n: "-----BEGIN PRIVATE KEY-----\nA" * (n // 29),
    lambda n: "phone " * (n // 6),
    lambda n: "Authorization: Bearer a" * (n // 23),
    lambda n: "x://a:b" * (n // 7),
    lambda n: "GB82WEST" * (n // 8),
    lambda n: "seed phrase abc " * (n // 16),
    lambda n: "1.1." * (n // 4),
    lambda n: "2a02:" * (n // 5),
    lambda n: "aa:bb:" * (n // 6),
    lambda n: "a@b.com+49" * (n // 10),
]


class Counting:
    """A pattern that counts the characters it passes over. RE2 reads each of them a constant number of times."""

    def __init__(self, pattern: object, passed: list[int]) -> None:
        self._pattern, self._passed, self.groups = pattern, passed, pattern.groups  # type: ignore[attr-defined]

    def search(self, text: bytes, at: int) -> object:
        found = self._pattern.search(text, at)  # type: ignore[attr-defined]
        self._passed[0] += (found.end() if found else len(text)) - at
        return found


@pytest.mark.parametrize("make", ADVERSARIAL, ids=lambda make: make(60)[:24])
def test_twice_the_text_is_at_most_twice_the_work(make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0]
    monkeypatch.setattr(module, "_PATTERNS", [Counting(pattern, passed) for pattern in module._PATTERNS])
    work = []
    for n in (10_000, 20_000):
        passed[0] = 0
        mask(make(n))
        work.append(passed[0])
    assert work[1] <= 2.3 * work[0] + 10_000


def test_an_automaton_that_was_filled_up_still_finds() -> None:
    """RE2 says of a text for which it ran out of memory that nothing matched: so it must not run out."""
    draw = random.Random(0)
    for alphabet in ("abcdefghijABCDEFGHIJ0123456789", "0123456789 -", "".join(map(chr, range(32, 127)))):
        canary = CANARIES["email"](draw)
        text = "".join(draw.choices(alphabet, k=40_000)) + f"\n{canary.datum}"
        assert canary.datum not in mask(text)


def test_the_count_of_work_would_show_quadratic_work() -> None:
    import re2

    for pattern, linear in (("a*b", False), ("ab", True)):
        work = []
        for n in (500, 1_000):
            passed = [0]
            counted = Counting(re2.compile(pattern.encode()), passed)
            for at in range(n):  # a scanner that starts again at every character
                if linear and at:
                    break
                counted.search(b"a" * n, at)
            work.append(passed[0])
        assert (work[1] <= 2.3 * work[0]) is linear
