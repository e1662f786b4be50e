"""Supervised training of a causal model on conversations: one loop for pre-training and for fine-tuning.

Cross-entropy on the assistant's tokens (or on all of them), AdamW (Loshchilov and Hutter, arXiv:1711.05101) with decay on
matrices only, linear warm-up and a cosine to a tenth of the peak, the gradient's norm clipped. Conversations of like
length share a batch. Left out: accumulation, mixed precision, several processes, checkpoints (`Run` holds the whole state).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from msgspec import Struct
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from fairlead.align.losses import masked_cross_entropy
from fairlead.models.template import render
from fairlead.records.conversation import Conversation
from fairlead.records.errors import InputError
from fairlead.records.streams import key, stream


@dataclass(frozen=True)
class Settings:
    """One training run. `learn` says on which tokens the loss is taken; `rate` is the peak learning rate."""

    rate: float
    batch: int
    epochs: int = 1
    learn: Literal["answers", "all"] = "answers"
    warm_up: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0


class Row(Struct, frozen=True):
    """One conversation in tokens; `learned` has one boolean a token."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


class Step(Struct, frozen=True):
    """What one step did. `loss` is in nats a learned token; `tokens` counts all real tokens of the batch."""

    step: int
    of: int
    loss: float
    rate: float
    tokens: int


@dataclass
class Run:
    """The state of a run: all that a checkpoint would hold, with the settings and the data."""

    model: Any
    optimizer: torch.optim.Optimizer
    step: int = 0


def train(
    model: Any,
    tokenizer: Any,
    conversations: Sequence[Conversation],
    settings: Settings,
    progress: Callable[[Step], None],
) -> tuple[Step, ...]:
    """Train `model` in place and give back what each step did.

    The same model, data and settings give the same weights, with one thread. Raises InputError when there is no
    conversation, or when the chat template cannot show which tokens the assistant spoke.
    """
    if not conversations:
        raise InputError("there is no conversation to train on; give at least one that ends with an answer")
    rows = encode(tokenizer, conversations, settings.learn)
    lengths = [len(row.ids) for row in rows]
    plan = [batch for epoch in range(settings.epochs) for batch in batches(lengths, settings.batch, settings.seed, epoch)]
    run = Run(model.train(), optimizer(model, settings))
    steps = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(settings.seed, "dropout") >> 1)
        for batch in plan:
            steps.append(advance(run, [rows[i] for i in batch], settings, len(plan)))
            progress(steps[-1])
    model.eval()
    return tuple(steps)


def advance(run: Run, rows: Sequence[Row], settings: Settings, total: int) -> Step:
    """One step of the optimiser over one batch."""
    rate = learning_rate(run.step, total, settings)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    ids, learned, lengths = right_padded(rows, run.model.device)
    # No attention mask: padding stands on the right, where a causal model cannot see it from any real token.
    loss = masked_cross_entropy(run.model(input_ids=ids, use_cache=False).logits, ids, learned)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), settings.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    run.step += 1
    return Step(run.step, total, loss.item(), rate, sum(lengths))


def encode(tokenizer: Any, conversations: Sequence[Conversation], learn: Literal["answers", "all"]) -> list[Row]:
    """Tokens and what is to be learned of them: the assistant's words and the token that ends them, or everything."""
    texts = [render(tokenizer, c, open_answer=False) for c in conversations]
    spans = [_answers(tokenizer, c, text) for c, text in zip(conversations, texts, strict=True)]
    found = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    rows = []
    for ids, offsets, spoken in zip(found["input_ids"], found["offset_mapping"], spans, strict=True):
        learned = [learn == "all" or any(start <= a < stop for start, stop in spoken) for a, _ in offsets]
        rows.append(Row(tuple(ids), tuple(learned)))
    return rows


def _answers(tokenizer: Any, conversation: Conversation, text: str) -> list[tuple[int, int]]:
    """Where in `text` the assistant speaks: from the end of its opened turn to the end of that turn, in characters."""
    spans = []
    for i, message in enumerate(conversation.messages):
        if message.role == "assistant":
            before = render(tokenizer, Conversation(conversation.messages[:i]), open_answer=True)
            after = render(tokenizer, Conversation(conversation.messages[: i + 1]), open_answer=False)
            if not (text.startswith(after) and after.startswith(before)):
                raise InputError("the chat template rewrites earlier turns, so the assistant's tokens cannot be told apart")
            spans.append((len(before), len(after)))
    return spans


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The indices of each batch of one epoch: shuffled, then sorted by length within pools of 16 batches, then shuffled."""
    random = stream(seed, "batches", epoch)
    order = list(range(len(lengths)))
    random.shuffle(order)
    pool = 16 * size
    order = [i for start in range(0, len(order), pool) for i in sorted(order[start : start + pool], key=lambda i: lengths[i])]
    plan = [order[start : start + size] for start in range(0, len(order), size)]
    random.shuffle(plan)
    return plan


def learning_rate(step: int, total: int, settings: Settings) -> float:
    """The rate at `step` (from 0): linear up to the peak, then a cosine down to a tenth of it."""
    warm = max(1, round(settings.warm_up * total))
    if step < warm:
        return settings.rate * (step + 1) / warm
    done = (step - warm) / max(1, total - warm)
    return settings.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def optimizer(model: Any, settings: Settings) -> torch.optim.AdamW:
    """AdamW over the trainable weights; vectors (norms, biases) are not decayed."""
    weights = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.rate, betas=(0.9, 0.95), fused=True)


def right_padded(rows: Sequence[Row], device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """Ids and learned, both (rows, longest), padded on the right with 0 and False, and the real lengths."""
    lengths = [len(row.ids) for row in rows]
    longest = max(lengths)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows], device=device)
    learned = torch.tensor([[*row.learned, *[False] * (longest - len(row.ids))] for row in rows], device=device)
    return ids, learned, lengths


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write model and tokenizer as an ordinary Hugging Face folder."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # the library's own; who calls shows progress, or not
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
