"""What looks harmful and is far from all known harm comes first, and texts that are alike form one group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairlead.investigate.discover import groups, strangeness

EAST, NORTH, UP = np.eye(3)


def unit(*rows: NDArray[np.float64]) -> NDArray[np.float64]:
    stacked = np.stack(rows)
    return np.asarray(stacked / np.linalg.norm(stacked, axis=1, keepdims=True))


def test_strangeness_by_hand() -> None:
    """Known harm lies east. East itself is explained; north is not; between them cosine is 1/√2; without concern nothing is."""
    found = strangeness(unit(EAST, NORTH, EAST + NORTH, UP), np.array([1.0, 0.8, 0.8, 0.0]), unit(EAST))
    assert found == pytest.approx([0.0, 0.8, 0.8 * (1 - 2**-0.5), 0.0])
    assert strangeness(unit(EAST), np.array([0.4]), np.empty((0, 3))) == pytest.approx([0.4]), "nothing known explains nothing"


def test_groups_start_with_the_strangest_and_hold_what_is_alike() -> None:
    texts = unit(EAST, EAST + 0.1 * NORTH, NORTH, UP)
    first, second = groups(texts, np.array([0.5, 0.6, 0.9, 0.1]), most=2)
    assert first.members == (2,)
    assert second.members == (1, 0)
    assert second.strangeness == pytest.approx(0.55)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.1, 1)), min_size=1, max_size=20), st.integers(1, 30))
def test_each_text_is_in_at_most_one_group(rows: list[tuple[float, float, float]], most: int) -> None:
    texts = unit(*[np.array(row) for row in rows])
    strange = strangeness(texts, np.linspace(0, 1, len(rows)), unit(EAST))
    found = groups(texts, strange, most)
    members = [m for group in found for m in group.members]
    assert len(members) == len(set(members)) <= len(rows)
    assert len(found) <= most
    if most >= len(rows):
        assert sorted(members) == list(range(len(rows)))
