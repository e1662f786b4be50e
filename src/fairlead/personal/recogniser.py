"""What a recogniser is: one RE2 expression, and a look at what it matched."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Span(Struct, frozen=True, order=True):
    """Where something was found: `text[start:end]` is of the kind. It holds no text."""

    start: int
    end: int
    kind: str


class Recogniser(Struct, frozen=True):
    """`pattern` is RE2 over Latin-1 (`find` folds other characters). The datum is its first group that matched, or all of it.

    A pattern may look ahead of where its match ends by a bounded number of characters only, so that looking for all matches
    takes time in proportion to the text. `holds` says of a datum whether it is one. `needs` is a simpler expression that is
    found in every text in which the pattern is: recognisers with the same one are looked for only where it was found.
    """

    kind: str
    pattern: str
    holds: Callable[[str], bool] | None = None
    needs: str = ""


#: What most data need: five digits with little between them, or a word as long as a key.
NUMBER = r"\d[ ().\-/]{0,3}\d[ ().\-/]{0,3}\d[ ().\-/]{0,3}\d[ ().\-/]{0,3}\d"
LONG = r"[0-9A-Za-z_+/=\-]{15}"


def digits(datum: str) -> str:
    """Its digits alone."""
    return "".join(filter(str.isdigit, datum))


def labelled(words: str, datum: str) -> str:
    """A pattern for `datum` after one of `words`, on the same line or alone on the next. Neither may be part of a longer word.

    The gap between them holds no digit, so that a label cannot reach over another number, and no bracket, so that it cannot
    reach over what is masked already.
    """
    return rf"{label(words)}(?:[^0-9\n\[\]]{{0,24}}?|[ \t]{{0,4}}:?[ \t]{{0,4}}\r?\n[ \t]{{0,8}})({datum})"


def label(words: str) -> str:
    """One of `words`, no part of a longer word: what a pattern that is `labelled` needs."""
    return rf"(?:\b|_)(?:{words})(?:\b|_)"
