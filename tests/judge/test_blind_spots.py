"""No part of a text lies where neither reader looks, however the text is padded."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairlead.judge import encoder_graph
from fairlead.judge.cascade import Judge, windows
from fairlead.judge.encoder import Encoder
from fairlead.judge.features import MOST_CHARACTERS
from fairlead.judge.heads import Heads
from fairlead.policy.core import CORE
from fairlead.policy.load import load

PADS = st.text(st.sampled_from("İ ,/aß漢😀\u0301"), min_size=1, max_size=40).flatmap(
    lambda pad: st.integers(1, 60).map(lambda n: pad * n)
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory, gram_heads: Heads) -> Judge:
    source = encoder_graph.package_folder()
    if source is None:
        pytest.skip("the sentence model is not installed")
    folder = tmp_path_factory.mktemp("encoder")
    encoder_graph.build(source, folder)
    found = Judge(load(CORE), gram_heads, None)
    found._encoder = Encoder.load(folder)
    return found


@settings(max_examples=60)
@given(PADS, st.integers(0, 3000))
@example("İ " * 600, 990)
def test_a_word_is_read_wherever_it_stands(judge: Judge, pad: str, at: int) -> None:
    assert judge._encoder is not None
    text = f"{pad[:at]} needle {pad[at:]}"
    seen = 0
    for window in windows(text):
        for piece in judge._fitting(window):
            assert judge._encoder.fits(piece) or len(piece) < 2
            assert len(piece.lower()) <= MOST_CHARACTERS
            seen += "needle" in piece
    assert seen
