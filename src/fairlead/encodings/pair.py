"""What every disguise is: a name, a way to put it on, a way to take it off."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Encoding(NamedTuple):
    """A disguise. `decode` answers None when the text is not in it, or when decoding would change nothing."""

    name: str
    encode: Callable[[str], str]
    decode: Callable[[str], str | None]


def changed(text: str, decoded: str | None) -> str | None:
    """`decoded`, or None when nothing is left of it or it is `text` itself."""
    return decoded if decoded and decoded != text else None
