"""The vectorised hashes agree with a slow twin that works in Python's integers."""

from __future__ import annotations

import itertools
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairlead.judge import features
from fairlead.judge.features import BITS, BUCKETS, MOST_CHARACTERS, grams

MASK = (1 << 64) - 1
TEXTS = st.text(st.characters()) | st.text(alphabet="ab c\n1é的'")


def slow_hash(text: str) -> int:
    return sum((ord(c) + 1) * pow(features._P, i, 1 << 64) for i, c in enumerate(text)) & MASK


def slow_bucket(value: int, kind: int | str) -> int:
    mix = int(features._MIX)
    mixed = (value ^ features._SALTS[kind]) * mix & MASK
    mixed ^= mixed >> 32
    return (mixed * mix & MASK) >> (64 - BITS)


def slow_grams(text: str) -> tuple[list[int], list[int]]:
    folded = f" {' '.join(text.lower().split())[:MOST_CHARACTERS]} "
    characters = [
        slow_bucket(slow_hash(folded[i : i + n]), n) for n in (3, 4, 5) for i in range(len(folded) - n + 1) if len(folded) >= n
    ]
    words = [slow_hash(w) for w in re.findall(r"[a-z0-9\x80-\U0010ffff]+", folded)]
    pairs = [(a * int(features._FIRST) + b * int(features._SECOND)) & MASK for a, b in itertools.pairwise(words)]
    return characters, [slow_bucket(w, "word") for w in words] + [slow_bucket(p, "pair") for p in pairs]


@given(TEXTS)
def test_grams_agree_with_the_slow_twin(text: str) -> None:
    found = grams(text)
    characters, words = slow_grams(text)
    assert found.characters.tolist() == characters
    assert found.words.tolist() == words


@given(TEXTS)
def test_buckets_are_in_range(text: str) -> None:
    found = grams(text)
    both = np.concatenate([found.characters, found.words])
    assert ((both >= 0) & (both < BUCKETS)).all()


def test_a_word_has_the_same_bucket_wherever_it_stands() -> None:
    assert grams("zebra").words[0] in grams("the old Zebra slept").words
    assert grams("zebra").words[0] not in grams("the old zebras slept").words


def test_order_of_words_matters_to_pairs_only() -> None:
    one, other = grams("dog bites man").words, grams("man bites dog").words
    assert set(one[:3]) == set(other[:3])
    assert not set(one[3:]) & set(other[3:])


def test_long_texts_are_cut() -> None:
    assert len(grams("word " * 10_000).characters) <= 3 * (MOST_CHARACTERS + 2)
