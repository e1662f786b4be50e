"""The judge's part of a turn: train its heads, judge labelled texts, put every verdict and figure into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairlead.cycle.datasets import Dataset
from fairlead.cycle.wheel import Range, Wheel
from fairlead.judge.card import Judged, card
from fairlead.judge.cascade import Judge
from fairlead.judge.encoder import Encoder
from fairlead.judge.train import train
from fairlead.measure.assessed import assessment
from fairlead.policy.core import ENCODER
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Assessed, ModelMade
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome
from fairlead.statistics.intervals import wilson


class RememberingEncoder(Encoder):
    """An encoder that embeds each text once in a turn: three judges are trained and asked about the same texts."""

    _known: dict[str, NDArray[np.float32]]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Encoder.encode`; embeddings do not depend on a text's neighbours, so remembering changes nothing."""
        known = self.__dict__.setdefault("_known", {})
        for text in texts:
            if text not in known:
                known[text] = super().encode([text])[0]
        if not texts:
            return super().encode(texts)
        return np.stack([known[text] for text in texts])


def open_encoder() -> RememberingEncoder:
    """The shipped encoder, with a memory."""
    return RememberingEncoder.load(ENCODER)  # type: ignore[return-value]


def heads_folder(out: Path, digest: str) -> Path:
    """Where the heads with a digest are kept."""
    return out / "heads" / digest[:12]


def make_judge(wheel: Wheel, dataset: Dataset, encoder: Encoder, parent: str) -> tuple[Judge, str]:
    """Heads trained on a dataset, saved, and noted. Gives the judge and the heads' digest."""
    heads = train(wheel.policy, dataset.rows, encoder, wheel.settings.seed)
    heads.save(heads_folder(wheel.settings.out, heads.digest))
    wheel.note([ModelMade("heads", "judge", heads.digest, dataset.digest, parent, wheel.settings.seed)])
    return Judge(wheel.policy, heads, encoder), heads.digest


def assess(wheel: Wheel, judge: Judge, examples: Sequence[Example], of: str) -> tuple[list[Assessed], Range]:
    """Judge labelled texts, and note each verdict. `of` names the set."""
    verdicts = judge.judge_many([Conversation.of(example.text) for example in examples])
    assessed = [assessment(example, verdict, of) for example, verdict in zip(examples, verdicts, strict=True)]
    return assessed, wheel.note(assessed)


def judge_card(assessed: Sequence[Assessed], seed: int) -> list[Figure]:
    """The figures of every rule that has labels of both kinds, then the rates over all rules."""
    figures: list[Figure] = []
    for rule in sorted({rule for a in assessed for rule in a.labels}):
        items = [_judged(a, rule) for a in assessed if rule in a.labels]
        if len({item.label for item in items}) == 2:
            figures += card(rule, items, seed, assessed[0].judge)
    return figures + overall(assessed)


def overall(assessed: Sequence[Assessed]) -> list[Figure]:
    """`caught`: violating texts withheld under any rule. `overblocked`: texts allowed under all rules that were withheld.

    A text is withheld unless it was found allowed under every rule, so an error withholds.
    """
    violating = [_withheld(a) for a in assessed if any(a.labels.values())]
    # A look-alike of one rule is of unknown standing under the others; only those allowed under all rules are counted.
    most = max((len(a.labels) for a in assessed), default=0)
    allowed = [_withheld(a) for a in assessed if a.labels and not any(a.labels.values()) and len(a.labels) == most]
    errors = sum(a.error is not None for a in assessed)
    return [
        _share(name, flags, errors, assessed[0].judge)
        for name, flags in (("caught", violating), ("overblocked", allowed))
        if flags
    ]


def _share(name: str, flags: Sequence[bool], errors: int, judge: str) -> Figure:
    low, high = wilson(sum(flags), len(flags))
    return Figure(name, sum(flags) / len(flags), "", low, high, len(flags), errors, judge)


def _withheld(assessed: Assessed) -> bool:
    return assessed.error is not None or bool(assessed.outcomes)


def _judged(assessed: Assessed, rule: str) -> Judged:
    outcome = Outcome.UNDETERMINED if assessed.error else Outcome(assessed.outcomes.get(rule, Outcome.ALLOWED))
    return Judged(assessed.labels[rule], assessed.scores.get(rule), outcome, assessed.error is not None)
