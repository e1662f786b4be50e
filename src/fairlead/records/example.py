"""A text with what is known about it: the one form of training, test and evaluation data."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from msgspec import Struct

Split = Literal["train", "dev", "test"]
_NOT_WORD = re.compile(r"[\W_]+")


class Example(Struct, frozen=True):
    """A labelled or unlabelled text.

    `labels` maps a rule id to whether the text violates it; a rule that is not named is unknown, not allowed. `one_of` names
    rules of which at least one is violated, where it is not known which. `group` ties
    an example to its transforms and its benign twin: a group never crosses splits. `at` says where the text is kept:
    `file:SHA256#ROW`, or a reference of the vault's; `accounts` wrote it.
    """

    id: str
    text: str
    labels: dict[str, bool] = {}
    source: str = ""
    split: Split | None = None
    group: str = ""
    at: str = ""
    accounts: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


class Reference(Struct, frozen=True):
    """An example without its text, as it may be stored."""

    id: str
    at: str
    labels: dict[str, bool]
    source: str
    split: Split | None


def normal(text: str) -> str:
    """A text as it is compared with others: compatibility forms, lower case, words only; without any word, as it is."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", plain).strip() or plain.strip()
