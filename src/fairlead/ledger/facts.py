"""What a condition may ask about one decision: its signals, and the account's history as of that moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from fairlead.ledger.fold import State
from fairlead.ledger.rows import Event
from fairlead.records.entry import Decided


class DecisionFacts(Struct, frozen=True):
    """Satisfies `policy.expression.Facts`. `state` holds what came before; `present` are the decision's own events, which count
    as the last of the history."""

    state: State
    present: list[Event]
    decided: Decided
    harm: Mapping[str, float]
    now: float

    @property
    def tier(self) -> str:
        """Tier of the account."""
        return self.decided.tier or ""

    @property
    def surface(self) -> str:
        """What was judged last."""
        return self.decided.surface

    def count(self, action: str, rule: str, seconds: float) -> int:
        """How often `action` was taken on the account under a rule matching the glob, in the last `seconds`."""
        account = self.decided.account
        known = self.state.count(account, action, rule, self.now - seconds) if account else 0
        return known + sum(event.action == action and fnmatchcase(event.rule, rule) for event in self.present)


class Highest(Mapping[str, float]):
    """The highest score of each signal over several texts, looked for when it is asked for: most are never."""

    def __init__(self, texts: Iterable[Mapping[str, float]]) -> None:
        self._texts = tuple(texts)

    def __getitem__(self, signal: str) -> float:
        found = [scores[signal] for scores in self._texts if signal in scores]
        if not found:
            raise KeyError(signal)
        return max(found)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(signal for scores in self._texts for signal in scores))

    def __len__(self) -> int:
        return sum(1 for _ in self)
