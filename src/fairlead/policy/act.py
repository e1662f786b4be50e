"""What a rule can do to a request or an account, and which of two actions is the stricter."""

from __future__ import annotations

import re

from fairlead.policy.nearest import nearest

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

_WRITTEN = re.compile(r"([a-z_]+)(?:\((.*)\))?", re.DOTALL)
_POINTS = re.compile(r"[1-9]\d{0,3}", re.ASCII)


class Act(str):
    """One action as a policy writes it: `block`, or with points `strike(2)`. A text whose form was checked at birth."""

    __slots__ = ("name", "points")

    name: str
    points: int

    def __new__(cls, text: str) -> Act:
        """Raises ValueError, with the nearest known action, for anything that is not one."""
        match = _WRITTEN.fullmatch(text)
        if match is None or match[1] not in STRICTNESS:
            raise ValueError(f"unknown action {text!r}; {nearest(match[1] if match else text, STRICTNESS)}")
        act = super().__new__(cls, text)
        if (pointed := match[2] is not None) != (match[1] == "strike") or (pointed and not _POINTS.fullmatch(match[2])):
            raise ValueError(f"action {text!r}: whole points go with `strike`, as in strike(2), and with nothing else")
        act.name, act.points = match[1], int(match[2] or 0)
        return act

    @property
    def strictness(self) -> int:
        """Position in the order from mild to strict."""
        return STRICTNESS[self.name]
