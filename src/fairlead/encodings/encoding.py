"""Six disguises, each a pair of pure functions.

`decode` is total: it takes any string, runs in linear time, never gives more characters than it got, and answers None when
the text is not in that encoding or when decoding would change nothing. It does not ask whether the result makes sense:
`fairlead.judge.language` does.

Round trips: where `encode` changes `x`, `decode(encode(x)) == x` for base64, rot13 and reversed; for homoglyphs and zero-width
when `x` holds none of the characters that they write; for leetspeak up to case, when `x` holds none of its signs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

from fairlead.encodings.alphabets import FROM_HOMOGLYPH, FROM_LEET, TO_HOMOGLYPH, TO_LEET, ZERO_WIDTH_CHARACTERS


class Encoding(NamedTuple):
    """A disguise: its name, how to put it on, how to take it off."""

    name: str
    encode: Callable[[str], str]
    decode: Callable[[str], str | None]


_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ROT13 = str.maketrans(_LOWER + _UPPER, _LOWER[13:] + _LOWER[:13] + _UPPER[13:] + _UPPER[:13])
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_ZERO_WIDTH = re.compile(f"[{''.join(ZERO_WIDTH_CHARACTERS)}]")


def _changed(text: str, decoded: str) -> str | None:
    return decoded if decoded != text else None


def _to_base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _from_base64(text: str) -> str | None:
    """Both alphabets, wrapped lines and missing padding are read; the bytes must be UTF-8."""
    compact = "".join(text.split())
    if not _BASE64.fullmatch(compact):
        return None
    digits = compact.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode("utf-8") or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _rot13(text: str) -> str:
    return text.translate(_ROT13)


def _reverse(text: str) -> str:
    return text[::-1]


def _to_leet(text: str) -> str:
    return text.translate(TO_LEET)


def _to_homoglyphs(text: str) -> str:
    return text.translate(TO_HOMOGLYPH)


def _to_zero_width(text: str) -> str:
    return "\u200b".join(text)


BASE64 = Encoding("base64", _to_base64, _from_base64)
ROT13 = Encoding("rot13", _rot13, lambda text: _changed(text, _rot13(text)))
REVERSED = Encoding("reversed", _reverse, lambda text: _changed(text, _reverse(text)))
LEETSPEAK = Encoding("leetspeak", _to_leet, lambda text: _changed(text, text.translate(FROM_LEET)))
HOMOGLYPHS = Encoding("homoglyphs", _to_homoglyphs, lambda text: _changed(text, text.translate(FROM_HOMOGLYPH)))
ZERO_WIDTH = Encoding("zero-width", _to_zero_width, lambda text: _changed(text, _ZERO_WIDTH.sub("", text)))

ENCODINGS: tuple[Encoding, ...] = (BASE64, ROT13, REVERSED, LEETSPEAK, HOMOGLYPHS, ZERO_WIDTH)
