"""The states of a rule's life, and on whom a rule acts in each: draft → shadow → canary(%) → enforce → retired."""

from __future__ import annotations

import re

from fairlead.policy.nearest import nearest
from fairlead.records.streams import key

#: In the order of a rule's life. A rule that is retired never comes back.
STATES = ("draft", "shadow", "canary", "enforce", "retired")
_WRITTEN = re.compile(r"([a-z]+)(?:\((.*)\))?", re.DOTALL)
_PERCENT = re.compile(r"0*(?:[1-9]\d?|100)", re.ASCII)


class State(str):
    """A state as a policy writes it: `enforce`, or with its share of accounts `canary(10)`. A text checked at birth."""

    __slots__ = ("name", "percent")

    name: str
    percent: int

    def __new__(cls, text: str) -> State:
        """Raises ValueError, with the nearest known state, for anything that is not one."""
        match = _WRITTEN.fullmatch(text)
        if match is None or match[1] not in STATES:
            raise ValueError(f"unknown state {text!r}; {nearest(match[1] if match else text, STATES)}")
        if match[1] == "canary" and not _PERCENT.fullmatch(match[2] or ""):
            needs = "needs its share of the accounts, a whole number of per cent from 1 to 100, as in canary(10)"
            raise ValueError(f"state {text!r} {needs}")
        if match[1] != "canary" and match[2] is not None:
            raise ValueError(f"state {text!r}: only a canary has a share of the accounts, as in canary(10)")
        state = super().__new__(cls, text)
        state.name, state.percent = match[1], int(match[2] or 0)
        return state

    @property
    def alive(self) -> bool:
        """Whether the rule is judged at all."""
        return self.name not in ("draft", "retired")

    def acts_on(self, rule: str, account: str | None) -> bool:
        """Whether the rule, in this state, acts on the account; when it does not, it is noted only.

        Each account has a fixed place for each rule, so that it always meets the same, and one that is in at 10 % is in at
        20 %. An account that is not known is in: the stricter reading.
        """
        if self.name != "canary":
            return self.name == "enforce"
        return account is None or key(0, "canary", rule, account) * 100 < self.percent << 64
