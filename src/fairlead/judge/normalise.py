"""A text as a person sees it: compatibility forms, characters that show nothing, look-alikes, letters apart, leetspeak."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import numpy as np
import re2
from numpy.typing import NDArray

from fairlead.encodings.alphabets import FROM_HOMOGLYPH, FROM_LEET, ZERO_WIDTH_CHARACTERS
from fairlead.encodings.looks import DOTTED, SELECTORS, SPACED, TAGS, ZERO_WIDTH
from fairlead.judge.language import SPACE, classes, likelihoods, reading
from fairlead.judge.sample import WORDS
from fairlead.judge.span import Undone

_BLOCK = 1_024
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_MANY_MARKS = 4
_HIDDEN = re.compile(r"[\U000E0000-\U000E007F]")
_SMUGGLED = re.compile(r"[\ufe00-\ufe0f\U000E0100-\U000E01EF]{8,}")
_SHOWN = "[A-Za-z0-9\u00c0-\u024f]"
_NOTHING = f"[{''.join(ZERO_WIDTH_CHARACTERS)}]+"
_BESIDE = re.compile(f"(?<!{_SHOWN}){_NOTHING}|{_NOTHING}(?!{_SHOWN}|{_NOTHING})")
_SHORTEST = 8
_UNREADABLE = -4.2

_TWIN = re.compile("[" + "".join(map(chr, FROM_HOMOGLYPH)) + "]")
_WORD = re.compile(r"[\w'’-]+")
_LATIN, _FOREIGN = re.compile(r"[A-Za-z]"), re.compile(r"[^\W\d_\u0000-\u024f]")
_APART = re2.compile(r"(?:^|\s)[\pL\pN](?:\s{1,3}[\pL\pN]){3}|[\pL\pN](?:[.*_|/~+,-][\pL\pN]){3}")
_LEET = re2.compile(r"[A-Za-z][0-9@$|!]{1,4}[A-Za-z]|\b[0-9$|]{1,4}[A-Za-z]|[A-Za-z][0-9]{1,3}\b")

_SPELT = 0.8
_SIGNS = "0-9@$|!"
_LEET_WORD = re.compile(
    rf"(?<![\w@.#/:$|!'’])(?!@)(?=[{_SIGNS}]*[A-Za-z'’])(?=[A-Za-z'’]*[{_SIGNS}])[A-Za-z{_SIGNS}'’]*[A-Za-z0-9@$](?![.:/]?\w)"
)
_UNITS = re.compile(
    r"(?i)\$?\d+(?:st|nd|rd|th|s|am|pm|[a-z]|cm|mm|kg|km|ml|mg|gb|mb|tb|kb|hz|px|oz|lb|lbs|ft|min|hr|hrs|yo|yr)?|[a-z]+\d+"
)
_FEW = re.compile(r"(?<![\w.,:/$%#-])(?=[A-Za-z]*[0134579])[A-Za-z0134579]{1,5}(?![.,:/%-]?\w)")
_LEET_GAIN, _LEET_READABLE = 0.9, -4.6  # nats a character
_ONE_LETTER = frozenset("ai")
_LIKE_A_WORD = -3.2
_L_FOR_ONE = {**FROM_LEET, ord("1"): ord("l")}


def clean(text: str, most: int) -> str:
    """Compatibility forms and characters that show nothing removed; no more than `most` characters.

    By blocks, since NFKC orders combining marks in time quadratic in the length of their run.
    """
    if text.isascii():
        return text
    joined = _form("NFKC", text)[:most]
    if len(_MARKS.findall(joined)) >= _MANY_MARKS:
        joined = _form("NFKC", _MARKS.sub("", _form("NFKD", joined)))[:most]
    return _HIDDEN.sub("", ZERO_WIDTH.decode(joined) or joined)


def unadorned(text: str) -> str:
    """The text with the differences away that hide nothing: signs and spaces of another form, marks beside no letter."""
    if text.isascii():
        return text
    forms = {c: unicodedata.normalize("NFKC", c) for c in set(text) if not c.isascii()}
    table = {ord(c): form for c, form in forms.items() if form != c and not _LATIN.search(form)}
    return _BESIDE.sub("", text).translate(table)


def _form(form: Literal["NFKC", "NFKD"], text: str) -> str:
    return "".join(unicodedata.normalize(form, text[i : i + _BLOCK]) for i in range(0, len(text), _BLOCK))


def smuggled(text: str) -> Undone | None:
    """What is written in tag characters or variation selectors, which are not shown."""
    if text.isascii():
        return None
    found: dict[str, str] = {}
    tags = "".join(_HIDDEN.findall(text))
    found["tags"] = (TAGS.decode(tags) or "") if tags else ""
    found["selectors"] = "\n".join(SELECTORS.decode(run) or "" for run in _SMUGGLED.findall(text))
    found = {name: hidden for name, hidden in found.items() if len(hidden) >= _SHORTEST and reading(hidden) > _UNREADABLE}
    if not found:
        return None
    hidden = "\n".join(found.values())
    return Undone("+".join(found), hidden, hidden)


def undisguise(text: str) -> str:
    """Look-alike letters, letters apart and leetspeak undone, each where that reads better."""
    return _leet(_apart(_twins(text)))


def _twins(text: str) -> str:
    """Look-alikes turned into Latin letters in the words that become all Latin.

    A word of nothing but look-alikes may be Russian or Greek: it stays where that is the script of most other letters.
    """
    if text.isascii() or not _TWIN.search(text):
        return text
    mixed = _WORD.sub(lambda match: _latin(match[0]) if _LATIN.search(match[0]) else match[0], text)
    turned = _WORD.sub(lambda match: _latin(match[0]), mixed)
    if len(_FOREIGN.findall(turned)) > len(_LATIN.findall(mixed)):
        turned = mixed
    return turned if turned != text and reading(turned) > reading(text) else text


def _latin(word: str) -> str:
    turned = word.translate(FROM_HOMOGLYPH)
    return word if _FOREIGN.search(turned) else turned


def _apart(text: str) -> str:
    if not _APART.search(text):
        return text
    for encoding in (DOTTED, SPACED):
        closed = encoding.decode(text)
        if closed is not None and (_is_spelt(text) or reading(closed) > reading(text)):
            text = closed
    return text


def _is_spelt(text: str) -> bool:
    """Nearly all of the text is letters apart: what they say may itself be disguised, and need not read better."""
    words = text.split()
    return sum(len(word) == 1 for word in words) > _SPELT * len(words)


def _leet(text: str) -> str:
    """Signs turned into letters in the words that clearly read better so; what is short becomes a common word, beside such."""
    if not _LEET.search(text):
        return text
    words = list(_LEET_WORD.finditer(text))
    if not words:
        return text
    forms = [" ".join(["", *(match[0].translate(table) for match in words), ""]) for table in ({}, FROM_LEET, _L_FOR_ONE)]
    lines = [classes(form) for form in forms]
    spaces = np.flatnonzero(lines[0] == SPACE)
    lengths = np.diff(spaces)
    here, with_i, with_l = (np.add.reduceat(np.pad(likelihoods(line), (2, 0)), spaces[:-1] + 1) / lengths for line in lines)
    best = np.maximum(with_i, with_l)
    better = (best > here + _LEET_GAIN) & (best > _LEET_READABLE)
    if not _is_leet(words, better):
        return text
    pieces, at = [], 0
    for match, ours, as_l in zip(words, better, with_i < with_l, strict=True):
        if ours:
            pieces += [text[at : match.start()], match[0].translate(_L_FOR_ONE if as_l else FROM_LEET)]
            at = match.end()
    return _FEW.sub(_known_word, "".join([*pieces, text[at:]]))


def _is_leet(words: list[re.Match[str]], better: NDArray[np.bool_]) -> bool:
    """Two words that read better, or one of four letters; not `2nd`, `10am`, `mp3`, which read better, too."""
    clear = [match[0] for match, ours in zip(words, better, strict=True) if ours and not _UNITS.fullmatch(match[0])]
    return len(clear) >= 2 or any(len(word) >= 4 for word in clear)


def _known_word(match: re.Match[str]) -> str:
    word = match[0].translate(FROM_LEET)
    low = word.lower()
    like = low in WORDS or low in _ONE_LETTER or (len(low) > 2 and reading(low) > _LIKE_A_WORD)
    return word if like else match[0]
