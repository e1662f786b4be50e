"""Near-duplicate groups against the slow comparison of every pair."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fairlead.judge.near import ALIKE, near_groups, overlap, shingles

LONG = "the quick brown fox jumps over the lazy dog while seven grey cats watch from the old stone wall and say nothing at all"


def slow(texts: list[str]) -> list[set[int]]:
    groups = [{index} for index in range(len(texts))]
    for one, other in itertools.combinations(range(len(texts)), 2):
        if overlap(shingles(texts[one]), shingles(texts[other])) >= ALIKE:
            joined = groups[one] | groups[other]
            for index in joined:
                groups[index] = joined
    return groups


def test_small_changes_of_a_long_text_are_found() -> None:
    texts = [LONG, LONG.upper() + "!", LONG.replace("seven", "eight"), "something else entirely, with other words in it"]
    found = near_groups(texts)
    assert found[0] == found[1] == found[2] != found[3]


@given(st.lists(st.text("ab ", max_size=30), max_size=8))
def test_joined_texts_are_joined_by_the_slow_way_too(texts: list[str]) -> None:
    found, groups = near_groups(texts), slow(texts)
    for one, other in itertools.combinations(range(len(texts)), 2):
        assert found[one] != found[other] or other in groups[one]


@given(st.lists(st.text(max_size=40), max_size=6))
def test_equal_texts_share_a_group(texts: list[str]) -> None:
    found = near_groups([*texts, *texts])
    assert (found[: len(texts)] == found[len(texts) :]).all()


def test_no_texts_no_groups() -> None:
    assert len(near_groups([])) == 0
