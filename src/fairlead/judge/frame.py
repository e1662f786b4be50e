"""What a model is shown of a conversation, in a frame that no judged text can close.

A judged text stands in the question as a JSON string in which every character that could end the frame is written as its
escape: line breaks and all other controls, `"`, `\\`, `<`, `>`, `[`, `]`, and whatever becomes one of these under a
compatibility decomposition (a tokenizer may normalise before it looks for its control tokens). Hence, for any text:

- it lies within one line, so it cannot write the line that ends the frame, nor any line of its own;
- it holds none of the characters without which the control tokens of chat templates are not written (`<|im_end|>`,
  `<|eot_id|>`, `</s>`, `<end_of_turn>`, `[/INST]`, …), so it cannot end its turn in the template;
- `json.loads` gives the text back, so nothing is lost.

The line that ends the frame also carries a word drawn anew for each question, which whoever wrote the text could not know.

Not covered: a model that does what stands inside the frame, though it is told that all of it is data.
"""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from msgspec import Struct

from fairlead.judge.views import views
from fairlead.policy.document import Surface
from fairlead.records.conversation import Conversation

_CLOSING = frozenset('"\\<>[]')
_BREAKS = frozenset({"Zl", "Zp"})
_WORD = re.compile(r"\S+")
_UNREAD = frozenset({"plain", "normalised"})


class Reading(Struct, frozen=True):
    """One text as the model is shown it. `message` counts from 1; 0 means all user messages together, which are only shown
    decoded. `judged` says whether a violation can be quoted from here: in a response, only from the answer."""

    message: int
    role: str
    view: str
    text: str
    judged: bool


class Span(Struct, frozen=True):
    """Where a quote stands: half-open character offsets in one reading."""

    reading: Reading
    start: int
    end: int

    @property
    def place(self) -> str:
        """As evidence says it."""
        where = f"message {self.reading.message}" if self.reading.message else "the user messages together"
        return f"{where}, characters {self.start}-{self.end}"


def readings(conversation: Conversation, surface: Surface) -> tuple[Reading, ...]:
    """Every message that is not blank, and what the judge's views decode of it."""
    answers = [n for n, message in enumerate(conversation.messages, 1) if message.role == "assistant"]
    return tuple(_readings(conversation, None if surface == "prompt" else (answers or [0])[-1]))


def _readings(conversation: Conversation, answer: int | None) -> Iterator[Reading]:
    for n, message in enumerate(conversation.messages, 1):
        judged = answer is None or n == answer
        for view in views(message.content) if message.content.strip() else ():
            yield Reading(n, message.role, view.name, view.text, judged)
    asked = [message.content for message in conversation.messages if message.role == "user"]
    if len(asked) > 1:  # what is hidden in no single turn
        for view in views("\n".join(asked)):
            if view.name not in _UNREAD:
                yield Reading(0, "user", view.name, view.text, answer is None)


def sealed(text: str) -> str:
    """`text` as a JSON string that closes nothing; see the head of this module."""
    return f'"{"".join(map(_safe, text))}"'


@lru_cache(4_096)
def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "C" and category not in _BREAKS and _CLOSING.isdisjoint(unicodedata.normalize("NFKD", character)):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def framed(shown: Sequence[Reading], nonce: str) -> str:
    """The readings, one JSON object a line, between the lines `BEGIN nonce` and `END nonce`."""
    return "\n".join([f"BEGIN {nonce}", *map(line, shown), f"END {nonce}"])


def line(reading: Reading) -> str:
    """One reading as a line that closes nothing."""
    role, view, text = sealed(reading.role), sealed(reading.view), sealed(reading.text)
    return f'{{"message": {reading.message}, "role": {role}, "reading": {view}, "text": {text}}}'


def located(quote: str, shown: Sequence[Reading]) -> Span | None:
    """The first place among the judged readings where the quote stands, whatever white space lies between its words.

    A quote in which the model left the frame's escapes as they stand is found, too. None: it is nowhere, or it is blank.
    """
    for wanted in dict.fromkeys((quote, _unsealed(quote))):
        words = " ".join(_WORD.findall(wanted))
        for reading in shown if words else ():
            span = _located(words, reading) if reading.judged else None
            if span is not None:
                return span
    return None


def _located(words: str, reading: Reading) -> Span | None:
    found = [(match.start(), match.end()) for match in _WORD.finditer(reading.text)]
    plain = " ".join(reading.text[start:end] for start, end in found)
    at = plain.find(words)
    if at < 0:
        return None
    # Where each word begins in `plain`, where words are one blank apart.
    begins = list(accumulate((end - start + 1 for start, end in found[:-1]), initial=0))

    def original(place: int) -> int:
        word = bisect_right(begins, place) - 1
        return found[word][0] + place - begins[word]

    return Span(reading, original(at), original(at + len(words) - 1) + 1)


def _unsealed(quote: str) -> str:
    try:
        return str(json.loads(f'"{quote}"', strict=False))
    except ValueError:
        return quote
