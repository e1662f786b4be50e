"""Letters that change places: rotations of the alphabet, Atbash, reversal, pig latin."""

from __future__ import annotations

import re
from collections.abc import Callable

from fairlead.encodings.pair import Encoding, changed

_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORD = re.compile(r"[^\W\d_]+")
#: A word of pig latin, or one that may become it.
PIG_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
_ONSET = re.compile(r"(?i:qu|[^aeiou\W\d_](?:qu|[^aeiouy\W\d_])*)")
_VOWELS = frozenset("aeiouAEIOU")
# The clusters with which English words begin: what a pig latin word may have moved to its end.
_CLUSTER = re.compile(
    "[b-df-hj-np-tv-z]|[bcfgps]l|[bcdfgpt]r|[cgprstw]h|kn|ps|qu|s[ckmnptw]|tw|wr|chr|phr|thr|sch|shr|s[cpt]r|spl|squ"
)


def letters_to(order: str) -> dict[int, int]:
    """The table that writes `order` for the alphabet, in both cases."""
    return str.maketrans(_LOWER + _UPPER, order + order.upper())


def rotation(by: int) -> dict[int, int]:
    """The table that moves each letter `by` places on."""
    return letters_to(_LOWER[by % 26 :] + _LOWER[: by % 26])


MIRROR = letters_to(_LOWER[::-1])


def _translated(table: dict[int, int]) -> Callable[[str], str]:
    return lambda text: text.translate(table)


def _untranslated(table: dict[int, int]) -> Callable[[str], str | None]:
    return lambda text: changed(text, text.translate(table))


def _rotated(by: int) -> Encoding:
    return Encoding(f"rot{by}", _translated(rotation(by)), _untranslated(rotation(-by)))


def _reverse(text: str) -> str:
    return text[::-1]


def _reverse_letters(text: str) -> str:
    """Each word backwards, in its place."""
    return _WORD.sub(lambda match: match[0][::-1], text)


def _reverse_order(text: str) -> str:
    """The last word first; white space keeps its place from the end."""
    return "".join(reversed(re.split(r"(\s+)", text)))


def _to_pig(match: re.Match[str]) -> str:
    word = match[0]
    onset = _ONSET.match(word)
    if word[0] in _VOWELS or onset is None or onset[0] == word:
        return word + "way"
    moved = word[len(onset[0]) :] + onset[0].lower() + "ay"
    return moved[0].upper() + moved[1:] if word[0].isupper() else moved


def _to_pig_latin(text: str) -> str:
    return PIG_WORD.sub(_to_pig, text)


def pig_words(word: str) -> list[str]:
    """The words that `word` may be the pig latin of, in lower case; the shortest moved cluster first."""
    stem = word.lower()
    found = []
    if stem.endswith(("way", "yay")) and len(stem) > 3:
        found.append(stem[:-3])
    if stem.endswith("ay") and len(stem) > 3:
        stem = stem[:-2]
        found += [stem[-n:] + stem[:-n] for n in range(1, min(4, len(stem))) if _CLUSTER.fullmatch(stem[-n:])]
    return found


def _pig_word(match: re.Match[str]) -> str:
    """The vowel-first reading where the stem begins with a vowel, else the longest cluster that English words begin with."""
    found = pig_words(match[0])
    if not found:
        return match[0]
    vowel_first = match[0][-3].lower() == "w" and match[0][0] in _VOWELS
    word = found[0] if vowel_first else found[-1]
    return word[0].upper() + word[1:] if match[0][0].isupper() else word


def _from_pig_latin(text: str) -> str | None:
    return changed(text, PIG_WORD.sub(_pig_word, text))


ROTATIONS: tuple[Encoding, ...] = tuple(_rotated(by) for by in range(1, 26))
ROT13 = ROTATIONS[12]
ATBASH = Encoding("atbash", _translated(MIRROR), _untranslated(MIRROR))
REVERSED = Encoding("reversed", _reverse, lambda text: changed(text, _reverse(text)))
REVERSED_LETTERS = Encoding("reversed-letters", _reverse_letters, lambda text: changed(text, _reverse_letters(text)))
REVERSED_ORDER = Encoding("reversed-order", _reverse_order, lambda text: changed(text, _reverse_order(text)))
PIG_LATIN = Encoding("pig-latin", _to_pig_latin, _from_pig_latin)
