"""Losses as pure tensor functions."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def masked_cross_entropy(logits: Tensor, ids: Tensor, learned: Tensor) -> Tensor:
    """The mean of −log p(next token), in nats, over the tokens to be learned.

    `logits` is (batch, length, vocabulary), `ids` (batch, length) and `learned` (batch, length) of booleans: True where the
    token itself is to be learned. The logits at t predict the token at t + 1, so the first token is never learned. Every
    token of the batch weighs the same, whatever its row. Zero when nothing is to be learned.
    """
    wanted = ids[:, 1:].masked_fill(~learned[:, 1:], -100)
    total = cross_entropy(logits[:, :-1].flatten(0, 1).float(), wanted.flatten(), ignore_index=-100, reduction="sum")
    return total / learned[:, 1:].sum().clamp(min=1)
