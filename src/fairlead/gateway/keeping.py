"""What the gateway hands to the vault, and what it does when the vault fails: goes on without, and says so in the decision.

Invariant: a failure here delivers nothing that would not have been delivered, withholds nothing that would, and leaves no text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from msgspec import Struct

from fairlead.policy.decide import Ruling
from fairlead.records.canonical import canonical
from fairlead.records.conversation import Exchange

_PATIENCE_S = 5.0  # what is kept later than this is kept without its decision, until its time is over

#: (account, text, rules) -> the reference; empty when nothing is kept.
Put = Callable[[str, str, Sequence[str]], str]


class Keep(StrEnum):
    """Which conversations are kept."""

    NONE = "none"
    FLAGGED = "flagged"  # those on which some rule did not plainly allow
    ALL = "all"  # so that they can be judged again


class Kept(Struct, frozen=True):
    """Where a conversation is kept, and why not."""

    ref: str = ""
    error: str | None = None


class Keeper:
    """Keeps conversations, one after the other, in a thread of its own: they wait for the disk, not for the judge."""

    def __init__(self, keep: Keep, put: Put) -> None:
        self._keep, self._put = keep, put
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vault")

    async def keep(self, account: str, exchange: Exchange, rulings: Sequence[Ruling]) -> Kept:
        """Keep the exchange, if it is to be kept, for the rules that did not plainly allow it."""
        rules = {said.rule for ruling in rulings for said in ruling.kept}
        flagged = bool(rules) or any(ruling.error is not None for ruling in rulings)
        if self._keep is Keep.FLAGGED and not flagged:
            return Kept()
        put = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._put(account, canonical(exchange).decode(), sorted(rules))
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return Kept(await put)
        except Exception as error:  # its words may quote a text
            return Kept(error=f"content not kept: {type(error).__name__}")

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown(cancel_futures=True)
