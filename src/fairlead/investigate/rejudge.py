"""Judge anew what was judged before, where its content is kept. What is not kept is not judged: the caller then knows only what
was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from fairlead.ledger.vault import Vault
from fairlead.policy.document import Surface
from fairlead.records.conversation import Conversation, Exchange
from fairlead.records.entry import Decided
from fairlead.records.errors import ErasedError, InputError
from fairlead.records.verdict import Verdict

#: What a decision's `content` names: the conversations that were judged, in the order of its `signals`. None: not there.
Contents = Callable[[str], Sequence[Conversation] | None]
#: (decision, place of a text among its `signals`) -> the new verdict, None when the text is not there.
Rejudge = Callable[[Decided, int], Verdict | None]


class Judge(Protocol):
    """The part of the judge that is used here."""

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation."""
        ...


def kept(vault: Vault, *, by: str, purpose: str) -> Contents:
    """What a vault keeps. Each reading is an entry that names `by` and `purpose`; raises InputError when one is empty."""
    if not by.strip() or not purpose.strip():
        raise InputError("--rejudge reads what users wrote, and each reading is an entry: give --by NAME and --purpose WHY")

    def contents(ref: str) -> Sequence[Conversation] | None:
        try:
            return msgspec.json.decode(vault.read(ref, by=by, purpose=purpose), type=Exchange).judged
        except (InputError, ErasedError):  # its time was over, or its account was erased
            return None

    return contents


def rejudging(judge: Judge, contents: Contents) -> Rejudge:
    """Judge each text by `judge`. The content of a decision is asked for once, for all of its texts."""
    known: tuple[str, Sequence[Conversation] | None] = ("", None)

    def rejudge(decided: Decided, at: int) -> Verdict | None:
        nonlocal known
        if not decided.content:
            return None
        if known[0] != decided.content:
            known = decided.content, contents(decided.content)
        said = known[1]
        if said is None or len(said) != len(decided.signals):
            return None
        return judge.judge(said[at], "prompt" if decided.signals[at].surface == "prompt" else "response")

    return rejudge
