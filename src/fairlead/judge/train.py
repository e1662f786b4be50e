"""Trains the heads. The only module of the judge, with `fit`, that needs SciPy.

For all rules together: logistic regression on hashed n-grams, weighted by inverse document frequency (folded into the
weights afterwards), and another on embeddings (`fit`); then the calibration of `heads` on the logits of texts that were left
out. With enough sources whole sources are left out, so that scores are calibrated for texts from elsewhere; otherwise whole
groups. Our departure from Platt, beside his smoothed targets: the classes are weighted so that `PREVALENCE` of the weight is
positive, whatever mixture the files happen to hold, and within a class each source as in `fit`.

A label that an example does not state is unknown: the example is left out of that rule's training, never taken as allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.sparse import csr_array

from fairlead.judge.encoder import Encoder
from fairlead.judge.features import BUCKETS, grams
from fairlead.judge.fit import Features, Linear, Targets, fit
from fairlead.judge.heads import GRAMS, PREVALENCE, Floats, HeadCard, Heads, HeadsCard, Weights, calibrated, sigmoid
from fairlead.policy.document import Policy, Rule
from fairlead.records.canonical import digest
from fairlead.records.errors import InputError
from fairlead.records.example import Example, normal
from fairlead.records.streams import key

FEWEST = 3  # known examples of each class; with fewer, folds hold no signal
_FOLDS = 5
_FEW_SOURCES = 2 * _FOLDS
_LONGEST = 1_000  # characters of a text that are learnt from: what the judge reads at once
_RAREST = 5_000  # texts: a bucket must occur in two of the first so many, and in one more of each so many further
# Chosen by the figure for sources left out (bench.judge); a factor of ten either way costs little.
_ON_GRAMS, _ON_EMBEDDINGS = (1e-3, 40), (1e-3, 150)  # penalty, and steps: stopping early costs the n-grams nothing
_LEAST_DATA = 1.0  # over n texts: the penalty that few texts need
# What the first stage may get wrong where it decides alone and the second would not, as shares of the weight of each class.
_MISSED, _FALSE = 0.005, 0.0005

# With a few dozen examples, logits from outside the folds say little about their own scale. The prior is a head of middling
# quality: classes two deviations apart in log-odds, and the offset that turns balanced classes into `PREVALENCE`.
_PRIOR = np.array([2.0, 0.0, np.log(PREVALENCE / (1 - PREVALENCE))])
_PRIOR_PRECISION = 1.0
_NEWTON_STEPS = 50
_FEWEST_DEVIATIONS = 0.5


class Training(NamedTuple):
    """What came of it: the heads, the examples that were learnt from, and how each scores [n, heads] where it was left out.

    `scores` are the last stage's probabilities: calibrated for all, from logits of a fit that saw nothing of its fold.
    """

    heads: Heads
    examples: list[Example]
    scores: Floats


def train(policy: Policy, examples: Sequence[Example], encoder: Encoder | None, seed: int) -> Heads:
    """Heads for the policy's text rules, from its own train examples, its objectives and `examples`.

    Examples of the policy's dev and test splits are removed by normalised text wherever they appear. Raises InputError when an
    example is marked dev or test. A rule without enough known examples, or whose head ranks little better than chance where it
    was left out, gets no head; the card says why.
    """
    return training(policy, examples, encoder, seed).heads


def training(
    policy: Policy, examples: Sequence[Example], encoder: Encoder | None, seed: int, *, whole_sources: bool | None = None
) -> Training:
    """As `train`, with the scores of what was left out: whole sources, whole groups, or as there are sources enough."""
    data = training_set(policy, examples)
    rules, left_out = _learnable(policy, data)
    if not rules:
        return Training(_empty(data, left_out, encoder, seed), data, np.zeros((len(data), 0)))
    texts = [example.text[:_LONGEST] for example in data]
    targets = Targets.of(data, [rule.id for rule in rules]).with_any()
    if whole_sources is None:
        whole_sources = len({example.source for example in data}) >= _FEW_SOURCES
    folds = _folds([e.source if whole_sources else e.group or e.id for e in data], targets, seed)
    sparse = _Sparse.of(texts)
    logits = [_left_out(sparse.features, targets, folds, *_ON_GRAMS)]
    parts = [_fit(sparse.features, targets, *_ON_GRAMS)]
    if encoder:
        dense = encoder.encode(texts)
        logits.append((logits[GRAMS] + _left_out(dense, targets, folds, *_ON_EMBEDDINGS)) / 2)
        parts.append(_fit(dense, targets, *_ON_EMBEDDINGS))
    weights, _ = targets.weights()
    heads, platt, kept = [], np.zeros((2, 3, len(rules))), []
    for column, rule in enumerate(rules):
        known = targets.known[:, column] >= 0
        label, weight = targets.known[known, column] == 1, weights[known, column]
        stages = [found[known][:, [column, -1]] for found in logits]
        alone, both = stages[GRAMS], stages[-1]
        if _parted(both[:, 0], label, weight) < _FEWEST_DEVIATIONS:
            left_out[rule.id] = "ranks little better than chance where it was left out; give more examples"
            continue
        platt[:, :, column] = [_platt(stage, label, weight) for stage in (alone, both)]
        scored = [calibrated(found, platt[stage, :, [column]].T)[:, 0] for stage, found in enumerate((alone, both))]
        heads.append(
            HeadCard(
                rule.id,
                rule.meaning,
                int(label.sum()),
                int((~label).sum()),
                _parted(alone[:, 0], label, weight) >= _FEWEST_DEVIATIONS,
                _band(scored[0], scored[1], label, weight, rule),
            )
        )
        kept.append(column)
    card = replace(_empty(data, left_out, encoder, seed).card, heads=tuple(heads))
    columns = [*kept, -1]
    scores = calibrated(logits[-1][:, columns], platt[-1][:, kept])
    return Training(Heads(card, _stack(parts, sparse, platt, kept)), data, scores)


def _learnable(policy: Policy, data: Sequence[Example]) -> tuple[list[Rule], dict[str, str]]:
    """The rules with enough examples of each class, and why the others have no head."""
    rules, left_out = [], {}
    for rule in policy.text_rules:
        labels = [example.labels[rule.id] for example in data if rule.id in example.labels]
        violating, allowed = sum(labels), len(labels) - sum(labels)
        if min(violating, allowed) < FEWEST:
            left_out[rule.id] = f"{violating} violating and {allowed} allowed examples; at least {FEWEST} of each are needed"
        else:
            rules.append(rule)
    return rules, left_out


def _empty(data: Sequence[Example], left_out: dict[str, str], encoder: Encoder | None, seed: int) -> Heads:
    width = encoder.card.width if encoder else 0
    card = HeadsCard(
        heads=(),
        encoder=encoder.version if encoder else "",
        data_digest=digest(data),
        seed=seed,
        left_out=left_out,
        sources=dict(sorted(Counter(example.source for example in data).items())),
    )
    none = np.zeros((BUCKETS, 1), np.int8), np.zeros(1, np.float32), np.zeros((width, 1), np.float32)
    return Heads(card, Weights(*none, np.zeros((2, 1)), np.zeros((2, 3, 0))))


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
    return [example for example in joined if example.labels or example.one_of]


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
    one_of = () if len(given) != 1 else given[0].one_of
    return Example(first.id, first.text, labels, first.source, first.split, first.group, one_of=one_of)


def _folds(names: Sequence[str], targets: Targets, seed: int) -> NDArray[np.intp]:
    """The fold of each example: those of one name stay together.

    Names with a violation are dealt out first, so that each fold gets its share.
    """
    violating = {name for name, row in zip(names, targets.known, strict=True) if (row == 1).any()}
    order = sorted(set(names), key=lambda name: (name not in violating, key(seed, "fold", name)))
    place = {name: number % _FOLDS for number, name in enumerate(order)}
    return np.array([place[name] for name in names], dtype=np.intp)


def _fit(features: Features, targets: Targets, penalty: float, steps: int) -> Linear:
    return fit(features, targets, max(penalty, _LEAST_DATA / features.shape[0]), steps)


def _left_out(features: Features, targets: Targets, folds: NDArray[np.intp], penalty: float, steps: int) -> Floats:
    """Logits [n, rules] of each example from a fit that saw nothing of its fold."""
    logits = np.zeros(targets.known.shape)
    for number in range(_FOLDS):
        held = folds == number
        if held.any() and not held.all():
            logits[held] = _fit(features[~held], targets.take(~held), penalty, steps).logits(features[held])
    return logits


def _parted(logits: Floats, labels: NDArray[np.bool_], weight: Floats) -> float:
    """How far the means of the classes lie apart, in standard deviations of all logits."""
    violating, allowed = (np.average(logits[side], weights=weight[side]) for side in (labels, ~labels))
    return float((violating - allowed) / max(float(logits.std()), 1e-9))


def _band(first: Floats, second: Floats, labels: NDArray[np.bool_], weight: Floats, rule: Rule) -> tuple[float, float]:
    """Between which scores the first stage must ask the second.

    Outside, it would lose few of the violating texts that the second stage catches, and stop few of the allowed ones that the
    second lets pass.
    """
    assert rule.detect is not None  # a text rule has one
    caught, passed = labels & (second >= rule.detect.review), ~labels & (second < rule.detect.block)
    low = _quantile(first[caught], weight[caught], _MISSED) if caught.any() else 0.0
    return low, _quantile(first[passed], weight[passed], 1 - _FALSE) if passed.any() else 1.0


def _quantile(values: Floats, weight: Floats, share: float) -> float:
    """The smallest value at or below which more than `share` of the weight lies."""
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(passed, share, side="right")), len(values) - 1)])


def _platt(logits: Floats, labels: NDArray[np.bool_], given: Floats) -> Floats:
    """a, b and c for logits [n, 2] of a rule and of harm: the most probable under a normal prior.

    By Newton's method. The prior around `_PRIOR` is on logits in units of their standard deviation, from the middle between
    the means of the two classes.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    share = np.where(labels, PREVALENCE / given[labels].sum(), (1 - PREVALENCE) / given[~labels].sum())
    weight = given * share * len(labels)
    middle = sum(np.average(logits[side], axis=0, weights=given[side]) for side in (labels, ~labels)) / 2
    unit = np.maximum(logits.std(axis=0), 1e-9)
    design = np.column_stack([(logits - middle) / unit, np.ones(len(logits))])
    found = _PRIOR.copy()
    for _ in range(_NEWTON_STEPS):
        chance = sigmoid(design @ found)
        gradient = design.T @ (weight * (chance - target)) + _PRIOR_PRECISION * (found - _PRIOR)
        curvature = (design.T * (weight * chance * (1 - chance))) @ design + _PRIOR_PRECISION * np.eye(3)
        step = np.linalg.solve(curvature, gradient)
        # A full step can overshoot where the curve is flat; a bounded one always gets there.
        found -= step / max(1.0, float(np.abs(step).max()))
    slopes = found[:2] / unit
    return np.array([*slopes, found[2] - slopes @ middle])


class _Sparse(NamedTuple):
    """The n-grams of n texts: only the buckets in `used` are fitted, each weighted by its `frequency`."""

    features: csr_array  # float32 [n, used]
    used: NDArray[np.intp]
    frequency: Floats

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Sparse:
        """Buckets that occur often enough, or in any text when that leaves none."""
        counted = _gram_features(texts)
        present = np.bincount(counted.indices, minlength=BUCKETS)
        used = np.flatnonzero(present >= min(2 + len(texts) // _RAREST, int(present.max(initial=0))))
        frequency: Floats = np.log((1 + len(texts)) / (1 + present[used])) + 1
        return cls(csr_array(counted[:, used].multiply(frequency[None, :]), dtype=np.float32), used, frequency)


def _gram_features(texts: Sequence[str]) -> csr_array:
    """A sparse matrix [texts, BUCKETS] that holds for each text what `Heads.logits` multiplies with."""
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


def _stack(parts: Sequence[Linear], sparse: _Sparse, platt: Floats, kept: Sequence[int]) -> Weights:
    """The columns in `kept` and that of harm; document frequencies are folded into the n-grams' weights, now whole numbers."""
    columns = [*kept, -1]
    on_grams = (parts[GRAMS].weight * sparse.frequency[:, None])[:, columns]
    scale = np.maximum(np.abs(on_grams).max(axis=0, initial=0.0), 1e-9) / 127
    whole = np.zeros((BUCKETS, len(columns)), np.int8)
    whole[sparse.used] = np.round(on_grams / scale)
    dense = [part.weight[:, columns] for part in parts[1:]]
    bias = [part.bias[columns] for part in parts] + [np.zeros(len(columns))] * (2 - len(parts))
    embedding = dense[0] if dense else np.zeros((0, len(columns)), np.float32)
    return Weights(whole, scale.astype(np.float32), embedding, np.stack(bias), platt[:, :, kept])
