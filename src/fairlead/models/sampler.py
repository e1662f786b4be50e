"""The loop that lets a causal model go on: batched, with a key-value cache, ending when every row has ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor


def tokens(
    model: Any,
    ids: Tensor,
    mask: Tensor,
    *,
    max_tokens: int,
    end: Collection[int],
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """The next token of every row, step by step: int64 of shape (batch,), -1 for a row that has ended.

    `ids` and `mask` are (batch, length), padded on the left. Temperature 0 takes the likeliest token (the first of equals);
    above 0 it draws with `generator`. The end token itself is not given out.
    """
    cache, running = None, torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    ends = torch.tensor(sorted(end), device=ids.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    for _ in range(max_tokens):
        logits, cache = _step(model, ids, mask, positions, cache)
        chosen = _choose(logits, temperature, generator)
        running &= ~torch.isin(chosen, ends)
        if not running.any():
            return
        yield chosen.masked_fill(~running, -1)
        ids = chosen[:, None]
        positions = positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)


# Around one step and never around a `yield`: the mode belongs to a thread, and would be left on in whoever asks for the next.
@torch.no_grad()
def _step(model: Any, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Tensor, Any]:
    """The logits of the next token, (batch, vocabulary), and the cache that has grown by `ids`."""
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
    )
    return out.logits[:, -1].float(), out.past_key_values


def _choose(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """One token a row from logits of shape (batch, vocabulary)."""
    if temperature == 0.0:
        return logits.argmax(-1)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]
