"""Finding spans of a text that are written as digits or escapes, or in pig latin."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairlead.encodings.bases import BASE32, BASE64, BINARY, DECIMAL, HEX, OCTAL
from fairlead.encodings.ciphers import PIG_WORD, REVERSED, ROT13, pig_words
from fairlead.encodings.escapes import BYTE_ESCAPES, HTML, OCTAL_ESCAPES, PERCENT, UNICODE_ESCAPES
from fairlead.encodings.pair import Encoding
from fairlead.judge.decipher import decipher, line_of, strange
from fairlead.judge.language import reading
from fairlead.judge.normalise import undisguise
from fairlead.judge.sample import ENGLISH_WORDS
from fairlead.judge.span import Span, undo

_GAIN = 0.3  # nats a character
_POOR = -3.4
_READABLE = -4.2  # a short name, say; what random bytes give is below -6
_SHORT = 12  # characters decoded: below that only letters and spaces will do
_ESCAPED = 3  # letters, digits or spaces that escapes have to stand for: `R&amp;D` hides nothing
_SHORTEST = 4
_ACCENTED = re.compile(r"[\u0080-\u024f]")
_MOST_SPANS = 512
_PRINTABLE = 0.9

# Lines of one width are one span. A row that neither begins nor ends a line as wide is a word of its own.
_DENSE = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,6}(?:\r?\n[A-Za-z0-9+/_-]{4,}={0,6})+|={0,6}[A-Za-z0-9+/_-]{8,}={0,6}")
_MIXED = re.compile(r"[0-9=]|[^A-Z][A-Z]|[A-Z]{8}")
_NUMBER = r"(?:0[xXbo])?[0-9A-Fa-f]{2,8}"
_GROUPS = re.compile(rf"(?<!\w){_NUMBER}(?:[\s,;:|._-]{{1,3}}{_NUMBER}){{3,}}(?!\w)")
_WORD = re.compile(r"\S+")
_ESCAPE = re.compile(
    r"%[0-9A-Fa-f]{2}|&#?[0-9A-Za-z]{1,32};?|\\x[0-9A-Fa-f]{2}|\\u\{?[0-9A-Fa-f]{1,6}\}?|[Uu]\+[0-9A-Fa-f]{4,6}|\\[0-3]?[0-7]{2}"
)
_TIGHT = (BASE64, HEX, BASE32, BINARY)
_NUMBERS = (BASE64, HEX, BASE32, BINARY, OCTAL, DECIMAL)
_LAYERS = 3
_ESCAPES = (PERCENT, HTML, BYTE_ESCAPES, UNICODE_ESCAPES, OCTAL_ESCAPES)
_PIG = r"[A-Za-z]{1,30}(?:['’][A-Za-z]{1,9})?ay\b"
_PIG_RUN = re.compile(rf"(?:\b{_PIG}[^A-Za-z\n]{{1,9}}){{2,}}{_PIG}", re.I)


def written_out(text: str) -> list[Span]:
    """Base 64, 32, 16, 10, 8 and 2, and escapes: spans in order, without overlap."""
    found = [*_dense(text), *_grouped(text), *_escaped(text)]
    found.sort(key=lambda span: (span.start, -span.end))
    apart: list[Span] = []
    for span in found[:_MOST_SPANS]:
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
    return apart


def _dense(text: str) -> Iterator[Span]:
    """Rows of digits: several lines as one, or each alone; what was turned around or rotated after is turned back."""
    for match in _DENSE.finditer(text):
        if not _MIXED.search(match[0]):
            continue
        whole = _clearest(match[0], match.start(), _TIGHT)
        if whole:
            yield whole
            continue
        for row in _WORD.finditer(text, match.start(), match.end()):
            span = _clearest(row[0], row.start(), _TIGHT) if row[0] != match[0] else None
            yield from (span,) if span else _turned(row[0], row.start())


def _turned(row: str, start: int) -> Iterator[Span]:
    for turn, encodings in ((REVERSED, (BASE64, BASE32)), (ROT13, (BASE64,))):
        hidden = turn.decode(row)
        span = _clearest(hidden, start, encodings) if hidden else None
        if span:
            yield Span(start, start + len(row), f"{turn.name}+{span.name}", span.decoded)
            return


def _grouped(text: str) -> Iterator[Span]:
    for match in _GROUPS.finditer(text):
        span = _clearest(match[0], match.start(), (HEX, BINARY, OCTAL, DECIMAL))
        if span:
            yield span


def _clearest(hidden: str, start: int, encodings: tuple[Encoding, ...]) -> Span | None:
    """The decoding that reads best, where it reads clearly better than what stands there."""
    # Digits in a row are likely after digits, and yet say nothing: only what letters say is compared.
    worded = any(character.isalpha() for character in hidden)
    best, name, least = "", "", min(reading(hidden) + _GAIN, _POOR) if worded else _READABLE
    for called, decoded in _peeled(hidden, encodings, _LAYERS):
        if reading(decoded) > max(least, _READABLE if worded or len(decoded) >= _SHORT else _POOR):
            best, name, least = decoded, called, reading(decoded)
    return Span(start, start + len(hidden), name, best) if best else None


def _peeled(text: str, encodings: tuple[Encoding, ...], layers: int) -> Iterator[tuple[str, str]]:
    """The printable decodings; one that does not read like language is itself decoded and deciphered as a whole."""
    for encoding in encodings:
        decoded = _printable(encoding.decode(text))
        if decoded is None:
            continue
        yield encoding.name, decoded
        if layers < 2 or len(decoded) < _SHORT or reading(decoded) > _POOR:
            continue
        readable = undisguise(decoded)
        if readable != decoded:
            yield encoding.name, readable
        for name, further in _peeled(decoded.strip(), _NUMBERS, layers - 1):
            yield f"{encoding.name}+{name}", further
        line = line_of(decoded)
        undone = undo(decoded, decipher(decoded, line, strange(line)))
        if undone:
            yield f"{encoding.name}+{undone.name}", undone.in_place


def _printable(decoded: str | None) -> str | None:
    """Without control characters; None where they are many, or where a short text has anything but plain letters and spaces."""
    if decoded is None:
        return None
    kept = "".join(character for character in decoded if character.isprintable() or character in "\n\t")
    if len(kept) < _PRINTABLE * len(decoded):
        return None
    if len(kept) < _SHORT and (len(kept) < _SHORTEST or not kept.replace(" ", "").isalpha() or _ACCENTED.search(kept)):
        return None
    return kept


def _escaped(text: str) -> list[Span]:
    """The words that hold escapes, when these together stand for some letters and read clearly better undone."""
    found, gained = [], 0
    for match in _WORD.finditer(text):
        word = match[0]
        if not ("%" in word or "&" in word or "\\" in word or "+" in word) or not _ESCAPE.search(word):
            continue
        name, decoded = "", word
        for encoding in _ESCAPES * _LAYERS:
            after = encoding.decode(decoded)
            if after is not None:
                name, decoded = name or encoding.name, after
        if name:
            found.append(Span(match.start(), match.end(), name, decoded))
            gained += _words(decoded) - _words(_ESCAPE.sub("", word))
    if gained < _ESCAPED:
        return []
    before = " ".join(text[span.start : span.end] for span in found)
    return found if reading(" ".join(span.decoded for span in found)) > reading(before) + _GAIN else []


def _words(text: str) -> int:
    return sum(character.isalnum() or character == " " for character in text)


def pig_latin(text: str) -> list[Span]:
    """Runs of three or more words that all end as pig latin does; each becomes the word that reads best."""
    found = []
    for match in _PIG_RUN.finditer(text):
        decoded = PIG_WORD.sub(_pig_word, match[0])
        if reading(decoded) > reading(match[0]) + _GAIN / 3:
            found.append(Span(match.start(), match.end(), "pig-latin", decoded))
    return found


def _pig_word(match: re.Match[str]) -> str:
    """A known word if there is one; a word before `way` or `yay` stands for itself; else what reads best."""
    words = pig_words(match[0])
    known = [word for word in words if word in ENGLISH_WORDS]
    if known or not words:
        return max(known, key=len, default=match[0])
    return words[0] if match[0].lower().endswith(("way", "yay")) and words[0][0] in "aeiou" else max(words, key=reading)
