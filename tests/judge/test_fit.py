"""The joint regression against its definition, numeric gradients and scikit-learn; unknown labels weigh nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from fairlead.judge.fit import _OWN_SHARE, UNKNOWN, Targets, _noisy_or, fit
from fairlead.judge.heads import sigmoid
from fairlead.records.example import Example


def _world(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(n, 3)).astype(np.float32)
    return features, (features[:, 0] - features[:, 1] + draw.normal(size=n) > 0.3).astype(np.int8)


def _targets(known: np.ndarray, one_of: np.ndarray | None = None) -> Targets:
    return Targets(
        known,
        np.zeros(known.shape, bool) if one_of is None else one_of,
        np.zeros(len(known), np.intp),
        np.zeros(len(known), bool),
    )


def test_one_rule_without_unknowns_is_scikit_learns_balanced_regression() -> None:
    features, labels = _world()
    ours = fit(features, _targets(labels[:, None]), 0.01, 500)
    # Its loss is C · Σ weight · entropy with weights that sum to n; ours has weights that sum to 2.
    theirs = LogisticRegression(C=2 / (0.01 * len(labels)), class_weight="balanced", tol=1e-8, max_iter=1000)
    theirs.fit(features, labels)
    assert np.allclose(ours.weight[:, 0], theirs.coef_[0], atol=2e-3)
    assert ours.bias[0] == pytest.approx(theirs.intercept_[0], abs=2e-3)


def test_sparse_and_dense_agree() -> None:
    features, labels = _world()
    dense, sparse = (fit(form, _targets(labels[:, None]), 0.01, 300) for form in (features, csr_array(features)))
    assert np.allclose(dense.weight, sparse.weight, atol=1e-4)


def test_unknown_labels_change_nothing() -> None:
    features, labels = _world()
    doubled, column = np.vstack([features, 9 * features]), np.concatenate([labels, np.full(len(labels), UNKNOWN)])
    alone, beside = (
        fit(x, _targets(y.astype(np.int8)[:, None]), 0.01, 300) for x, y in ((features, labels), (doubled, column))
    )
    assert np.allclose(alone.weight, beside.weight, atol=1e-4)


def test_a_set_teaches_the_rule_that_can_explain_it() -> None:
    # Texts with the first feature violate the first rule, with the second the second; half of them only say "one of both".
    features = np.eye(2, dtype=np.float32)[np.arange(80) % 2] * 2
    known = np.where(np.eye(2, dtype=bool)[np.arange(80) % 2], 1, 0).astype(np.int8)
    known[20:] = UNKNOWN
    one_of = np.zeros((80, 2), bool)
    one_of[20:] = True
    found = fit(features, _targets(known, one_of), 0.01, 300).logits(np.eye(2, dtype=np.float32) * 2)
    assert found[0, 0] > 0 > found[0, 1] and found[1, 1] > 0 > found[1, 0]


def test_the_gradient_of_the_noisy_or_is_that_of_finite_differences() -> None:
    logits = np.array([[0.3, -1.2, 2.0], [-3.0, -2.0, 0.1]])
    members = np.array([[True, True, False], [True, False, True]])
    value, gradient = _noisy_or(logits, sigmoid(logits), members)
    by_hand = -np.log(1 - np.prod(np.where(members, 1 - 1 / (1 + np.exp(-logits)), 1.0), axis=1))
    assert np.allclose(value, by_hand)
    for row in range(2):
        for rule in range(3):
            step = np.zeros_like(logits)
            step[row, rule] = 1e-6
            ahead, behind = (_noisy_or(logits + s, sigmoid(logits + s), members)[0][row] for s in (step, -step))
            assert gradient[row, rule] == pytest.approx((ahead - behind) / 2e-6, abs=1e-6)


def test_classes_weigh_the_same_and_sources_by_the_root_of_their_size() -> None:
    known = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0], np.int8)[:, None]
    sources = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1])  # four violating of one source; four allowed of it, one of another
    each, _ = Targets(known, np.zeros((9, 1), bool), sources, np.zeros(9, bool)).weights()
    assert each[known[:, 0] == 1].sum() == pytest.approx(1) and each[known[:, 0] == 0].sum() == pytest.approx(1)
    assert each[8, 0] == pytest.approx(1 / 3) and each[4:8, 0] == pytest.approx([1 / 6] * 4)


def test_targets_read_examples() -> None:
    examples = [
        Example("1", "a", {"r": True}, "x"),
        Example("2", "b", {"s": False}, "y", one_of=("r",)),
        Example("3", "c", {"r": True}, "x", one_of=("r", "s")),  # settled
        Example("4", "d", {}, "x", one_of=("r", "unknown")),  # may be the other one
    ]
    found = Targets.of(examples, ["r", "s"])
    assert found.known.tolist() == [[1, -1], [-1, 0], [1, -1], [-1, -1]]
    assert found.one_of.tolist() == [[False, False], [True, False], [False, False], [False, False]]
    assert found.sources[0] == found.sources[2] != found.sources[1]


def test_what_is_not_public_has_its_share_of_each_class() -> None:
    examples = [Example(str(i), str(i), {"r": i % 2 == 0}, "corpus:ann" if i < 4 else "public:set") for i in range(40)]
    each, _ = Targets.of(examples, ["r"]).weights()
    for label in (0, 1):
        assert each[label:4:2].sum() == pytest.approx(_OWN_SHARE) and each[4 + label :: 2].sum() == pytest.approx(
            1 - _OWN_SHARE
        )


def test_harm_at_large_is_any_rule_and_needs_most_rules_settled_to_be_absent() -> None:
    examples = [
        Example("1", "a", {"r": True, "s": False}, "x"),
        Example("2", "b", {}, "x", one_of=("r", "s")),
        Example("3", "c", {"r": False, "s": False, "t": False}, "x"),
        Example("4", "d", {"r": False}, "x"),
    ]
    found = Targets.of(examples, ["r", "s", "t"]).with_any()
    assert found.known[:, -1].tolist() == [1, 1, 0, UNKNOWN] and not found.one_of[:, -1].any()
    assert Targets.of(examples[:2], ["r", "s"]).with_any().known[:, -1].tolist() == [UNKNOWN, UNKNOWN]
