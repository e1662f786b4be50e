"""What a rule can do to a request or an account, and which of two actions is the stricter."""

from __future__ import annotations

import difflib
import re

# From the mildest to the strictest. What happens to the request and what happens to the account are different questions;
# one order over both lets "a tier that is not named takes the strictest list" have one meaning.
STRICTNESS: dict[str, int] = {
    "allow": 0,
    "flag": 1,
    "case": 2,
    "throttle": 3,
    "redact": 4,
    "safe_complete": 5,
    "review": 6,
    "strike": 7,
    "tier_down": 8,
    "block": 9,
}

_WRITTEN = re.compile(r"([a-z_]+)(?:\((\d{1,4})\))?")


class Act(str):
    """One action as a policy writes it: `block`, or with points `strike(2)`. A text whose form was checked at birth."""

    __slots__ = ("name", "points")

    name: str
    points: int

    def __new__(cls, text: str) -> Act:
        """Raises ValueError, with the nearest known action, for anything that is not one."""
        match = _WRITTEN.fullmatch(text)
        if match is None or match[1] not in STRICTNESS:
            near = difflib.get_close_matches(match[1] if match else text, STRICTNESS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(STRICTNESS)}"
            raise ValueError(f"unknown action {text!r}; {hint}")
        act = super().__new__(cls, text)
        act.name, act.points = match[1], int(match[2] or 0)
        if (act.points > 0) != (act.name == "strike"):
            raise ValueError(f"action {text!r}: points go with `strike`, as in strike(2), and with nothing else")
        return act

    @property
    def strictness(self) -> int:
        """Position in the order from mild to strict."""
        return STRICTNESS[self.name]
