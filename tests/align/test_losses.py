"""Cross-entropy over the tokens to be learned, with numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairlead.align.losses import masked_cross_entropy


def test_a_number_by_hand() -> None:
    # Two tokens in the vocabulary. At position 0 the odds are 3 : 1 for token 0, at position 1 evens.
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0], [9.0, 0.0]]])
    ids = torch.tensor([[0, 1, 0]])
    both = torch.tensor([[True, True, True]])
    # −log(1/4) = 1.386294…, −log(1/2) = 0.693147…; the last position predicts nothing, the first token is given.
    assert masked_cross_entropy(logits, ids, both).item() == pytest.approx((1.3862944 + 0.6931472) / 2)
    last = torch.tensor([[False, False, True]])
    assert masked_cross_entropy(logits, ids, last).item() == pytest.approx(0.6931472)


def test_nothing_to_learn_is_zero_and_has_a_gradient() -> None:
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    loss = masked_cross_entropy(logits, torch.tensor([[0, 1, 0]]), torch.zeros(1, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None and logits.grad.abs().sum().item() == 0.0


@given(st.integers(0, 10_000))
def test_it_agrees_with_the_obvious_loop(seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 5, 7, generator=draws)
    ids = torch.randint(0, 7, (3, 5), generator=draws)
    learned = torch.rand(3, 5, generator=draws) < 0.5
    parts = [
        -math.log(torch.softmax(logits[row, at - 1].double(), -1)[ids[row, at]].item())
        for row in range(3)
        for at in range(1, 5)
        if learned[row, at]
    ]
    wanted = sum(parts) / max(1, len(parts))
    assert masked_cross_entropy(logits, ids, learned).item() == pytest.approx(wanted, rel=1e-5, abs=1e-6)
