"""A circuit breaker: after failures in a row that each cost a deadline, a service is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """Closed at first. It opens after `failures` in a row for `rest_s` seconds; then one trial may go through in each such
    time, and the first success closes it."""

    def __init__(self, clock: Callable[[], float], *, failures: int = 3, rest_s: float = 30.0) -> None:
        """`clock` gives seconds that never run backwards."""
        self._clock, self._most, self._rest_s = clock, failures, rest_s
        self._failed, self._until = 0, 0.0

    def allows(self) -> bool:
        """Whether the service may be asked now. Whoever is let through as a trial keeps all others out for another rest."""
        if self._failed < self._most:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._rest_s
        return True

    def failed(self) -> None:
        """The service cost its whole deadline."""
        self._failed += 1
        if self._failed >= self._most:
            self._until = self._clock() + self._rest_s

    def succeeded(self) -> None:
        """The service answered, whatever it said."""
        self._failed = 0
