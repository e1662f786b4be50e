"""The sentence encoder at run time: a folder with graph, tokenizer and card, run through onnxruntime on one thread.

Texts are encoded one at a time. That is as fast as batches on one core (short texts have nothing to pad), and a text's
embedding cannot depend on its neighbours, so judging many gives exactly what judging one by one gives.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from tokenizers import Tokenizer

from fairlead.records.errors import JudgeError

# The runtime writes and sends events of its own otherwise, from the moment it is loaded: nothing may leave the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()

GRAPH, TOKENIZER, CARD = "encoder.onnx", "tokenizer.json", "encoder.json"


class EncoderCard(Struct, frozen=True):
    """What the folder holds. Embeddings of two cards are never mixed."""

    name: str
    precision: str
    width: int
    most_tokens: int

    @property
    def version(self) -> str:
        """The name that heads trained on these embeddings carry."""
        return f"{self.name}-{self.precision}"


def is_encoder(folder: Path) -> bool:
    """Whether the folder holds an encoder: the card is written last."""
    return (folder / CARD).exists()


class Encoder:
    """Texts in, unit vectors out."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, card: EncoderCard) -> None:
        self._session, self._tokenizer, self.card = session, tokenizer, card
        tokenizer.no_padding()
        tokenizer.no_truncation()

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The encoder in a folder that `encoder_graph.build` wrote. Raises JudgeError when it is not whole."""
        try:
            card = msgspec.json.decode((folder / CARD).read_bytes(), type=EncoderCard)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])
            return cls(session, Tokenizer.from_file(str(folder / TOKENIZER)), card)
        except Exception as error:  # onnxruntime and tokenizers raise bare classes of their own
            raise JudgeError(
                f"no encoder in {folder} ({type(error).__name__}); build it with `fairlead judge train`"
            ) from error

    @property
    def version(self) -> str:
        """The card's version."""
        return self.card.version

    def fits(self, text: str) -> bool:
        """Whether `encode` sees all of the text."""
        return len(self._tokenizer.encode(text).ids) <= self.card.most_tokens

    def _ids(self, text: str) -> list[int]:
        """The tokens, cut to what the graph takes; the last one still ends the text."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= self.card.most_tokens else [*ids[: self.card.most_tokens - 1], ids[-1]]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings [texts, width] of length one. What lies beyond the card's `most_tokens` is not seen."""
        out = np.empty((len(texts), self.card.width), dtype=np.float32)
        for row, text in enumerate(texts):
            ids = np.array([self._ids(text)], dtype=np.int64)
            out[row] = self._session.run(None, {"ids": ids})[0][0]
        return out
