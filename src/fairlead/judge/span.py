"""A stretch of a text that hides something, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Span(Struct, frozen=True):
    """`text[start:end]` undone by the disguise `name` is `decoded`."""

    start: int
    end: int
    name: str
    decoded: str


class Undone(Struct, frozen=True):
    """A text with its spans undone: `in_place` among the words around them, `alone` without those.

    They are the same when there is nothing around the spans but white space and signs.
    """

    name: str
    in_place: str
    alone: str


def undo(text: str, spans: Sequence[Span]) -> Undone | None:
    """What `text` says with `spans`, which are in order and do not overlap, undone; None without spans."""
    if not spans:
        return None
    around, parts, at = [], [], 0
    for span in spans:
        around.append(text[at : span.start])
        parts += [text[at : span.start], span.decoded]
        at = span.end
    parts.append(text[at:])
    name = "+".join(dict.fromkeys(span.name for span in spans))
    in_place = "".join(parts)
    carried = any(character.isalnum() for piece in (*around, text[at:]) for character in piece)
    return Undone(name, in_place, "\n".join(span.decoded.strip() for span in spans) if carried else in_place)
