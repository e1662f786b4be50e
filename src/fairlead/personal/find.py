"""Finding personal data and secrets in a text, and masking them.

What is not here: names, which no pattern tells from other words; what a text says of somebody without a number or an address;
data in pictures; data that is encoded, spelt out or broken by characters that are not seen.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import re2

from fairlead.personal import contact, credentials, identity, issued, money
from fairlead.personal.recogniser import Recogniser, Span

#: The most specific first.
RECOGNISERS: tuple[Recogniser, ...] = (
    *issued.RECOGNISERS, *credentials.RECOGNISERS, *money.RECOGNISERS, *identity.RECOGNISERS, *contact.RECOGNISERS,
)  # fmt: skip
KINDS = tuple(dict.fromkeys(recogniser.kind for recogniser in RECOGNISERS))
#: What a text becomes of which masking does not come to an end.
WITHHELD = "[withheld]"

_ROUNDS = 8
_LONG = 2_000  # characters
_MEMORY = 32 << 20  # bytes for the automaton of a set of patterns: it is built from what it reads, and anew when full


def find(text: str) -> list[Span]:
    """What is found, from left to right, without overlap: where two meet, all of both is of the more specific kind."""
    read = _folded(text)
    raw = read.encode("latin-1")
    return list(_merged(sorted((*at, rank) for rank in _ranks(raw) for at in _all(rank, read, raw))))


def mask(text: str) -> str:
    """The text with `[kind]` in the place of whatever `find` finds; `find` finds nothing in it.

    A mark can uncover what stood beside it, so it is looked for again. A text that is made so that this goes on and on is
    withheld whole: masking costs a constant number of readings.
    """
    for _ in range(_ROUNDS):
        spans = find(text)
        if not spans:
            return text
        pieces, end = [], 0
        for span in spans:
            pieces += [text[end : span.start], f"[{span.kind}]"]
            end = span.end
        text = "".join([*pieces, text[end:]])
    return WITHHELD if find(text) else text


def _merged(found: Iterable[tuple[int, int, int]]) -> Iterator[Span]:
    """From (start, end, rank), ordered: what overlaps becomes one."""
    start, end, rank = 0, 0, 0
    for at in found:
        if at[0] < end:
            end, rank = max(end, at[1]), min(rank, at[2])
            continue
        if end:
            yield Span(start, end, RECOGNISERS[rank].kind)
        start, end, rank = at
    if end:
        yield Span(start, end, RECOGNISERS[rank].kind)


def _all(rank: int, read: str, raw: bytes) -> Iterator[tuple[int, int]]:
    """Where one recogniser holds. After a match that does not it goes on behind its first word; behind all of a long one, so
    that no character is read more than `_LONG` times."""
    pattern, holds = _PATTERNS[rank], RECOGNISERS[rank].holds
    at = 0
    while match := pattern.search(raw, at):
        start, end = match.span(1) if pattern.groups and match.span(1) != (-1, -1) else match.span()
        if end > start and _alone(read, start, end) and (holds is None or holds(read[start:end])):
            yield start, end
            at = end
        elif match.end() - match.start() > _LONG:
            at = match.end()
        else:
            at = match.start() + 1
            while at < match.end() and read[at].isalnum() and read[at - 1].isalnum():
                at += 1


def _alone(read: str, start: int, end: int) -> bool:
    """Whether it is no part of a longer word or number: 1.5 and 2-3 are one number here, and so are words joined by `_`."""
    before, after = read[max(0, start - 2) : start], read[end : end + 2]
    first, last = read[start], read[end - 1]
    if (_wordy(first) or first == "+") and before and _wordy(before[-1]):
        return False
    if _wordy(last) and after and _wordy(after[0]):
        return False
    if first.isdigit() and len(before) == 2 and before[0].isdigit() and before[1] in ".,-":
        return False
    return not (last.isdigit() and len(after) == 2 and after[0] in ".,-" and after[1].isdigit())


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"


class _Fold(dict[int, int]):
    """Each character as one of Latin-1, so that offsets stay: digits of any script, wide letters, any space, dash or quote."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        plain = unicodedata.normalize("NFKC", character)
        category = unicodedata.category(character)
        if len(plain) == 1 and ord(plain) < 0x100 and plain.isprintable() and plain != character:
            folded = plain
        elif category == "Nd":
            folded = str(unicodedata.decimal(character))
        elif character in "\u2028\u2029\x85":
            folded = "\n"
        elif category[0] == "Z":
            folded = " "
        elif category == "Pd" or code == 0x2212:
            folded = "-"
        elif character in "‘’‛′":
            folded = "'"
        elif character in "“”‟″":
            folded = '"'
        elif code < 0x100:
            folded = character
        elif category[0] in "LM":
            folded = "Þ" if character.isupper() else "þ"
        else:
            folded = "¤"
        self[code] = ord(folded)
        return self[code]


_FOLD = _Fold()
_LATIN = bytes(_FOLD[code] for code in range(256))


def _fold_rest(error: UnicodeError) -> tuple[str, int]:
    """What Latin-1 cannot encode, folded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].translate(_FOLD), error.end


codecs.register_error("fairlead.fold", _fold_rest)


def _folded(text: str) -> str:
    """`text.translate(_FOLD)`, which looks up each character; here only those beyond Latin-1 are."""
    return text if text.isascii() else text.encode("latin-1", "fairlead.fold").translate(_LATIN).decode("latin-1")


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def _set(patterns: Iterable[str]) -> Any:
    found = re2.Set.SearchSet(_OPTIONS)
    for pattern in patterns:
        found.Add(pattern.encode("latin-1"))
    found.Compile()
    return found


def _ranks(raw: bytes) -> Iterator[int]:
    """The recognisers whose pattern is somewhere in the text. Most texts hold nothing that one of them needs."""
    for needed in _NEEDS.Match(raw) or ():
        ranks, patterns = _GROUPS[needed]
        yield from (ranks[index] for index in patterns.Match(raw) or ())


_OPTIONS = _options()
_PATTERNS = [re2.compile(recogniser.pattern.encode("latin-1"), _OPTIONS) for recogniser in RECOGNISERS]
_RANKS: dict[str, list[int]] = {}  # of the recognisers that need the same
for _rank, _recogniser in enumerate(RECOGNISERS):
    _RANKS.setdefault(_recogniser.needs, []).append(_rank)
_NEEDS = _set(_RANKS)
_GROUPS = [(ranks, _set(RECOGNISERS[rank].pattern for rank in ranks)) for ranks in _RANKS.values()]
