"""The readings of a text that the judge looks at: as it stands, cleaned up, and decoded where it hides something.

A disguise is taken off only where the result reads more like language than what was there (`language.reading`), so that an
ordinary text has one or two views. Everything here is total, linear in the text, and bounded: at most `MAX_CHARACTERS` of the
text are read, at most five views come out, and none is longer than that.

Not covered: disguises within disguises (Base64 of ROT13), ROT13 or reversed text in scripts other than Latin (the character
model has no counts for them), and disguised spans shorter than `_SHORTEST`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct

from fairlead.encodings.encoding import BASE64, HOMOGLYPHS, LEETSPEAK, REVERSED, ROT13, ZERO_WIDTH, Encoding
from fairlead.judge.language import reading

MAX_CHARACTERS = 65_536
_MARGIN = 0.15  # nats a character; on English, French, German requests no undisguised text gains more than 0.05 by decoding
_SHORTEST = 12
_BLOCK = 1_024
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BREAKS = re.compile(r"[\n\"“”„«»:;`]+")


class View(Struct, frozen=True):
    """One reading: `plain`, `normalised`, or the name of the encoding that was undone."""

    name: str
    text: str


def views(text: str) -> list[View]:
    """The readings of `text`, plain first. Only the first `MAX_CHARACTERS` are read: the caller says so when there are more."""
    plain = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    clean = _clean(plain)
    normalised = _undisguise(clean)
    found = [View("plain", plain)]
    if normalised != plain:
        found.append(View("normalised", normalised))
    for encoding, spans in ((BASE64, _base64_spans(clean)), (ROT13, _segments(clean)), (REVERSED, _segments(clean))):
        decoded = _decode(encoding, spans)
        if decoded:
            found.append(View(encoding.name, decoded[:MAX_CHARACTERS]))
    return found


def _clean(text: str) -> str:
    """Compatibility forms and invisible characters removed.

    By blocks, since NFKC orders combining marks in time quadratic in the length of their run.
    """
    if text.isascii():
        return text
    blocks = (unicodedata.normalize("NFKC", text[i : i + _BLOCK]) for i in range(0, len(text), _BLOCK))
    joined = "".join(blocks)[:MAX_CHARACTERS]
    return ZERO_WIDTH.decode(joined) or joined


def _undisguise(text: str) -> str:
    """Look-alike letters and leetspeak undone, each where that reads better at all: the plain text is judged beside it."""
    for encoding in (HOMOGLYPHS, LEETSPEAK):
        decoded = encoding.decode(text)
        if decoded is not None and reading(decoded) > reading(text):
            text = decoded
    return text


def _base64_spans(text: str) -> Iterator[str]:
    """The whole text, which may be wrapped into lines, and then each run within it."""
    yield text
    for match in _BASE64_RUN.finditer(text):
        yield match[0]


def _segments(text: str) -> Iterator[str]:
    """The whole text, and then its parts between line breaks, quotation marks and colons."""
    yield text
    for part in _BREAKS.split(text):
        yield part.strip()


def _decode(encoding: Encoding, spans: Iterator[str]) -> str:
    """What the spans say decoded, where that reads clearly better. When the first span, the whole text, does, it is enough."""
    found: list[str] = []
    for index, span in enumerate(spans):
        if len(span) < _SHORTEST:
            continue
        decoded = encoding.decode(span)
        if decoded is None or reading(decoded) < reading(span) + _MARGIN:
            continue
        if index == 0:
            return decoded
        found.append(decoded)
    return "\n".join(found)
