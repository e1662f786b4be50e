"""Unknown harm: texts that look somewhat harmful and are far from every harm we know. Pure functions over embeddings.

concern × unexplained, after the floor measured in our notes: distance to the known alone ranks new harm little better than
chance, because most of what is far from known harm is harmless. Departures from a full discovery: no expansion by labelling, no
naming of clusters; groups are seeds for people to look at.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]


class Group(Struct, frozen=True):
    """Indices of texts that belong together, the most striking first, and their mean strangeness in [0, 1]."""

    members: tuple[int, ...]
    strangeness: float


def strangeness(embeddings: Floats, concern: Floats, known: Floats) -> NDArray[np.float64]:
    """[texts] concern × (1 − cosine to the nearest known harm), both in [0, 1].

    `embeddings` [texts, width] and `known` [harms, width] have unit rows; `concern` [texts] is the judge's highest score.
    """
    if not len(known):
        return np.asarray(concern, dtype=np.float64)
    nearest = np.clip((embeddings @ known.T).max(axis=1), 0.0, 1.0)
    return np.asarray(concern * (1.0 - nearest), dtype=np.float64)


def groups(embeddings: Floats, strange: NDArray[np.float64], most: int, alike: float = 0.45) -> list[Group]:
    """At most `most` groups: the strangest text that is left, with all that lie within cosine `alike` of it, and so on."""
    left = np.ones(len(strange), dtype=bool)
    found: list[Group] = []
    while left.any() and len(found) < most:
        seed = int(np.flatnonzero(left)[strange[left].argmax()])
        near = np.flatnonzero(left & (embeddings @ embeddings[seed] >= alike))
        members = [seed, *(int(i) for i in near[np.argsort(-strange[near], kind="stable")] if i != seed)]
        left[members] = False
        found.append(Group(tuple(members), float(strange[members].mean())))
    return found
