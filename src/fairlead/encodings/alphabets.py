"""The characters that the disguises write and read. Every table maps one character to one character."""

from __future__ import annotations

import re
import unicodedata

TO_LEET = str.maketrans("aeiostAEIOST", "431057431057")

# More signs are read than are written. `1` stands for `i` as often as for `l`: one reading has to do.
FROM_LEET: dict[int, int] = str.maketrans("01345789@$|!", "oieastbgasli")

# A twin for each Latin letter that has a convincing one in Cyrillic or Greek.
_TWINS = {
    "a": "а", "c": "с", "e": "е", "i": "і", "j": "ј", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у", "d": "ԁ", "h": "һ",
    "q": "ԛ", "w": "ԝ", "v": "ν",
    "A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "I": "І", "J": "Ј", "K": "К", "M": "М", "N": "Ν", "O": "О", "P": "Р",
    "S": "Ѕ", "T": "Т", "X": "Х", "Y": "Υ", "Z": "Ζ",
}  # fmt: skip

# Read but never written: other look-alikes of the same letters.
_READ_ONLY = {
    "α": "a", "ϲ": "c", "ο": "o", "ρ": "p", "ι": "i", "κ": "k", "к": "k", "м": "m", "т": "t", "в": "b", "н": "h", "υ": "u",
    "τ": "t", "χ": "x", "γ": "y", "η": "n", "ɡ": "g", "ɑ": "a", "ı": "i", "ӏ": "l", "һ": "h", "ո": "n", "օ": "o", "ս": "u",
    "Α": "A", "Β": "B", "Ε": "E", "Η": "H", "Ι": "I", "Κ": "K", "Μ": "M", "Ο": "O", "Ρ": "P", "Τ": "T", "Χ": "X", "У": "Y",
}  # fmt: skip

_CHEROKEE = dict(zip("ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ", "ABCDEGHJKLMPRSTVWZ", strict=True))

# Letters in another dress that compatibility forms keep apart: small capitals, letters in dark discs, flags, turned letters.
_DRESSED = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER|REGIONAL INDICATOR SYMBOL LETTER"
    r"|LATIN SMALL LETTER (?:TURNED|REVERSED|SCRIPT|OPEN|DOTLESS)) ([A-Z])"
)


def _dressed() -> dict[str, str]:
    points = (*range(0x180, 0x2B0), *range(0x1D00, 0x1D80), *range(0xA730, 0xA800), *range(0x1F150, 0x1F200))
    found = ((chr(point), _DRESSED.fullmatch(unicodedata.name(chr(point), ""))) for point in points)
    return {character: match[1].lower() for character, match in found if match}


TO_HOMOGLYPH = str.maketrans(_TWINS)
FROM_HOMOGLYPH = str.maketrans(_dressed() | _CHEROKEE | _READ_ONLY | {twin: letter for letter, twin in _TWINS.items()})

#: Characters that show nothing: zero-width spaces and joiners, word joiner, invisible operators, soft hyphen, byte-order mark,
#: direction marks and overrides, variation selectors.
ZERO_WIDTH_CHARACTERS: tuple[str, ...] = tuple(
    chr(point)
    for first, last in (
        (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x180B, 0x180E), (0x200B, 0x200F),
        (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for point in range(first, last + 1)
)  # fmt: skip
