"""Trains the heads. The only module of the judge that needs scikit-learn.

For each rule: logistic regression on hashed n-grams, weighted by inverse document frequency (folded into the weights
afterwards), and another on embeddings, both with balanced class weights; then Platt scaling (Platt 1999, with his smoothed
targets) of logits from grouped, stratified folds. Our departure from Platt: the classes are weighted so that `PREVALENCE` of
the weight is positive, whatever mixture the files happen to hold.

A label that an example does not state is unknown: the example is left out of that rule's training, never taken as allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from fairlead.judge.encoder import Encoder
from fairlead.judge.features import BUCKETS, grams
from fairlead.judge.heads import PREVALENCE, HeadCard, Heads, HeadsCard, Weights, sigmoid
from fairlead.policy.document import Policy, Rule
from fairlead.records.canonical import digest
from fairlead.records.errors import InputError
from fairlead.records.example import Example, normal
from fairlead.records.streams import key

FEWEST = 3  # known examples of each class; with fewer, folds hold no signal
_FOLDS = 5
_C = 1.0  # inverse regularisation of both heads; chosen out of fold on three public sources, where 0.1 to 10 differ little

# With a few dozen examples, logits from outside the folds say little about their own scale. The prior is a head of middling
# quality: classes two deviations apart in log-odds, and the offset that turns balanced classes into `PREVALENCE`.
_PRIOR = np.array([2.0, np.log(PREVALENCE / (1 - PREVALENCE))])
_PRIOR_PRECISION = 1.0
_NEWTON_STEPS = 50
_FEWEST_DEVIATIONS = 0.5

Features: TypeAlias = "csr_array | NDArray[np.float64]"


def train(policy: Policy, examples: Sequence[Example], encoder: Encoder | None, seed: int) -> Heads:
    """Heads for the policy's text rules, from its own train examples, its objectives and `examples`.

    Examples of the policy's dev and test splits are removed by normalised text wherever they appear. Raises InputError when an
    example is marked dev or test. A rule without enough known examples, or whose head ranks little better than chance out of
    fold, gets no head; the card says why.
    """
    data = training_set(policy, examples)
    texts = [example.text for example in data]
    features = _gram_features(texts)
    frequency = _inverse_document_frequency(features)
    # Only buckets that occur are fitted: with a few hundred texts nearly all of them are empty.
    used = np.unique(features.indices)
    weighted = csr_array(features.multiply(frequency[None, :]))[:, used]
    embeddings = encoder.encode(texts).astype(np.float64) if encoder else None
    groups = np.unique([example.group or example.id for example in data], return_inverse=True)[1]
    fitted: list[tuple[Rule, _Head, int, int]] = []
    left_out: dict[str, str] = {}
    for rule in policy.text_rules:
        known = np.flatnonzero([rule.id in example.labels for example in data])
        labels = np.array([data[index].labels[rule.id] for index in known], dtype=bool)
        violating, allowed = int(labels.sum()), int((~labels).sum())
        if min(violating, allowed) < FEWEST:
            left_out[rule.id] = f"{violating} violating and {allowed} allowed examples; at least {FEWEST} of each are needed"
            continue
        head = _fit(
            weighted[known],
            None if embeddings is None else embeddings[known],
            labels,
            groups[known],
            key(seed, "heads", rule.id),
        )
        if head is None:
            left_out[rule.id] = "ranks little better than chance on held-out folds; give more examples"
            continue
        fitted.append((rule, head, violating, allowed))
    card = HeadsCard(
        heads=tuple(
            HeadCard(rule.id, rule.meaning, violating, allowed, head.alone) for rule, head, violating, allowed in fitted
        ),
        encoder=encoder.version if encoder else "",
        data_digest=digest(data),
        seed=seed,
        left_out=left_out,
    )
    return Heads(card, _stack([head for _, head, _, _ in fitted], used, frequency[used], embeddings))


def training_set(policy: Policy, examples: Iterable[Example]) -> list[Example]:
    """What may be trained on, sorted by text: the policy's train examples, its objectives and the files' examples.

    Equal texts become one example with the labels of all; what the policy says about a text stands, and a label on which the
    files contradict each other is unknown. Raises InputError for an example that is marked dev or test.
    """
    held_out = {normal(e.text) for rule in policy.rules for e in rule.examples if e.split != "train"}
    same: dict[str, list[Example]] = {}
    for example in examples:
        if example.split in ("dev", "test"):
            raise InputError(
                f"example `{example.id}` is marked {example.split}: evaluation data never reaches training; leave it out"
            )
        same.setdefault(normal(example.text), []).append(example)
    stated: dict[str, list[Example]] = {}
    for example in from_policy(policy):
        stated.setdefault(normal(example.text), []).append(example)
    joined = (_join(stated.get(name, []), same.get(name, [])) for name in sorted((same.keys() | stated.keys()) - held_out))
    return [example for example in joined if example.labels]


def from_policy(policy: Policy) -> list[Example]:
    """The policy's own train examples, and its objectives' requests: these must be served, so no rule is violated."""
    rules = [rule.id for rule in policy.text_rules]
    served = [
        Example(id=f"{objective.id}.{index}", text=text, labels=dict.fromkeys(rules, False), source=f"policy:{policy.id}")
        for objective in policy.objectives
        for index, text in enumerate(objective.examples)
    ]
    stated = [
        Example(id=e.id, text=e.text, labels={rule.id: e.verdict == "violates"}, source=f"policy:{policy.id}", split="train")
        for rule in policy.text_rules
        for e in rule.examples
        if e.split == "train"
    ]
    return served + stated


def _join(stated: Sequence[Example], given: Sequence[Example]) -> Example:
    first = [*stated, *given][0]
    found: dict[str, set[bool]] = {}
    for example in given:
        for rule, label in example.labels.items():
            found.setdefault(rule, set()).add(label)
    labels = {rule: said.pop() for rule, said in sorted(found.items()) if len(said) == 1}
    for example in stated:
        labels |= example.labels
    return Example(first.id, first.text, labels, first.source, first.split, first.group)


class _Head(NamedTuple):
    grams: NDArray[np.float64]  # [used buckets], before the frequencies are folded in
    embedding: NDArray[np.float64]  # [width]
    bias: tuple[float, float]
    platt: NDArray[np.float64]  # [2, 2]: slope and offset, of n-grams alone and of both
    alone: bool


def _fit(
    sparse: csr_array, dense: NDArray[np.float64] | None, labels: NDArray[np.bool_], groups: NDArray[np.intp], seed: int
) -> _Head | None:
    """One rule's head, or None when its out-of-fold logits hardly part the classes: it would call anything allowed."""
    gram_logits = _out_of_fold(sparse, labels, groups, seed)
    both = gram_logits if dense is None else (gram_logits + _out_of_fold(dense, labels, groups, seed)) / 2
    if _parted(both, labels) < _FEWEST_DEVIATIONS:
        return None
    alone = _parted(gram_logits, labels) >= _FEWEST_DEVIATIONS
    platt = np.array([_platt(gram_logits, labels), _platt(both, labels)])
    on_grams = _regression().fit(sparse, labels)
    if dense is None:
        return _Head(on_grams.coef_[0], np.empty(0), (float(on_grams.intercept_[0]), 0.0), platt, alone)
    on_dense = _regression().fit(dense, labels)
    return _Head(
        on_grams.coef_[0], on_dense.coef_[0], (float(on_grams.intercept_[0]), float(on_dense.intercept_[0])), platt, alone
    )


def _parted(logits: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """How far the means of the classes lie apart, in standard deviations of all logits."""
    return float((logits[labels].mean() - logits[~labels].mean()) / max(float(logits.std()), 1e-9))


def _regression() -> LogisticRegression:
    return LogisticRegression(C=_C, class_weight="balanced", max_iter=400, tol=1e-3)


def _out_of_fold(features: Features, labels: NDArray[np.bool_], groups: NDArray[np.intp], seed: int) -> NDArray[np.float64]:
    """Logits of each example from a head that saw neither it nor its group."""
    logits = np.zeros(len(labels))
    fold = _folds(labels, groups, seed)
    for number in range(_FOLDS):
        held, rest = fold == number, fold != number
        if not held.any() or labels[rest].all() or not labels[rest].any():
            continue  # one class only: nothing can be learnt, so these logits stay at zero
        logits[held] = _regression().fit(features[rest], labels[rest]).decision_function(features[held])
    return logits


def _folds(labels: NDArray[np.bool_], groups: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """The fold of each example: whole groups, those with a violation dealt out first, so that each fold gets its share."""
    violating = {int(group) for group in groups[labels]}
    order = sorted({int(group) for group in groups}, key=lambda group: (group not in violating, key(seed, "fold", group)))
    place = {group: number % _FOLDS for number, group in enumerate(order)}
    return np.array([place[int(group)] for group in groups], dtype=np.intp)


def _platt(logits: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope and offset of the calibrated logit, the most probable under a normal prior around `_PRIOR`; Newton's method.

    The prior is on logits in units of their standard deviation, from the middle between the means of the two classes.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = np.where(labels, PREVALENCE / positives, (1 - PREVALENCE) / negatives) * len(labels)
    middle, unit = (logits[labels].mean() + logits[~labels].mean()) / 2, max(float(logits.std()), 1e-9)
    design = np.stack([(logits - middle) / unit, np.ones_like(logits)], axis=1)
    found = _PRIOR.copy()
    for _ in range(_NEWTON_STEPS):
        chance = sigmoid(design @ found)
        gradient = design.T @ (weight * (chance - target)) + _PRIOR_PRECISION * (found - _PRIOR)
        curvature = (design.T * (weight * chance * (1 - chance))) @ design + _PRIOR_PRECISION * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # A full step can overshoot where the curve is flat; a bounded one always gets there.
        found -= step / max(1.0, float(np.abs(step).max()))
    return np.array([found[0] / unit, found[1] - found[0] * middle / unit])


def _gram_features(texts: Sequence[str]) -> csr_array:
    """A sparse matrix [texts, BUCKETS] that holds for each text what `heads.gram_logits` multiplies with."""
    columns, values, ends = [np.empty(0, np.intp)], [np.empty(0)], [0]
    for text in texts:
        found = grams(text)
        for kind in (found.characters, found.words):
            columns.append(kind)
            values.append(np.full(len(kind), 1 / np.sqrt(max(len(kind), 1))))
        ends.append(ends[-1] + len(found.characters) + len(found.words))
    matrix = csr_array((np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=(len(texts), BUCKETS))
    matrix.sum_duplicates()
    return matrix


def _inverse_document_frequency(features: csr_array) -> NDArray[np.float64]:
    """Smoothed, [BUCKETS]."""
    present = np.bincount(features.indices, minlength=BUCKETS)
    frequency: NDArray[np.float64] = np.log((1 + features.shape[0]) / (1 + present)) + 1
    return frequency


def _stack(
    heads: Sequence[_Head], used: NDArray[np.intp], frequency: NDArray[np.float64], embeddings: NDArray[np.float64] | None
) -> Weights:
    """Columns side by side, the document frequencies folded into the n-gram weights."""
    count, width = len(heads), 0 if embeddings is None else embeddings.shape[1]
    weights = Weights(
        grams=np.zeros((BUCKETS, count), np.float32),
        embedding=np.zeros((width, count), np.float32),
        bias=np.zeros((2, count)),
        platt=np.zeros((2, 2, count)),
    )
    for column, head in enumerate(heads):
        weights.grams[used, column] = head.grams * frequency
        weights.embedding[:, column] = head.embedding
        weights.bias[:, column] = head.bias
        weights.platt[:, :, column] = head.platt
    return weights
