"""Per-rule linear classifiers, one on hashed n-grams and one on sentence embeddings, and the calibration that joins them.

The score of a rule is sigmoid(slope · m + offset), where m is the mean of the two logits, or the n-gram logit alone where there
is no encoder; slope and offset (Platt 1999) were fitted for each of the two cases on logits from outside the training folds.
A score of one half means: as likely as not in a stream in which `PREVALENCE` of the texts violate the rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from fairlead.judge.features import BUCKETS, Grams, grams
from fairlead.records.canonical import canonical
from fairlead.records.errors import JudgeError

# High enough that thresholds near one half catch most of what a rule is about, low enough that a benign text is rarely stopped
# by any of twenty rules.
PREVALENCE = 0.1
FORMAT = 2
_ARRAYS, _CARD = "heads.npz", "heads.json"


class HeadCard(Struct, frozen=True):
    """One head: the rule it was trained for, with the digest of its meaning, and on how many known examples.

    `alone` says whether its n-grams are of use without embeddings; when not, the rule has no head where there is no encoder.
    """

    rule: str
    meaning: str
    violating: int
    allowed: int
    alone: bool


class HeadsCard(Struct, frozen=True):
    """What the heads were trained on. `left_out` maps a rule without a head to the reason."""

    heads: tuple[HeadCard, ...]
    encoder: str
    data_digest: str
    seed: int
    left_out: dict[str, str] = {}
    format: int = FORMAT


class Weights(Struct, frozen=True):
    """The numbers, with a column for each head.

    `grams` float32 [BUCKETS, heads]; `embedding` float32 [width, heads], width 0 without an encoder; `bias` float64 [2, heads],
    of the n-gram and the embedding head; `platt` float64 [2, 2, heads]: slope and offset, first of n-grams alone, then of both.
    """

    grams: NDArray[np.float32]
    embedding: NDArray[np.float32]
    bias: NDArray[np.float64]
    platt: NDArray[np.float64]


class Heads:
    """Trained heads. Immutable; equal training gives equal bytes on disk."""

    def __init__(self, card: HeadsCard, weights: Weights) -> None:
        """Raises JudgeError when the shapes do not fit together or a number is not finite."""
        count = len(card.heads)
        shapes = {
            "grams": (BUCKETS, count),
            "embedding": (weights.embedding.shape[0], count),
            "bias": (2, count),
            "platt": (2, 2, count),
        }
        for name, shape in shapes.items():
            array = getattr(weights, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise JudgeError(
                    f"heads are damaged: `{name}` is {array.shape}, expected {shape} of finite numbers; train anew"
                )
        self.card, self.weights = card, weights

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that have a head, in the order of the score's columns."""
        return tuple(head.rule for head in self.card.heads)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the card and all numbers."""
        state = hashlib.sha256(canonical(self.card))
        for name in Weights.__struct_fields__:
            state.update(np.ascontiguousarray(getattr(self.weights, name)).tobytes())
        return state.hexdigest()

    def scores(self, texts: Sequence[str], embeddings: NDArray[np.float32] | None) -> NDArray[np.float64]:
        """Calibrated probabilities [texts, heads]. `embeddings` is [texts, width], or None where there is no encoder."""
        out = np.empty((len(texts), len(self.card.heads)))
        for row, text in enumerate(texts):
            logits = gram_logits(grams(text), self.weights.grams) + self.weights.bias[0]
            if embeddings is not None:
                # A row at a time: a matrix product may round differently with the number of rows.
                logits = (logits + embeddings[row] @ self.weights.embedding + self.weights.bias[1]) / 2
            slope, offset = self.weights.platt[0 if embeddings is None else 1]
            out[row] = sigmoid(slope * logits + offset)
        return out

    def save(self, folder: Path) -> None:
        """Write numbers and card. The card comes last, so that a folder with a card is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self.weights, name) for name in Weights.__struct_fields__}
        np.savez_compressed(folder / _ARRAYS, **arrays)
        (folder / _CARD).write_bytes(canonical(self.card))

    @classmethod
    def load(cls, folder: Path) -> Heads:
        """Raises JudgeError when the folder holds no whole heads of this format."""
        try:
            card = msgspec.json.decode((folder / _CARD).read_bytes(), type=HeadsCard)
            with (folder / _ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                weights = Weights(**{name: arrays[name] for name in Weights.__struct_fields__})
        except Exception as error:  # zip, msgspec and numpy each raise their own
            raise JudgeError(
                f"no heads in {folder} ({type(error).__name__}); train them with `fairlead judge train`"
            ) from error
        if card.format != FORMAT:
            raise JudgeError(f"heads in {folder} have format {card.format}, this version reads {FORMAT}; train anew")
        return cls(card, weights)


def is_heads(folder: Path) -> bool:
    """Whether the folder holds heads: the card is written last."""
    return (folder / _CARD).exists()


def gram_logits(found: Grams, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """The n-gram head's logits [heads] without bias: each kind of gram is a vector with entries 1/√n."""
    out = np.zeros(weights.shape[1])
    for kind in (found.characters, found.words):
        if len(kind):
            out += weights[kind].sum(axis=0, dtype=np.float64) / np.sqrt(len(kind))
    return out


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + e^−x), without overflow."""
    result: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(values / 2.0))
    return result
