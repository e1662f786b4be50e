"""A measured number, with all that is needed to believe it."""

from __future__ import annotations

from msgspec import Struct


class Figure(Struct, frozen=True):
    """`value` with its 95 % interval [`low`, `high`] over `n` items.

    None stands for "not measured" and is never a pass. `errors` counts the items that could not be assessed; they are in no
    rate's favour. `judge` names what decided the items (a card or `gold`), `rival` a value measured beside ours.
    """

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: int = 0
    errors: int = 0
    judge: str = ""
    rival: float | None = None
