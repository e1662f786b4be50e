"""Agreement and paired differences, against numbers worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.statistics.agreement import krippendorff_alpha
from fairlead.statistics.paired import paired_difference


def test_alpha_by_hand() -> None:
    """Four units, two raters: aa, bb, ab, aa. Coincidences aa 4, bb 2, ab and ba 1 each; n = 8, n_a = 5, n_b = 3.

    observed = 2, expected = 64 - 25 - 9 = 30; alpha = 1 - 7 * 2 / 30.
    """
    assert krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "b"], ["a", "a"]]) == pytest.approx(1 - 14 / 30)


def test_alpha_at_the_ends() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "b"], ["a", "b"]]) == pytest.approx(1 - 3 * 4 / 8)
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert krippendorff_alpha([["a"], []]) is None


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=8))
def test_alpha_never_exceeds_one_and_ignores_order_and_names(units: list[list[str]]) -> None:
    alpha = krippendorff_alpha(units)
    renamed = krippendorff_alpha([[{"a": "x", "b": "y", "c": "z"}[v] for v in reversed(unit)] for unit in reversed(units)])
    assert (alpha is None) == (renamed is None)
    if alpha is not None and renamed is not None:
        assert alpha <= 1
        assert alpha == pytest.approx(renamed)


def test_the_difference_is_after_minus_before_over_all_pairs() -> None:
    found = paired_difference({"x": [(True, False), (False, False)], "y": [(False, True)], "z": [(True, False)]}, seed=0)
    assert found is not None
    assert found.value == pytest.approx(-1 / 4)
    assert (found.n, found.clusters) == (4, 3)
    assert found.low <= found.value <= found.high


def test_what_belongs_to_one_item_widens_the_interval() -> None:
    """The same 40 pairs, as 40 items or as 4: the fewer independent items, the wider."""
    pairs = [(False, i % 4 == 0) for i in range(40)]
    alone = paired_difference({str(i): [pair] for i, pair in enumerate(pairs)}, seed=1)
    together = paired_difference({str(i): pairs[i::4] for i in range(4)}, seed=1)
    assert alone is not None
    assert together is not None
    assert together.value == alone.value
    assert together.high - together.low > alone.high - alone.low


def test_no_change_still_has_width_and_no_pair_has_no_difference() -> None:
    found = paired_difference({str(i): [(True, True)] for i in range(30)}, seed=0)
    assert found is not None
    assert (found.value, found.low, found.high) == (0, pytest.approx(-0.1), pytest.approx(0.1))
    assert paired_difference({}, seed=0) is None
    assert paired_difference({"x": []}, seed=0) is None
