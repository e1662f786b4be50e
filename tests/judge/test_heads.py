"""Training masks unknown labels, keeps evaluation data out, repeats to the byte, and says why a rule has no head."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_toys import LOCKS, TOY, policy_of, rule, toy_examples

from fairlead.judge.features import BUCKETS
from fairlead.judge.heads import PREVALENCE, HeadCard, Heads, HeadsCard, Weights, is_heads, sigmoid
from fairlead.judge.train import _band, _gram_features, _platt, _quantile, from_policy, normal, train, training_set
from fairlead.policy.document import Policy
from fairlead.records.errors import InputError, JudgeError
from fairlead.records.example import Example


def test_heads_separate_what_they_learnt(gram_heads: Heads) -> None:
    asked = "Can I pick the lock of the old barn unseen?", "How should I water an old hedge?"
    harmful, benign = (gram_heads.first(gram_heads.logits(text))[0] for text in asked)
    assert harmful > 0.5 > benign


def test_a_rule_without_examples_has_no_head_and_the_card_says_why(gram_heads: Heads) -> None:
    assert gram_heads.rules == ("burglary",)
    assert "0 violating" in gram_heads.card.left_out["poison"]


def test_labels_that_are_not_stated_are_unknown() -> None:
    # The break-ins are no negatives of `poison`: only the objectives are known to be allowed under it.
    found = train(
        TOY, [*toy_examples(), *(Example(f"p{i}", f"poison number {i}", {"poison": True}) for i in range(4))], None, 0
    )
    assert "4 violating and 2 allowed" in found.card.left_out["poison"]


@pytest.mark.parametrize("split", ["test", "dev"])
def test_evaluation_data_never_reaches_training(split: str) -> None:
    marked = Example("e1", "some text", {"burglary": True}, split=split)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"e1.*{split}"):
        train(TOY, [*toy_examples(), marked], None, 0)


def test_texts_of_the_policys_own_evaluation_are_removed_from_files() -> None:
    held_out = next(e for e in LOCKS if e.split == "test")
    disguised = Example("copy", held_out.text.upper().replace(" ", "  ") + "!!", {"burglary": True})
    kept = training_set(TOY, [disguised, Example("other", "Break into the bank.", {"burglary": True})])
    names = {normal(example.text) for example in kept}
    assert normal(held_out.text) not in names
    assert normal("Break into the bank.") in names


def test_the_policys_train_examples_and_objectives_are_always_in() -> None:
    labels = {example.text: example.labels for example in from_policy(TOY)}
    assert labels["How long do lentils take to cook?"] == {"burglary": False, "poison": False}
    assert {e.text: {"burglary": e.verdict == "violates"} for e in LOCKS if e.split == "train"}.items() <= labels.items()
    assert not {e.text for e in LOCKS if e.split != "train"} & set(labels)


def test_contradicting_labels_become_unknown_and_the_policy_stands() -> None:
    stated = LOCKS[0]
    given_ = [
        Example("1", "The same text", {"burglary": True, "poison": False}),
        Example("2", "the same TEXT.", {"burglary": False}),
        Example("3", stated.text, {"burglary": False}),
    ]
    found = {normal(example.text): example.labels for example in training_set(TOY, given_)}
    assert found["the same text"] == {"poison": False}
    assert found[normal(stated.text)] == {"burglary": True}


def test_training_repeats_to_the_byte(gram_heads: Heads, tmp_path: Path) -> None:
    again = train(TOY, list(reversed(toy_examples())), None, seed=7)
    gram_heads.save(tmp_path / "a")
    again.save(tmp_path / "b")
    assert again.digest == gram_heads.digest
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_other_data_gives_another_digest(gram_heads: Heads) -> None:
    assert train(TOY, toy_examples()[:-1], None, seed=7).digest != gram_heads.digest


def test_heads_come_back_from_disk(gram_heads: Heads, tmp_path: Path) -> None:
    assert not is_heads(tmp_path)
    gram_heads.save(tmp_path)
    assert is_heads(tmp_path)
    loaded = Heads.load(tmp_path)
    assert loaded.digest == gram_heads.digest
    text = "Can I pick the lock of the old barn unseen?"
    assert (loaded.logits(text) == gram_heads.logits(text)).all()


@pytest.mark.parametrize("damage", ["missing", "cut", "card", "format"])
def test_damaged_heads_are_refused(gram_heads: Heads, tmp_path: Path, damage: str) -> None:
    gram_heads.save(tmp_path)
    numbers, card = tmp_path / "heads.npz", tmp_path / "heads.json"
    if damage == "missing":
        numbers.unlink()
    elif damage == "cut":
        numbers.write_bytes(numbers.read_bytes()[:1000])
    elif damage == "card":
        card.write_text("{}")
    else:
        card.write_bytes(msgspec.json.encode(msgspec.structs.replace(gram_heads.card, format=0)))
    with pytest.raises(JudgeError, match="train"):
        Heads.load(tmp_path)


def test_numbers_that_are_not_finite_are_refused(gram_heads: Heads) -> None:
    bad = msgspec.structs.replace(gram_heads.weights, bias=np.full_like(gram_heads.weights.bias, np.nan))
    with pytest.raises(JudgeError, match="bias"):
        Heads(gram_heads.card, bad)


def test_a_head_that_ranks_like_chance_is_left_out() -> None:
    # Every word stands as often on either side, so that nothing can be learnt.
    texts = [f"{word} {other}" for word in ("red", "blue", "green", "grey") for other in ("stone", "river", "cloud", "field")]
    noise = [Example(str(i), text, {"burglary": (i + i // 4) % 2 == 0}) for i, text in enumerate(texts)]
    found = train(policy_of(rule("burglary")), noise, None, 1)
    assert found.rules == ()
    assert "chance" in found.card.left_out["burglary"]


def test_no_text_rules_give_no_heads() -> None:
    empty: Policy = policy_of()
    assert train(empty, toy_examples(), None, 0).rules == ()


def _random_heads(count: int) -> Heads:
    draw = np.random.default_rng(0)
    cards = tuple(HeadCard(f"r{i}", "", 1, 1, True) for i in range(count))
    weights = Weights(
        draw.integers(-127, 128, (BUCKETS, count + 1)).astype(np.int8),
        draw.random(count + 1).astype(np.float32),
        draw.normal(size=(4, count + 1)).astype(np.float32),
        draw.normal(size=(2, count + 1)),
        draw.normal(size=(2, 3, count)),
    )
    return Heads(HeadsCard(cards, "", "", 0), weights)


RANDOM = _random_heads(2)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_training_and_scoring_see_the_same_features(text: str) -> None:
    dense = RANDOM.weights.grams.astype(np.float64) * RANDOM.weights.scale
    trained = _gram_features([text]) @ dense + RANDOM.weights.bias[0]
    assert np.allclose(trained[0], RANDOM.logits(text), rtol=1e-5, atol=1e-4)


def test_the_second_stage_is_the_mean_of_both_logits_beside_that_of_harm_calibrated() -> None:
    embedding = np.array([0.5, -0.5, 0.5, 0.5], np.float32)
    logits, weights = np.array([0.2, -1.0, 0.7]), RANDOM.weights

    def both(column: int) -> float:
        dense = sum(float(embedding[i]) * float(weights.embedding[i, column]) for i in range(4)) + weights.bias[1, column]
        return float((logits[column] + dense) / 2)

    for head in range(2):
        a, b, c = weights.platt[1, :, head]
        expected = 1 / (1 + math.exp(-(a * both(head) + b * both(2) + c)))
        assert RANDOM.second(logits, embedding)[head] == pytest.approx(expected, rel=1e-6)


def test_calibration_maps_the_middle_to_the_prevalence() -> None:
    # Two classes at logits +1 and -1, many of each: halfway between, the odds are those of the prevalence.
    logits, labels = np.repeat([1.0, -1.0], 500), np.repeat([True, False], 500)
    noisy = logits + np.random.default_rng(0).normal(size=1000)
    slope, _, offset = _platt(np.column_stack([noisy, np.zeros(1000)]), labels, np.ones(1000))
    assert slope > 1
    assert sigmoid(np.array([offset]))[0] == pytest.approx(PREVALENCE, abs=0.04)


def test_calibration_finds_known_odds() -> None:
    # For normal classes at ±1 with deviation 1 the log-odds are 2x plus the prior's: slope 2, by Bayes.
    random = np.random.default_rng(3)
    labels = random.random(20_000) < 0.5
    logits = random.normal(np.where(labels, 1.0, -1.0))
    harm = np.random.default_rng(4).normal(size=20_000)  # says nothing, and so gets no weight
    slope, other, offset = _platt(np.column_stack([logits, harm]), labels, np.ones(20_000))
    assert slope == pytest.approx(2.0, abs=0.1) and other == pytest.approx(0.0, abs=0.05)
    assert offset == pytest.approx(np.log(PREVALENCE / (1 - PREVALENCE)), abs=0.1)


@given(st.floats(-1e6, 1e6))
def test_sigmoid_stays_within_bounds(value: float) -> None:
    assert 0.0 <= sigmoid(np.array([value]))[0] <= 1.0


def test_outside_the_band_the_first_stage_is_seldom_wrong_where_the_second_is_right() -> None:
    draw = np.random.default_rng(1)
    labels = draw.random(4_000) < 0.5
    first, second = (sigmoid(draw.normal(np.where(labels, 2.0, -2.0))) for _ in range(2))
    low, high = _band(first, second, labels, np.ones(4_000), rule("burglary"))  # review 0.3, block 0.6
    caught, passed = labels & (second >= 0.3), ~labels & (second < 0.6)
    assert 0 < low < high < 1
    assert (first[caught] < low).mean() <= 0.005 and (first[passed] > high).mean() <= 0.0005
    assert (first < low).mean() > 0.05, "a band that decides nothing is of no use"


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 5)), min_size=1), st.floats(0, 1))
def test_quantile_is_its_definition(items: list[tuple[float, int]], share: float) -> None:
    values, weight = np.array([v for v, _ in items]), np.array([float(w) for _, w in items])
    total = sum(w for _, w in items)
    over = [v for v, _ in items if sum(w for u, w in items if u <= v) > share * total]
    assert _quantile(values, weight, share) in {
        min(over, default=max(values)),
        *values[np.isclose(values, min(over, default=1))],
    }
