"""Characters that look like others, or like nothing, and letters kept apart."""

from __future__ import annotations

import re

from fairlead.encodings.alphabets import FROM_HOMOGLYPH, FROM_LEET, TO_HOMOGLYPH, TO_LEET, ZERO_WIDTH_CHARACTERS
from fairlead.encodings.pair import Encoding, changed

_ZERO_WIDTH = re.compile(f"[{''.join(ZERO_WIDTH_CHARACTERS)}]")
_TAGS = 0xE0000
_TAG = re.compile(r"[\U000E0000-\U000E007F]")
_SELECTOR = re.compile(r"[\U000E0100-\U000E01EF\uFE00-\uFE0F]")
_FROM_TAG = {_TAGS + point: point for point in range(0x20, 0x7F)} | dict.fromkeys((_TAGS, _TAGS + 1, _TAGS + 0x7F), "")
# Letters with the same mark after each. Between single characters one space stands for none, and more for one.
_MARKED = re.compile(r"(?<![^\W_])[^\W_]([.*_|/~+,-])[^\W_](?:\1[^\W_])*(?![^\W_])")
_SPACED = re.compile(r"(?<!\S)\S(?:\s{1,3}\S)+(?![^\s.,;:!?])")
_INSIDE = re.compile(r"(?<=[^\W_])(?=[^\W_])")


def _to_zero_width(text: str) -> str:
    return "\u200b".join(text)


def _to_tags(text: str) -> str:
    """ASCII as characters of the tag block, which are not shown; others stay."""
    return "".join(chr(_TAGS + ord(c)) if " " <= c <= "~" else c for c in text)


def _from_tags(text: str) -> str | None:
    return changed(text, text.translate(_FROM_TAG)) if _TAG.search(text) else None


def _to_selectors(text: str) -> str:
    """The bytes of the text as variation selectors behind one character (P. Butler, "Smuggling arbitrary data", 2025)."""
    raw = text.encode("utf-8", "replace")
    return "\U0001f600" + "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in raw)


def _from_selectors(text: str) -> str | None:
    points = map(ord, _SELECTOR.findall(text))
    raw = bytes(point - 0xFE00 if point < _TAGS else point - 0xE0100 + 16 for point in points)
    try:
        return changed(text, raw.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _close_up(match: re.Match[str]) -> str:
    return " ".join("".join(word.split()) for word in re.split(r"\s{2,}", match[0]))


def _from_spaced(text: str) -> str | None:
    return changed(text, _SPACED.sub(_close_up, text))


def _from_marked(text: str) -> str | None:
    return changed(text, _MARKED.sub(lambda match: match[0].replace(match[1], ""), text))


def _marked(name: str, mark: str) -> Encoding:
    return Encoding(name, lambda text: _INSIDE.sub(mark, text), _from_marked)


LEETSPEAK = Encoding("leetspeak", lambda text: text.translate(TO_LEET), lambda text: changed(text, text.translate(FROM_LEET)))
HOMOGLYPHS = Encoding(
    "homoglyphs", lambda text: text.translate(TO_HOMOGLYPH), lambda text: changed(text, text.translate(FROM_HOMOGLYPH))
)
ZERO_WIDTH = Encoding("zero-width", _to_zero_width, lambda text: changed(text, _ZERO_WIDTH.sub("", text)))
TAGS = Encoding("tags", _to_tags, _from_tags)
SELECTORS = Encoding("selectors", _to_selectors, _from_selectors)
SPACED = Encoding("spaced", lambda text: "   ".join(" ".join(word) for word in text.split()), _from_spaced)
HYPHENATED, DOTTED = _marked("hyphenated", "-"), _marked("dotted", ".")
