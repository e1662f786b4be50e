"""The judge: views, then signatures, then heads, in the order of their cost.

A prompt is judged by its last user message, by the whole user side (a request may be spread over turns), and by each tool
message, which is untrusted content. A response is judged by the assistant's last text, and together with the question unless it
is a refusal: a harmful question that is turned down is no violation, a bare "yes, as you said" may be one.

What this does not cover: a short request in long padding, which the padding dilutes within its window; system messages and
earlier assistant turns of a prompt; a harmless answer to a harmful question that is not phrased as a refusal counts against the
model; a tool call's arguments are read as text.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from msgspec import Struct

from fairlead import __version__
from fairlead.judge.encoder import Encoder
from fairlead.judge.features import MOST_CHARACTERS
from fairlead.judge.heads import Floats, Heads
from fairlead.judge.personal_data import PersonalData
from fairlead.judge.refusal import refuses
from fairlead.judge.signatures import Signatures
from fairlead.judge.views import MAX_CHARACTERS, View, views
from fairlead.policy.core import named_heads
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.policy.evaluator import by_score
from fairlead.records.conversation import Conversation
from fairlead.records.errors import JudgeError
from fairlead.records.verdict import CUT, Outcome, RuleVerdict, Verdict

_WINDOW = 1_000  # characters, about what the encoder's 256 tokens hold
_STEP = 900
NGRAMS, EMBEDDINGS = "ngrams", "embeddings"  # the stages of the heads
# Scores are rounded before any threshold, so that a back-test decides on just what the ledger holds.
_DIGITS = 4
_OVERLAP = 20  # characters, so that a word at the cut is whole in one of the halves
assert 2 * _WINDOW <= MOST_CHARACTERS  # in lower case a character can become two


class Judge:
    """One policy's judge. Holds no state between calls and never raises: a failure is a verdict with its error set."""

    def __init__(self, policy: Policy, heads: Heads | None, encoder: Encoder | None) -> None:
        """Without heads, or for a rule that has none, the rule's `missing` decides. Without an encoder: n-grams only.

        Raises JudgeError when the heads were trained on the embeddings of another encoder.
        """
        if heads and encoder and heads.card.encoder and heads.card.encoder != encoder.version:
            raise JudgeError(f"the heads were trained on {heads.card.encoder}, the encoder is {encoder.version}; train anew")
        self._rules = policy.text_rules
        self._digests = {rule.id: rule.digest for rule in self._rules}
        self._signatures = Signatures(self._rules)
        self._personal = PersonalData(self._rules)
        self._heads = heads
        self._encoder = encoder if heads and heads.card.encoder else None
        cards = heads.card.heads if heads else ()
        # A head for another meaning of its rule is no head: the rule is then missing, never allowed.
        meanings = {rule.id: rule.meaning for rule in self._rules}
        self._columns = {
            head.rule: column
            for column, head in enumerate(cards)
            if (head.alone or self._encoder) and meanings.get(head.rule) == head.meaning
        }
        # Below and above these scores n-grams decide alone: outside the head's band, and where the rule calls it decided.
        self._low, self._high = heads.bands.copy() if heads else np.empty((2, 0))
        for rule in self._rules:
            if rule.detect and (column := self._columns.get(rule.id)) is not None:
                self._low[column] = min(self._low[column], rule.detect.review)
                self._high[column] = max(self._high[column], rule.detect.block)
        only = "" if self._encoder else "-ngrams"
        self.producer = f"judge/{__version__}{only}/{heads.digest[:12] if heads else 'no-heads'}"

    @classmethod
    def load(cls, policy: Policy, heads: Path | None, encoder: Path | None) -> Judge:
        """The judge from the folders that training wrote, or with heads `core` from those that ship.

        Raises JudgeError when one that is named is not whole.
        """
        heads, encoder = named_heads(heads, encoder)
        return cls(policy, Heads.load(heads) if heads else None, Encoder.load(encoder) if encoder else None)

    def judge(self, conversation: Conversation, surface: Surface = "prompt") -> Verdict:
        """The verdict on one conversation for every living rule that applies to `surface`."""
        rules = [rule for rule in self._rules if surface in rule.applies_to]
        clock = _Clock()
        try:
            with clock("views"):
                said = {message.content for message in conversation.messages}
                readings = [
                    _Reading(view, len(text) > MAX_CHARACTERS, surface != "prompt" and text not in said)
                    for text in texts(conversation, surface)
                    for view in views(text)
                ]
            return Verdict(self._assess(rules, readings, clock), self.producer, took=clock.took)
        except Exception as error:
            # The error's text is left out: it may quote what the user wrote, and verdicts are stored.
            failed = tuple(_undetermined(rule, "failed") for rule in rules)
            return Verdict(failed, self.producer, error=f"{type(error).__name__} while judging")

    def judge_many(self, conversations: Sequence[Conversation], surface: Surface = "prompt") -> list[Verdict]:
        """What `judge` says of each."""
        return [self.judge(conversation, surface) for conversation in conversations]

    def _assess(self, rules: Sequence[Rule], readings: Sequence[_Reading], clock: _Clock) -> tuple[RuleVerdict, ...]:
        if not readings:
            return tuple(_undetermined(rule, "no text to judge") for rule in rules)
        with clock("signatures"):
            found = self._signed(readings)
        cut = any(reading.cut for reading in readings)
        open_rules = [rule for rule in rules if rule.id not in found]
        scored = self._scored([rule.id for rule in open_rules if rule.id in self._columns], readings, clock)
        found |= {rule.id: _by_score(rule, scored.get(rule.id), cut) for rule in open_rules}
        return tuple(found[rule.id] for rule in rules)

    def _signed(self, readings: Sequence[_Reading]) -> dict[str, RuleVerdict]:
        """The rules of which a pattern or a kind of personal data was found, by id; the first view that shows it is named."""
        found: dict[str, RuleVerdict] = {}
        for reading in readings:
            text, view = reading.view.text, reading.view.name
            for hit in self._signatures.hits(text):
                found.setdefault(hit.rule, self._cited(hit.rule, "signatures", view, f"pattern {hit.pattern}"))
            for datum in () if reading.asked else self._personal.hits(text):
                found.setdefault(datum.rule, self._cited(datum.rule, "personal", view, f"personal data: {datum.kind}"))
        return found

    def _cited(self, rule: str, stage: str, view: str, evidence: str) -> RuleVerdict:
        return RuleVerdict(rule, self._digests[rule], Outcome.VIOLATES, 1.0, stage, view, evidence)

    def _scored(self, rules: Sequence[str], readings: Sequence[_Reading], clock: _Clock) -> dict[str, _Score]:
        """The highest score of each rule that has a head, over all views and windows.

        N-grams look at every window; the encoder only at those where they left a rule open.
        """
        if not rules or self._heads is None:
            return {}
        columns = [self._columns[rule] for rule in rules]
        low, high = self._low[columns], self._high[columns]
        pieces: dict[str, str] = {}  # each window once, under the first view that shows it
        for reading in readings:
            for window in windows(reading.view.text):
                pieces.setdefault(window, reading.view.name)
        found: list[tuple[Floats, str, str]] = []
        unsure: dict[str, str] = {}
        with clock(NGRAMS):
            for piece, view in pieces.items():
                scores = self._heads.first(self._heads.logits(piece))[columns]
                if self._encoder is not None and not ((scores < low) | (scores > high)).all():
                    unsure[piece] = view
                else:
                    found.append((scores, view, NGRAMS))
        if unsure and self._encoder is not None:
            with clock(EMBEDDINGS):
                for piece, view in unsure.items():
                    for part in self._fitting(piece):
                        scores = self._heads.second(self._heads.logits(part), self._encoder.encode([part])[0])
                        found.append((scores[columns], view, EMBEDDINGS))
        values = np.stack([scores for scores, _, _ in found])
        best = values.argmax(axis=0)  # a NaN before all
        return {
            rule: _Score(round(float(values[at, index]), _DIGITS), *found[at][1:])
            for index, (rule, at) in enumerate(zip(rules, best.tolist(), strict=True))
        }

    def _fitting(self, window: str) -> list[str]:
        """The window, halved until the encoder sees all of each piece: what it cannot see must not hide anything."""
        if self._encoder is None or len(window) < 2 or self._encoder.fits(window):
            return [window]
        middle = len(window) // 2
        overlap = _OVERLAP if middle > 2 * _OVERLAP else 0
        return [*self._fitting(window[: middle + overlap]), *self._fitting(window[middle:])]


class _Reading(Struct, frozen=True):
    view: View
    cut: bool  # the text went on beyond what was read
    asked: bool  # an answer together with its question: a datum in it may be the user's own


class _Score(Struct, frozen=True):
    value: float
    view: str
    stage: str


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.took[stage] = self.took.get(stage, 0.0) + time.perf_counter() - start


def texts(conversation: Conversation, surface: Surface) -> list[str]:
    """What is judged of a conversation, without blank and repeated texts."""
    return [text for text in dict.fromkeys(_texts(conversation, surface)) if text.strip()]


def _texts(conversation: Conversation, surface: Surface) -> Iterator[str]:
    asked = [message.content for message in conversation.messages if message.role == "user"]
    if surface == "prompt":
        yield from asked[-1:]
        yield "\n".join(asked)
        yield from (message.content for message in conversation.messages if message.role == "tool")
        return
    answers = [message.content for message in conversation.messages if message.role == "assistant"]
    yield from answers[-1:]
    if answers and asked and not refuses(answers[-1]):
        yield f"{asked[-1]}\n{answers[-1]}"


def windows(text: str) -> list[str]:
    """Overlapping pieces of at most `_WINDOW` characters that cover the text."""
    if len(text) <= _WINDOW:
        return [text]
    return [text[start : start + _WINDOW] for start in range(0, len(text) - _WINDOW + _STEP, _STEP)]


def _by_score(rule: Rule, score: _Score | None, cut: bool) -> RuleVerdict:
    assert rule.detect is not None  # the policy's text rules have one
    outcome = by_score(rule.detect)
    if score is None or not math.isfinite(score.value):
        why = "the rule has no trained head" if score is None else "its head gave no number"
        return RuleVerdict(rule.id, rule.digest, outcome(None), stage="heads", evidence=why)
    found = outcome(score.value)
    evidence = f"{CUT}{MAX_CHARACTERS} characters were read" if cut else ""
    if cut and found is Outcome.ALLOWED:  # what was read says nothing of the rest: the signal is missing
        return RuleVerdict(rule.id, rule.digest, outcome(None), stage=score.stage, view=score.view, evidence=evidence)
    return RuleVerdict(rule.id, rule.digest, found, score.value, score.stage, score.view, evidence)


def _undetermined(rule: Rule, why: str) -> RuleVerdict:
    return RuleVerdict(rule.id, rule.digest, Outcome.UNDETERMINED, evidence=why)
