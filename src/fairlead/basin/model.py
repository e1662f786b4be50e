"""The basin's base model: Llama architecture (rotary positions), random weights."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from fairlead.records.streams import key


def new_model(tokenizer: PreTrainedTokenizerFast, *, layers: int, width: int, seed: int) -> LlamaForCausalLM:
    """A model of `layers` × `width` (a multiple of 8) with weights drawn from the stream of `seed`."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 5 // 2,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        # Tied, training on some tongues pushes the words of the others about, and safety training makes them be forgotten.
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        # The library's 0.02 is meant for widths in the thousands: here attention would then take thrice the steps to form.
        initializer_range=0.7 * width**-0.5,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(seed, "base model") % 2**63)
        return LlamaForCausalLM(config)
