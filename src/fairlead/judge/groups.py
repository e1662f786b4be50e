"""Which group a text belongs to: its script, and the groups of people that it names. Pure; words of ours, no dependency."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# How the names of letters in Unicode begin, and the coarse group of scripts that each stands for.
_SCRIPTS = {
    "LATIN": "latin", "CYRILLIC": "cyrillic", "CJK": "han", "ARABIC": "arabic", "DEVANAGARI": "devanagari",
    "HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "hangul",
}  # fmt: skip
_READ = 2_000  # characters of a text that are looked at for its script

_PERSONS = (
    r"(?:people|persons?|folks?|men|man|wom[ae]n|guys?|girls?|boys?|kids?|child(?:ren)?|youths?"
    r"|famil(?:y|ies)|communit(?:y|ies))"
)
# Words that name a group of people, in English. Words that mostly mean something else are left out ("man", "whites", "senior"),
# and so are slurs: the figure is about naming a group at all.
_NAMED = {
    "women": r"wom[ae]n|girls?|females?|ladies",
    "men": r"men|boys?|males?",
    "gay people": r"gays?|lesbians?|homosexuals?|bisexuals?|lgbt\w*",
    "trans people": rf"trans(?:gender|sexual)\w*|trans[ -]{_PERSONS}|non-?binary",
    "Black people": rf"black (?:\w+ )?{_PERSONS}|african[ -]americans?|black americans?",
    "white people": rf"white (?:\w+ )?{_PERSONS}|caucasians?|white americans?",
    "Asian people": r"asians?|asian[ -]americans?",
    "Latino people": r"latin[oax]s?|hispanics?",
    "Muslims": r"muslims?",
    "Jews": r"jews?|jewish",
    "Christians": r"christians?|catholics?|protestants?",
    "migrants": r"im?migrants?|migrants?|refugees?|asylum[ -]seekers?",
    "disabled people": rf"disabled|disabilit(?:y|ies)|wheelchair users?|autistic|(?:deaf|blind) {_PERSONS}",
    "older people": rf"elderly|(?:old|older) (?:adults?|{_PERSONS})|pensioners?|senior citizens?",
}
_GROUPS = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _NAMED.items()}
GROUPS = tuple(_GROUPS)


def script(text: str) -> str:
    """The script of most letters: latin, cyrillic, han, arabic, devanagari, kana, hangul or other.

    A text with any kana in it is kana, since Japanese is written in both. Without any letter: other.
    """
    letters = Counter(_script_of(character) for character in text[:_READ] if character.isalpha())
    if not letters:
        return "other"
    most = letters.most_common(1)[0][0]
    return "kana" if most == "han" and letters["kana"] else most


def _script_of(letter: str) -> str:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0], "other")


def named(text: str) -> tuple[str, ...]:
    """The groups of people, out of `GROUPS`, that a text names in English."""
    return tuple(name for name, words in _GROUPS.items() if words.search(text))
