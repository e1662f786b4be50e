"""The ladder: which rungs an account reaches when its points rise."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.policy.document import Rung
from fairlead.records.entry import LadderStepped

_DAY = 86_400.0


def reached(ladder: Iterable[Rung], account: str, before: int, after: int, now: float) -> tuple[LadderStepped, ...]:
    """The rungs above `before` points and up to `after`, lowest first; `now` in seconds since the epoch.

    A rung is reached once a crossing: points that expire and are earned again cross it again. A rung that somebody must approve
    is recorded as waiting; its time runs from now all the same, so that a late approval does not prolong it.
    """
    return tuple(
        LadderStepped(
            account=account,
            at=rung.at,
            points=after,
            do=rung.do,
            until=None if rung.days is None else now + rung.days * _DAY,
            waits_for=rung.approve,
        )
        for rung in ladder
        if before < rung.at <= after
    )
