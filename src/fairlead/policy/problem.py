"""Something that is wrong in a policy, and where."""

from __future__ import annotations

from msgspec import Struct


class Problem(Struct, frozen=True):
    """`path` leads to the part of the file, as in `$.rules[3].act`; `text` says what is wrong and what would be right."""

    path: str
    text: str
