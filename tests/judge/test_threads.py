"""The local judge in threads: the loop goes on while it computes."""

from __future__ import annotations

import asyncio
import threading

from reasoning import Fixed

from fairlead.judge.threads import InThreads
from fairlead.policy.document import Surface
from fairlead.records.conversation import Conversation
from fairlead.records.verdict import Verdict


def test_the_loop_goes_on_while_the_judge_computes() -> None:
    released = threading.Event()

    class Waits(Fixed):
        def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
            assert released.wait(60)
            return super().judge(conversation, surface)

    async def run() -> Verdict:
        judge = InThreads(Waits({}))
        task = asyncio.create_task(judge.judge(Conversation.of("hello")))
        await asyncio.sleep(0)
        released.set()  # would never be reached if the judge held the loop
        try:
            return await task
        finally:
            await judge.close()

    assert asyncio.run(run()) == Fixed({}).judge(Conversation.of("hello"))
