"""The disguises, each a pair of pure functions, in one table.

`decode` is total: it takes any string, runs in linear time, never gives more characters than it got, and answers None when
the text is not in that encoding or when decoding would change nothing. It does not ask whether the result makes sense:
`fairlead.judge.views` does.

Round trips: where `encode` changes `x`, `decode(encode(x)) == x` for `NUMBERED`, `ESCAPED` and `CIPHERS` but pig latin, which
does not keep where a moved cluster began. For the others where `x` holds none of the characters or forms that they read, up to
case (leetspeak) and white space (spaced, comment).
"""

from __future__ import annotations

from fairlead.encodings.bases import (
    BASE32,
    BASE64,
    BASE64_URL,
    BINARY,
    BINARY_UNSPACED,
    DECIMAL,
    HEX,
    HEX_SPACED,
    OCTAL,
)  # fmt: skip
from fairlead.encodings.carriers import COMMENT, JSON, SPLIT
from fairlead.encodings.ciphers import ATBASH, PIG_LATIN, REVERSED, REVERSED_LETTERS, REVERSED_ORDER, ROT13, ROTATIONS
from fairlead.encodings.escapes import (
    BYTE_ESCAPES,
    HTML,
    HTML_HEX,
    HTML_NAMES,
    OCTAL_ESCAPES,
    PERCENT,
    QUOTED,
    UNICODE_ESCAPES,
)  # fmt: skip
from fairlead.encodings.looks import DOTTED, HOMOGLYPHS, HYPHENATED, LEETSPEAK, SELECTORS, SPACED, TAGS, ZERO_WIDTH
from fairlead.encodings.pair import Encoding

__all__ = [
    "BASE64", "CARRIED", "CIPHERS", "ENCODINGS", "ESCAPED", "HOMOGLYPHS", "LEETSPEAK", "LOOKS", "NUMBERED", "REVERSED", "ROT13",
    "ZERO_WIDTH", "Encoding",
]  # fmt: skip

#: Written as digits: the whole span is in the encoding.
NUMBERED = (BASE64, BASE64_URL, BASE32, HEX, HEX_SPACED, BINARY, BINARY_UNSPACED, OCTAL, DECIMAL)
#: Written as escapes, among other text.
ESCAPED = (PERCENT, QUOTED, HTML, HTML_HEX, HTML_NAMES, BYTE_ESCAPES, UNICODE_ESCAPES, OCTAL_ESCAPES)
#: Letters in other places.
CIPHERS = (*ROTATIONS, ATBASH, REVERSED, REVERSED_LETTERS, REVERSED_ORDER, PIG_LATIN)
#: Characters that look like others, or like nothing.
LOOKS = (LEETSPEAK, HOMOGLYPHS, ZERO_WIDTH, TAGS, SELECTORS, SPACED, HYPHENATED, DOTTED)
#: Inside code or data.
CARRIED = (SPLIT, COMMENT, JSON)

ENCODINGS: tuple[Encoding, ...] = (*NUMBERED, *ESCAPED, *CIPHERS, *LOOKS, *CARRIED)
