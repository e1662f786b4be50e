"""Logistic regression for many rules at once, where a text's label under a rule may be unknown.

    loss = Σ known weight · cross-entropy  +  Σ spread · −log(1 − Π over the rules of a set (1 − p))  +  penalty/2 · |W|²

The second sum is for texts of which only "one of these rules is violated" is known: the noisy-or of multiple-instance
learning (Viola, Platt and Zhang 2005, section 3.2.1, with a text as the bag and its rules as the instances).

Weights make both classes of a rule weigh the same, and within a class let a source weigh as the square root of its size, so
that neither the commonest label nor the largest source decides. Public sets draw their lines elsewhere than the policy: what
does not come from them has the share `_OWN_SHARE` of a class. Unknown labels weigh nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from fairlead.judge.heads import Floats, sigmoid
from fairlead.judge.sources import PUBLIC
from fairlead.records.example import Example

Features: TypeAlias = "csr_array | NDArray[np.float32]"
UNKNOWN = -1
_SETTLED = 2 / 3
_EXPONENT = 0.5  # 1 lets each text weigh the same, 0 each source
_OWN_SHARE = 0.9  # chosen by the look-alikes and the sources left out (bench.judge)


class Targets(NamedTuple):
    """What is known of n texts under r rules: `known` int8 [n, r] of 1, 0 and UNKNOWN; `one_of` bool [n, r]."""

    known: NDArray[np.int8]
    one_of: NDArray[np.bool_]
    sources: NDArray[np.intp]  # [n], whichever set each text comes from
    own: NDArray[np.bool_]  # [n], whether it was labelled under the policy

    @classmethod
    def of(cls, examples: Sequence[Example], rules: Sequence[str]) -> Targets:
        """The targets of examples. A set of rules of which one is not in `rules` says nothing, nor does one that is settled."""
        column = {rule: index for index, rule in enumerate(rules)}
        known = np.full((len(examples), len(rules)), UNKNOWN, np.int8)
        one_of = np.zeros(known.shape, bool)
        for row, example in enumerate(examples):
            for rule, label in example.labels.items():
                if rule in column:
                    known[row, column[rule]] = label
            if all(rule in column for rule in example.one_of) and not any(example.labels.get(rule) for rule in example.one_of):
                one_of[row, [column[rule] for rule in example.one_of]] = True
        sources = np.unique([example.source for example in examples], return_inverse=True)[1].astype(np.intp)
        own = np.array([not example.source.startswith(PUBLIC) for example in examples], dtype=bool)
        return cls(known, one_of, sources, own)

    def with_any(self) -> Targets:
        """With one more column: whether any rule is violated. Not, where none is and two thirds of the rules are settled."""
        some = (self.known == 1).any(axis=1) | self.one_of.any(axis=1)
        none = ~some & ((self.known == 0).mean(axis=1) >= _SETTLED)
        column = np.where(some, 1, np.where(none, 0, UNKNOWN)).astype(np.int8)[:, None]
        if not some.any() or not none.any():
            column[:] = UNKNOWN  # one class alone teaches nothing
        outside = np.zeros((len(column), 1), bool)
        return Targets(np.hstack([self.known, column]), np.hstack([self.one_of, outside]), self.sources, self.own)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Targets:
        """The targets of some of the texts."""
        return Targets(self.known[rows], self.one_of[rows], self.sources[rows], self.own[rows])

    def weights(self) -> tuple[Floats, Floats]:
        """The weight of each known label [n, r], 1 a rule and class, and of each set [n], 1 in all."""
        each = np.zeros(self.known.shape)
        for rule in range(self.known.shape[1]):
            for label in (0, 1):
                rows = np.flatnonzero(self.known[:, rule] == label)
                each[rows, rule] = self._spread(rows)
        sets = np.zeros(len(self.known))
        rows = np.flatnonzero(self.one_of.any(axis=1))
        sets[rows] = self._spread(rows)
        return each, sets

    def _spread(self, rows: NDArray[np.intp]) -> Floats:
        counts = np.bincount(self.sources[rows], minlength=1)
        weight: Floats = counts[self.sources[rows]].astype(np.float64) ** (_EXPONENT - 1)
        own = self.own[rows]
        for side, share in ((own, _OWN_SHARE), (~own, 1 - _OWN_SHARE)):
            if side.any():
                weight[side] *= (1.0 if side.all() else share) / weight[side].sum()
        return weight


class Linear(NamedTuple):
    """`weight` [features, rules] and `bias` [rules]."""

    weight: NDArray[np.float32]
    bias: Floats

    def logits(self, features: Features) -> Floats:
        """[n, rules]."""
        out: Floats = (features @ self.weight).astype(np.float64) + self.bias
        return out


def fit(features: Features, targets: Targets, penalty: float, steps: int) -> Linear:
    """The minimum of the loss above by L-BFGS, from zero, in at most `steps` iterations. The biases are not penalised."""
    width, rules = features.shape[1], targets.known.shape[1]
    each, sets = targets.weights()
    violated = (targets.known == 1).astype(np.float64)
    bags = np.flatnonzero(sets)
    turned = csr_array(features.T) if isinstance(features, csr_array) else features.T  # by rows: many times faster

    def loss(flat: Floats) -> tuple[float, Floats]:
        weight = flat.reshape(width + 1, rules)
        logits = features @ weight[:-1].astype(np.float32) + weight[-1]
        chance = sigmoid(logits)
        value = float((each * (np.logaddexp(0, logits) - violated * logits)).sum())
        slope = each * (chance - violated)
        if len(bags):
            said, pull = _noisy_or(logits[bags], chance[bags], targets.one_of[bags])
            value += float(sets[bags] @ said)
            slope[bags] += sets[bags, None] * pull
        value += penalty / 2 * float((weight[:-1] ** 2).sum())
        gradient = np.vstack([turned @ slope.astype(np.float32) + penalty * weight[:-1], slope.sum(axis=0)])
        return value, gradient.ravel()

    found = minimize(loss, np.zeros((width + 1) * rules), jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": 6})
    weight = found.x.reshape(width + 1, rules)
    return Linear(weight[:-1].astype(np.float32), weight[-1])


def _noisy_or(logits: Floats, chance: Floats, members: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """−log(1 − Π(1 − p)) of each row over its members [n], and its gradient by the logits [n, rules]."""
    none = np.exp(-(np.logaddexp(0, logits) * members).sum(axis=1))  # the chance that no rule is violated
    some = np.maximum(1 - none, 1e-9)
    return -np.log(some), -(none / some)[:, None] * chance * members
