"""What a mistyped word was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_FEW = 10  # so many right words are named beside the nearest


def nearest(word: str, known: Collection[str]) -> str:
    """A hint: the nearest of the known words, if one is near, and all of them where none is or where they are few."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]!r}?" if near else ""
    listed = f"known: {', '.join(known) or 'none'}" if not near or 1 < len(known) <= _FEW else ""
    return " ".join(filter(None, (meant, listed)))
