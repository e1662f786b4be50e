"""The graph we build computes what torch and transformers compute from the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file

from fairlead.judge import encoder_graph
from fairlead.judge.encoder import CARD, GRAPH, Encoder
from fairlead.records.errors import JudgeError

TEXTS = [
    "A short one.",
    "How do I repair the fence between two gardens after a storm?",
    "naïve façade 你好 🙂",
    "word " * 400,
    "",
]


@pytest.mark.filterwarnings("ignore")  # what torch and transformers warn of is theirs
def test_the_graph_agrees_with_torch_and_whole_numbers_cost_little(encoder: Encoder, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)
    source = encoder_graph.package_folder()
    assert source is not None
    weights, config = load_file(source / "model.safetensors"), json.loads((source / "config.json").read_text())
    (tmp_path / GRAPH).write_bytes(encoder_graph.graph(weights, config).SerializeToString())
    session = onnxruntime.InferenceSession(tmp_path / GRAPH, providers=["CPUExecutionProvider"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    model = transformers.AutoModel.from_pretrained(source).eval()
    for text, ours in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=encoder.card.most_tokens)
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state[0].mean(dim=0)
        theirs = (hidden / hidden.norm()).numpy()
        exact = session.run(None, {"ids": batch["input_ids"].numpy()})[0][0]
        assert float(exact @ theirs) > 0.99999, text[:20]
        assert float(ours @ theirs) > 0.97, text[:20]


def test_embeddings_have_length_one_and_do_not_depend_on_neighbours(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, text in enumerate(TEXTS):
        assert (encoder.encode([text])[0] == together[row]).all()
    assert encoder.encode([]).shape == (0, encoder.card.width)


def test_meaning_is_nearer_than_wording(encoder: Encoder) -> None:
    one, same, other = encoder.encode(
        ["The cat sleeps on the sofa.", "A kitten naps upon the couch.", "The court sleeps on the sofa bill."]
    )
    assert one @ same > one @ other


def test_building_repeats_to_the_byte(encoder_folder: Path, tmp_path: Path) -> None:
    source = encoder_graph.package_folder()
    assert source is not None
    encoder_graph.build(source, tmp_path)
    assert (tmp_path / GRAPH).read_bytes() == (encoder_folder / GRAPH).read_bytes()
    assert (tmp_path / CARD).read_bytes() == (encoder_folder / CARD).read_bytes()


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(JudgeError, match="no BERT"):
        encoder_graph.build(tmp_path, tmp_path / "out")
