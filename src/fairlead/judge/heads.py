"""Per-rule linear classifiers in two stages: on hashed n-grams, then on n-grams and a sentence embedding together.

Beside the rules there is one more classifier, of harm at large: whether any rule is violated. It learns from all texts what a
request for harm is like, where a rule's own classifier has fewer examples.

The score of a rule is sigmoid(a · m + b · h + c), where m is the rule's logit and h that of harm: of n-grams in the first
stage, the mean of both logits in the second. a, b and c were fitted for each stage on logits from outside the training folds
(Platt 1999, with one variable more). A score of one half means: as likely as not in a stream in which `PREVALENCE` of the texts
violate the rule.

Each head has a band for its first stage: a score outside of it decides, one inside of it asks for the embedding.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from fairlead.judge.features import BUCKETS, MOST_CHARACTERS, grams
from fairlead.records.canonical import canonical
from fairlead.records.errors import JudgeError

# High enough that thresholds near one half catch most of what a rule is about, low enough that a benign text is rarely stopped
# by any of twenty rules.
PREVALENCE = 0.1
FORMAT = 3
GRAMS, BOTH = 0, 1  # the stages, as they index `bias` and `platt`
_ARRAYS, _CARD = "heads.npz", "heads.json"
_ONES = np.ones(4 * MOST_CHARACTERS + 16, np.float32)  # more than a text has grams of a kind

Floats = NDArray[np.float64]


class HeadCard(Struct, frozen=True):
    """One head: the rule it was trained for, with the digest of its meaning, and on how many known examples.

    `alone` says whether its n-grams are of use without embeddings; when not, the rule has no head where there is no encoder.
    `band` holds the scores of the first stage between which the second is asked.
    """

    rule: str
    meaning: str
    violating: int
    allowed: int
    alone: bool
    band: tuple[float, float] = (0.0, 1.0)


class HeadsCard(Struct, frozen=True):
    """What the heads were trained on. `left_out` maps a rule without a head to the reason; `sources` counts texts by origin."""

    heads: tuple[HeadCard, ...]
    encoder: str
    data_digest: str
    seed: int
    left_out: dict[str, str] = {}
    sources: dict[str, int] = {}
    format: int = FORMAT


class Weights(Struct, frozen=True):
    """The numbers, with a column for each head and a last one for harm at large.

    `grams` int8 [BUCKETS, heads + 1], times `scale` float32 [heads + 1]; `embedding` float32 [width, heads + 1], width 0
    without an encoder; `bias` float64 [2, heads + 1], of the n-gram and the embedding head; `platt` float64 [2, 3, heads]: a, b
    and c, first of n-grams alone, then of both.
    """

    grams: NDArray[np.int8]
    scale: NDArray[np.float32]
    embedding: NDArray[np.float32]
    bias: Floats
    platt: Floats


class Heads:
    """Trained heads. Immutable; equal training gives equal bytes on disk."""

    def __init__(self, card: HeadsCard, weights: Weights) -> None:
        """Raises JudgeError when the shapes do not fit together or a number is not finite."""
        count = len(card.heads)
        shapes = {
            "grams": (BUCKETS, count + 1),
            "scale": (count + 1,),
            "embedding": (weights.embedding.shape[0], count + 1),
            "bias": (2, count + 1),
            "platt": (2, 3, count),
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
    def bands(self) -> Floats:
        """[2, heads]: the first stage decides below the first row and above the second."""
        return np.array([head.band for head in self.card.heads]).reshape(-1, 2).T

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the card and all numbers."""
        state = hashlib.sha256(canonical(self.card))
        for name in Weights.__struct_fields__:
            state.update(np.ascontiguousarray(getattr(self.weights, name)).tobytes())
        return state.hexdigest()

    def logits(self, text: str) -> Floats:
        """The n-gram logits [heads + 1] of one text: each kind of gram is a vector with entries 1/√n.

        The sums of whole numbers are exact, so they do not depend on their order.
        """
        weights, found = self.weights, grams(text)
        out = np.zeros(len(weights.scale))
        for kind in (found.characters, found.words):
            if len(kind):
                rows = weights.grams.take(kind, axis=0, mode="clip").astype(np.float32)
                out += (_ONES[: len(kind)] @ rows) / np.sqrt(len(kind))
        scaled: Floats = out * weights.scale + weights.bias[GRAMS]
        return scaled

    def first(self, logits: Floats) -> Floats:
        """Calibrated probabilities [heads] from n-gram logits alone."""
        return calibrated(logits, self.weights.platt[GRAMS])

    def second(self, logits: Floats, embedding: NDArray[np.float32]) -> Floats:
        """Calibrated probabilities [heads] from n-gram logits and the embedding [width] of the same text."""
        both = (logits + embedding @ self.weights.embedding + self.weights.bias[BOTH]) / 2
        return calibrated(both, self.weights.platt[BOTH])

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
            raw = (folder / _CARD).read_bytes()
            written = msgspec.json.decode(raw, type=_Format).format
            if written != FORMAT:
                raise JudgeError(f"heads in {folder} have format {written}, this version reads {FORMAT}; train anew")
            card = msgspec.json.decode(raw, type=HeadsCard)
            with (folder / _ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                weights = Weights(**{name: arrays[name] for name in Weights.__struct_fields__})
        except JudgeError:
            raise
        except Exception as error:  # zip, msgspec and numpy each raise their own
            raise JudgeError(
                f"no heads in {folder} ({type(error).__name__}); train them with `fairlead judge train`"
            ) from error
        return cls(card, weights)


class _Format(Struct):
    format: int


def is_heads(folder: Path) -> bool:
    """Whether the folder holds heads: the card is written last."""
    return (folder / _CARD).exists()


def calibrated(logits: Floats, platt: Floats) -> Floats:
    """Probabilities [..., heads] from logits [..., heads + 1]."""
    return sigmoid(platt[0] * logits[..., :-1] + platt[1] * logits[..., -1:] + platt[2])


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^−x), without overflow."""
    result: Floats = 0.5 * (1.0 + np.tanh(values / 2.0))
    return result
