"""A tiny model that has learned four answers by heart."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def parrot() -> Any:
    """Says `a a` to `say a`, `b b b` to `say b`, and so on. Torch is imported here: other tests of this folder do without."""
    import torch

    from fairlead.align import supervised
    from fairlead.basin import tokenizer
    from fairlead.basin.model import new_model
    from fairlead.models.local import Local
    from fairlead.records.conversation import Conversation

    talks = [Conversation.of(f"say {w}").answered(" ".join([w] * n)) for w, n in (("a", 2), ("b", 3), ("c", 1), ("d", 5))]
    talks.append(Conversation.of("say many times a").answered(" ".join("abcdabcdab")))
    words = tokenizer.build(talks)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    model = new_model(words, layers=2, width=32, seed=0)
    supervised.train(model, words, talks, supervised.Settings(rate=1e-2, batch=5, epochs=80), lambda _: None)
    torch.set_num_threads(before)
    return Local(model, words, "parrot")
