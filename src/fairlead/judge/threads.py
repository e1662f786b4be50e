"""The local judge for an event loop: it runs in threads of its own, so that one long text does not stop the others."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from fairlead.policy.document import Surface
from fairlead.records.conversation import Conversation
from fairlead.records.verdict import Verdict


class Judge(Protocol):
    """A judge that computes. It is called from several threads at once."""

    producer: str

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation."""
        ...


class InThreads:
    """A judge that is awaited."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self.producer = judge, judge.producer
        self._threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="judge")

    async def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._judge.judge, conversation, surface)

    async def close(self) -> None:
        """Let what runs end, and start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
