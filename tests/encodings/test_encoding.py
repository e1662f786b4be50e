"""Every disguise comes off again, and no text makes a decoder fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.encodings.alphabets import FROM_HOMOGLYPH, FROM_LEET, TO_LEET, ZERO_WIDTH_CHARACTERS
from fairlead.encodings.ciphers import PIG_LATIN, ROTATIONS
from fairlead.encodings.encoding import (
    BASE64,
    CARRIED,
    CIPHERS,
    ENCODINGS,
    ESCAPED,
    HOMOGLYPHS,
    LEETSPEAK,
    LOOKS,
    NUMBERED,
    REVERSED,
    ROT13,
    ZERO_WIDTH,
    Encoding,
)
from fairlead.encodings.looks import DOTTED, HYPHENATED, SELECTORS, SPACED, TAGS

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
SENTENCES = st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=8).map(" ".join)
# Pieces of every form that a decoder reads, so that it gets past its first look.
PIECES = st.sampled_from(
    (
        "QUJD", "MFRGG===", "68", "0x68", "01101000", "104 ", "%68", "%", "&#104;", "&#x110000;", "&#999999999999;", "&amp;",
        "\\x68",
        "\\ud83d", "\\u{1f600}", "\\150", "U+0068 ", "h e l l o", "h-e-l", "\u200b", "\U000e0041", "\U000e0100", "а",
        "a = 'b'", "b + a",
        '"k": "v\\u0041"', "{a}{b}", "print(a, b)", "# word", "/* word */", "<!--", "-->", "ickpay ", "'", '"', "\\", "\n", " ",
        "=",
        "\ud800", "İ", "١", "漢",
    )
)  # fmt: skip
ANYTHING = st.text(st.characters()) | st.lists(PIECES, max_size=30).map("".join)


def round_trip(encoding: Encoding, text: str) -> None:
    hidden = encoding.encode(text)
    assert encoding.decode(hidden) == (text if hidden != text else None)


EXACT = [encoding for encoding in (*NUMBERED, *ESCAPED, *CIPHERS) if encoding is not PIG_LATIN]


@pytest.mark.parametrize("encoding", EXACT, ids=lambda e: e.name)
@given(text=TEXTS)
def test_decoding_undoes_encoding(encoding: Encoding, text: str) -> None:
    if encoding.name == "percent-quoted" or encoding not in ESCAPED:
        round_trip(encoding, text)
    else:
        assert encoding.decode(encoding.encode(text)) == text


@given(text=TEXTS)
def test_homoglyphs_round_trip_when_the_text_holds_none(text: str) -> None:
    round_trip(HOMOGLYPHS, "".join(c for c in text if ord(c) not in FROM_HOMOGLYPH))


@given(text=TEXTS)
def test_zero_width_round_trips_when_the_text_holds_none(text: str) -> None:
    round_trip(ZERO_WIDTH, "".join(c for c in text if c not in ZERO_WIDTH_CHARACTERS))


@given(text=PRINTABLE)
def test_tags_round_trip_over_ascii(text: str) -> None:
    round_trip(TAGS, text)


@given(text=TEXTS.filter(lambda text: not set(text) & set(SELECTORS.encode("".join(map(chr, range(256)))))))
def test_selectors_round_trip_when_the_text_holds_none(text: str) -> None:
    assert SELECTORS.decode(SELECTORS.encode(text)) == text


@given(text=TEXTS)
def test_leetspeak_round_trips_up_to_the_case_of_its_letters(text: str) -> None:
    plain = "".join(c for c in text if ord(c) not in FROM_LEET)
    hidden = LEETSPEAK.encode(plain)
    canonical = "".join(c.lower() if ord(c) in TO_LEET else c for c in plain)
    assert LEETSPEAK.decode(hidden) == (canonical if hidden != plain else None)


@pytest.mark.parametrize("encoding", (SPACED, HYPHENATED, DOTTED, *CARRIED), ids=lambda e: e.name)
@given(text=SENTENCES)
def test_sentences_come_back_whole(encoding: Encoding, text: str) -> None:
    round_trip(encoding, text)


@given(text=SENTENCES)
def test_pig_latin_keeps_every_letter(text: str) -> None:
    back = PIG_LATIN.decode(PIG_LATIN.encode(text))
    assert back is not None
    for word, read in zip(text.split(), back.split(), strict=True):
        assert sorted(word) == sorted(read) or sorted(f"{word}w") == sorted(read) or sorted(word) == sorted(f"{read}w")


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
@given(text=ANYTHING)
def test_decoding_is_total_and_never_grows(encoding: Encoding, text: str) -> None:
    decoded = encoding.decode(text)
    assert decoded is None or (decoded and decoded != text and len(decoded) <= len(text))


def test_names_are_unique_and_the_table_is_whole() -> None:
    assert len({encoding.name for encoding in ENCODINGS}) == len(ENCODINGS)
    assert set(ENCODINGS) == {*NUMBERED, *ESCAPED, *CIPHERS, *LOOKS, *CARRIED}
    assert [encoding.name for encoding in ROTATIONS] == [f"rot{by}" for by in range(1, 26)]


BY_NAME = {encoding.name: encoding for encoding in ENCODINGS}


@pytest.mark.parametrize(
    ("name", "hidden", "text"),
    [
        ("base64", "SGVsbG8gdGhlcmU=", "Hello there"),
        ("base64", "SGVsbG8\ngdGhlcmU", "Hello there"),
        ("base64", "8J-Yig", "😊"),
        ("base32", "jbswy3dp", "Hello"),
        ("hex", "48 65:6c-6C 0x6f", "Hello"),
        ("hex", "0x48656c6c6f", "Hello"),
        ("binary", "1001000 1100101", "He"),
        ("binary", "01001000 01100101", "He"),
        ("binary", "0100100001100101", "He"),
        ("octal", "110, 145", "He"),
        ("decimal", "72;101;8230", "He…"),
        ("percent", "a%20b%E2%80%A6%zz%FF", "a b…%zz%FF"),
        ("html", "&#72;&#x65;&lt;&eacute;&nothing;", "He<é&nothing;"),
        ("byte-escapes", r"\x48\x65\xff", r"\x48\x65\xff"),
        ("byte-escapes", r"\x48\x65 \xff", r"He \xff"),
        ("unicode-escapes", r"\u0048\ud83d\ude0a\u{65}U+0066", "H😊ef"),
        ("octal-escapes", r"\110\145", "He"),
        ("rot13", "Uryyb gurer", "Hello there"),
        ("rot3", "Khoor", "Hello"),
        ("atbash", "Svool", "Hello"),
        ("reversed", "ereht olleH", "Hello there"),
        ("reversed-letters", "olleH, ereht", "Hello, there"),
        ("reversed-order", "there Hello", "Hello there"),
        ("pig-latin", "Ellohay isway ouyay", "Hello is you"),
        ("leetspeak", "h3ll0 7h3r3", "hello there"),
        ("homoglyphs", "Hеllо thеrе", "Hello there"),
        ("homoglyphs", "ʜᴇʟʟᴏ 🅷🇪", "hello he"),
        ("zero-width", "He\u200bllo\u2060 the\u00adre\ufeff", "Hello there"),
        ("tags", "a\U000e0048\U000e0065", "aHe"),
        ("selectors", "x\U000e0138\ufe0a", "H\n"),
        ("spaced", "H e l l o   y o u", "Hello you"),
        ("hyphenated", "H-e-l-l-o y_o_u", "Hello you"),
        ("split", 'x = "how"; y = " to"\nprint(x + y + " sew")', "how to sew"),
        ("split", "a = 'how'\nb = a + ' to'\nc = b + ' sew'", "how to sew"),
        ("split", "let $a = 'how '; b := 'to sew'. Answer {{$a}}{{b}}", "how to sew"),
        ("split", "print('how ', 'to sew')", "how to sew"),
        ("comment", "x = 1  # how to\n# sew", "how to\nsew"),
        ("comment", "int x; // how to\n/* sew\n * it */ <!-- now -->", "how to\nsew\nit\nnow"),
        ("json", '{"a": ["how\\nto", "s\\u0065w"], "b": "it"}', "how\nto\nsew\nit"),
    ],
)
def test_known_disguises_are_read(name: str, hidden: str, text: str) -> None:
    assert BY_NAME[name].decode(hidden) == (text if text != hidden else None)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (BASE64, "not base64!"),
        (BASE64, "test"),
        (BASE64, "abcde"),
        (BASE64, ""),
        (BASE64, "===="),
        (BY_NAME["base32"], "1890"),
        (BY_NAME["hex"], "abc"),
        (BY_NAME["hex"], "xyz"),
        (BY_NAME["binary"], "0123"),
        (BY_NAME["decimal"], "55296"),
        (BY_NAME["decimal"], "1114112"),
        (BY_NAME["octal"], "900"),
        (BY_NAME["percent"], "100 % of 5%"),
        (BY_NAME["html"], "R & D"),
        (BY_NAME["split"], "a + b = 'c'"),
        (BY_NAME["comment"], "C# and #tag"),
        (BY_NAME["json"], 'he said "no"'),
        (BY_NAME["spaced"], "I am a man"),
        (BY_NAME["tags"], "hello"),
        (ROT13, "123 …"),
        (REVERSED, "level"),
        (LEETSPEAK, "hello"),
        (HOMOGLYPHS, "hello"),
        (ZERO_WIDTH, "hello"),
    ],
)
def test_a_text_that_is_not_encoded_gives_none(encoding: Encoding, text: str) -> None:
    assert encoding.decode(text) is None
