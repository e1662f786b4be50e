"""The training loop: what is learned, in which order, at which rate, and that it is the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from fairlead.align import supervised
from fairlead.align.losses import masked_cross_entropy
from fairlead.align.supervised import Settings, Step
from fairlead.basin import tokenizer
from fairlead.basin.model import new_model
from fairlead.records.conversation import Conversation, Message
from fairlead.records.errors import InputError

DATA = [Conversation.of(f"say {word}").answered(f"{word} {word}") for word in ("a", "b", "c", "d")] + [
    Conversation((Message("system", "you are a helper"), *Conversation.of("say e").answered("e e").messages))
]
WORDS = tokenizer.build(DATA)
SETTINGS = Settings(rate=1e-2, batch=2, epochs=40)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model(seed: int = 0) -> Any:
    return new_model(WORDS, layers=1, width=16, seed=seed)


def silent(_: Step) -> None:
    pass


def test_it_learns_and_says_so() -> None:
    seen: list[Step] = []
    steps = supervised.train(model(), WORDS, DATA, SETTINGS, seen.append)
    assert tuple(seen) == steps
    assert [s.step for s in steps] == list(range(1, 121))
    assert {s.of for s in steps} == {120}
    assert steps[-1].loss < 0.1 < steps[0].loss


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, other = model(), model(), model()
    supervised.train(first, WORDS, DATA, SETTINGS, silent)
    supervised.train(second, WORDS, DATA, SETTINGS, silent)
    supervised.train(other, WORDS, DATA, Settings(rate=1e-2, batch=2, epochs=40, seed=1), silent)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    supervised.train(model(), WORDS, DATA, Settings(rate=1e-3, batch=2), silent)
    assert torch.equal(torch.rand(1), wanted)


def test_a_saved_folder_is_an_ordinary_one(tmp_path: Path) -> None:
    trained = model()
    supervised.save(trained, WORDS, tmp_path)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in tmp_path.iterdir()}
    loaded, words = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    ids = words("<user> say a <end>", return_tensors="pt")["input_ids"]
    assert torch.equal(loaded(ids).logits, trained.eval()(ids).logits)


def test_only_the_assistant_and_its_end_are_learned() -> None:
    talk = Conversation((*Conversation.of("say a").answered("a").messages, *Conversation.of("say b").answered("b").messages))
    (row,) = supervised.encode(WORDS, [talk], "answers")
    said = [WORDS.convert_ids_to_tokens(i) for i, learned in zip(row.ids, row.learned, strict=True) if learned]
    assert said == ["a", "<end>", "b", "<end>"]
    (everything,) = supervised.encode(WORDS, [talk], "all")
    assert all(everything.learned) and everything.ids == row.ids


def test_padding_changes_no_loss() -> None:
    rows, tuned = supervised.encode(WORDS, DATA, "answers"), model().eval()

    def total(some: list[supervised.Row]) -> float:
        ids, learned, _ = supervised.right_padded(some, tuned.device)
        mean = masked_cross_entropy(tuned(input_ids=ids).logits, ids, learned).item()
        return mean * int(learned[:, 1:].sum())

    assert len({len(r.ids) for r in rows}) > 1
    assert total(rows) == pytest.approx(sum(total([row]) for row in rows), rel=1e-5)


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    words = tokenizer.build(DATA)
    words.chat_template = "{{ messages | length }} {% for m in messages %}{{ m['content'] }} {% endfor %}"
    with pytest.raises(InputError, match="rewrites earlier turns"):
        supervised.encode(words, DATA, "answers")


def test_no_data_is_refused() -> None:
    with pytest.raises(InputError, match="no conversation"):
        supervised.train(model(), WORDS, [], SETTINGS, silent)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 9), st.integers(0, 3))
def test_an_epoch_shows_every_row_once(lengths: list[int], size: int, seed: int, epoch: int) -> None:
    plan = supervised.batches(lengths, size, seed, epoch)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))
    assert max(map(len, plan)) <= size
    assert plan == supervised.batches(lengths, size, seed, epoch)


def test_rows_of_like_length_share_a_batch() -> None:
    lengths = [i % 40 + 1 for i in range(1600)]
    plan = supervised.batches(lengths, 16, 0, 0)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in plan)
    assert padded < 1.15 * sum(lengths)


@given(st.integers(1, 500))
def test_the_rate_rises_to_its_peak_and_falls_to_a_tenth(total: int) -> None:
    rates = [supervised.learning_rate(step, total, Settings(rate=1.0, batch=1)) for step in range(total)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert min(rates) > 0.0 and rates[peak:][-1] >= 0.1


def test_rates_by_hand() -> None:
    settings = Settings(rate=2.0, batch=1, warm_up=0.5)
    # Four steps, two of them warm-up: half, all; then the cosine at 0 and at a half: all, 2 × (0.1 + 0.9 / 2).
    assert [supervised.learning_rate(s, 4, settings) for s in range(4)] == pytest.approx([1.0, 2.0, 2.0, 1.1])
