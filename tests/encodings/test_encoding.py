"""Every disguise comes off again, and no text makes a decoder fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.encodings.alphabets import FROM_HOMOGLYPH, FROM_LEET, TO_LEET, ZERO_WIDTH_CHARACTERS
from fairlead.encodings.encoding import (
    BASE64,
    ENCODINGS,
    HOMOGLYPHS,
    LEETSPEAK,
    REVERSED,
    ROT13,
    ZERO_WIDTH,
    Encoding,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ANYTHING = st.text(st.characters()) | st.text(alphabet="ABCabc012+/_-= \n\u200b\ud800а")


@pytest.mark.parametrize("encoding", [BASE64, ROT13, REVERSED], ids=lambda e: e.name)
@given(text=TEXTS)
def test_decoding_undoes_encoding(encoding: Encoding, text: str) -> None:
    hidden = encoding.encode(text)
    assert encoding.decode(hidden) == (text if hidden != text else None)


@given(text=TEXTS)
def test_homoglyphs_round_trip_when_the_text_holds_none(text: str) -> None:
    plain = "".join(c for c in text if ord(c) not in FROM_HOMOGLYPH)
    hidden = HOMOGLYPHS.encode(plain)
    assert HOMOGLYPHS.decode(hidden) == (plain if hidden != plain else None)


@given(text=TEXTS)
def test_zero_width_round_trips_when_the_text_holds_none(text: str) -> None:
    plain = "".join(c for c in text if c not in ZERO_WIDTH_CHARACTERS)
    hidden = ZERO_WIDTH.encode(plain)
    assert ZERO_WIDTH.decode(hidden) == (plain if hidden != plain else None)


@given(text=TEXTS)
def test_leetspeak_round_trips_up_to_the_case_of_its_letters(text: str) -> None:
    plain = "".join(c for c in text if ord(c) not in FROM_LEET)
    hidden = LEETSPEAK.encode(plain)
    canonical = "".join(c.lower() if ord(c) in TO_LEET else c for c in plain)
    assert LEETSPEAK.decode(hidden) == (canonical if hidden != plain else None)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
@given(text=ANYTHING)
def test_decoding_is_total_and_never_grows(encoding: Encoding, text: str) -> None:
    decoded = encoding.decode(text)
    assert decoded is None or (decoded != text and len(decoded) <= len(text))


@pytest.mark.parametrize(
    ("encoding", "hidden", "text"),
    [
        (BASE64, "SGVsbG8gdGhlcmU=", "Hello there"),
        (BASE64, "SGVsbG8\ngdGhlcmU", "Hello there"),
        (BASE64, "8J-Yig", "😊"),
        (ROT13, "Uryyb gurer", "Hello there"),
        (REVERSED, "ereht olleH", "Hello there"),
        (LEETSPEAK, "h3ll0 7h3r3", "hello there"),
        (HOMOGLYPHS, "Hеllо thеrе", "Hello there"),
        (ZERO_WIDTH, "He\u200bllo\u2060 the\u00adre\ufeff", "Hello there"),
    ],
)
def test_known_disguises_are_read(encoding: Encoding, hidden: str, text: str) -> None:
    assert encoding.decode(hidden) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (BASE64, "not base64!"),
        (BASE64, "test"),
        (BASE64, "abcde"),
        (BASE64, ""),
        (BASE64, "===="),
        (ROT13, "123 …"),
        (REVERSED, "level"),
        (LEETSPEAK, "hello"),
        (HOMOGLYPHS, "hello"),
        (ZERO_WIDTH, "hello"),
    ],
)
def test_a_text_that_is_not_encoded_gives_none(encoding: Encoding, text: str) -> None:
    assert encoding.decode(text) is None
