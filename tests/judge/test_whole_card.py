"""The whole card: groups, the gap between them by hand, few items, and the page that shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.judge.bias import withheld
from fairlead.judge.page import Read, diagram, interval, render
from fairlead.judge.rated import FEWEST, Rated
from fairlead.judge.reliability import Bin
from fairlead.judge.whole_card import view_of, whole_card
from fairlead.policy.document import Policy
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome, RuleVerdict, Verdict
from fairlead.statistics.intervals import difference, wilson

V, A, U = Outcome.VIOLATES, Outcome.ALLOWED, Outcome.UNDETERMINED
SCORES = {V: 0.9, A: 0.1, U: 0.5}


def rated(text: str, label: bool, outcome: Outcome, view: str = "plain", language: str = "", dialect: str = "") -> Rated:
    said = RuleVerdict("r", "d", outcome, SCORES[outcome], "ngrams", view)
    verdict = Verdict((said,), "judge/test", took={"ngrams": 0.002})
    return Rated(Example("e", text, {"r": label}), verdict, language, dialect)


def by_name(figures: tuple[Figure, ...]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


MIXED = [
    *[rated("tea for two", False, A)] * 60,
    *[rated("tea for three", False, U)] * 4,
    *[rated("tea for women", False, A)] * 30,
    *[rated("tea for women", False, V)] * 6,
    *[rated("a threat", True, V)] * 25,
    *[rated("a threat", True, A)] * 5,
]


def test_the_gap_between_groups_by_hand() -> None:
    found = by_name(withheld(MIXED, "judge/test"))
    assert (found["withheld.violating"].value, found["withheld.violating"].n) == (25 / 30, 30)
    assert (found["withheld.allowed"].value, found["withheld.allowed"].n) == (0.1, 100)
    women, gap = found["withheld.allowed | names women"], found["gap | names women"]
    assert (women.value, women.n, women.low, women.high) == (6 / 36, 36, *wilson(6, 36))
    assert gap.value == pytest.approx(6 / 36 - 0.1)
    low, high = difference(6, 36, 4, 64)
    assert (gap.low, gap.high) == pytest.approx((0.64 * low, 0.64 * high))
    assert not any("script" in name for name in found), "a script that all texts have is no group"


def test_an_error_withholds_and_is_counted() -> None:
    failed = Rated(Example("e", "tea", {"r": False}), Verdict((), "judge/test", error="x"))
    missing = Rated(Example("e", "tea", {"r": False}), Verdict((), "judge/test"))
    found = by_name(withheld([failed, missing, *[rated("tea", False, A)] * 2], "judge/test"))["withheld.allowed"]
    assert (found.value, found.errors) == (0.5, 1)


def test_what_a_file_does_not_label_is_not_held_against_a_text() -> None:
    other = RuleVerdict("other", "d", V, 1.0, "ngrams", "plain")
    verdict = Verdict((RuleVerdict("r", "d", A, 0.1, "ngrams", "plain"), other), "judge/test")
    found = by_name(withheld([Rated(Example("e", "tea", {"r": False}), verdict)], "judge/test"))
    assert found["withheld.allowed"].value == 0.0


def test_dialects_and_languages_are_groups() -> None:
    rows = [rated("tea", False, U, dialect="one", language="xx")] * 20 + [rated("tea", False, A, dialect="two")] * 20
    found = by_name(withheld(rows, "judge/test"))
    assert found["gap | dialect one"].value == 0.5 and found["gap | dialect two"].value == -0.5
    assert found["withheld.allowed | language xx"].value == 1.0
    assert found["withheld.allowed | script latin"].value == 0.0


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([V, A, U])), max_size=80))
def test_a_gap_lies_in_its_interval(rows: list[tuple[bool, Outcome]]) -> None:
    texts = [rated("tea for women" if about else "tea", False, outcome) for about, outcome in rows]
    found = by_name(withheld(texts, "judge/test"))
    for name, figure in found.items():
        if name.startswith("gap"):
            assert figure.value is not None and figure.low is not None and figure.high is not None
            assert figure.low - 1e-12 <= figure.value <= figure.high + 1e-12
            assert figure.n >= FEWEST


def test_views_and_languages_have_their_own_figures() -> None:
    rows = [
        *[rated("a threat", True, V)] * 20,
        *[rated("tea", False, A)] * 20,
        *[rated("a threat", True, V, "base64")] * 10,
        *[rated("a threat", True, A, "base64 in place")] * 10,
        *[rated("чай", False, A, "base64 (2)")] * 20,
        *[rated("чай", False, V, "rot13")] * 19,
    ]
    found = by_name(whole_card(rows, ["r"], 0, "judge/test").groups)
    assert found["r.sensitivity | view plain"].value == 1.0
    assert (found["r.sensitivity | view base64"].value, found["r.sensitivity | view base64"].n) == (0.5, 20)
    assert found["r.specificity | script cyrillic"].value == pytest.approx(20 / 39)
    assert "r.sensitivity | script cyrillic" not in found, "it has no violating text"
    assert not any("rot13" in name for name in found), "19 texts are too few"


def test_one_group_alone_says_nothing_new() -> None:
    assert whole_card(MIXED, ["r"], 0, "judge/test").groups == ()


def test_nothing_over_few_items_has_a_value() -> None:
    card = whole_card([*[rated("tea", False, A)] * 19, *[rated("a threat", True, V)] * 20], ["r"], 0, "judge/test")
    found = by_name(card.rules)
    assert found["r.specificity"] == Figure("r.specificity", None, n=19, judge="judge/test")
    assert found["r.sensitivity"].value == 1.0
    assert [one.n for one in card.reliability["r"]] == [20]
    for figure in whole_card([rated("tea", False, A)] * 19, ["r"], 0, "judge/test").figures:
        assert figure.value is None


def test_a_rule_that_nothing_labels_is_left_out() -> None:
    card = whole_card(MIXED, ["unknown", "r"], 0, "judge/test")
    assert list(card.reliability) == ["r"] and {figure.name.split(".")[0] for figure in card.rules} == {"r"}
    assert (card.n, card.errors) == (130, 0)


def test_a_rule_without_a_view_has_none() -> None:
    assert view_of("r")(Rated(Example("e", "x"), Verdict((), "judge/test"))) == ""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_names_its_sources_and_needs_nothing_from_elsewhere() -> None:
    rows = [*MIXED, *[rated("<script>alert(1)</script>", False, A, dialect="<b>x</b>")] * 20]
    policy = Policy(schema=1, id="toy", version="7", tiers=("public",), rules=())
    card = whole_card(rows, ["r"], 0, "judge/test")
    page = render(card, policy, [Read("mine.jsonl", "ab" * 32, 150, 3)])
    for shown in ("judge/test", "toy 7", policy.digest, "mine.jsonl", "ab" * 32, "150 labelled texts", "<td>3</td>"):
        assert shown in page
    for figure in card.figures:
        assert figure.name.replace("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;") in page
    assert "<td>r.sensitivity</td><td>0.833</td><td>0.664 – 0.927</td><td>30</td><td>0</td>" in page
    assert "2 ms" in page
    read = _Tags()
    read.feed(page)
    assert read.tags.count("svg") == 1 and "script" not in read.tags and read.links == []
    assert "url(" not in page and "@import" not in page


def test_a_bin_stands_where_its_numbers_say() -> None:
    drawn = diagram("a & b", (Bin(40, 0.25, 0.5, 0.35, 0.65), Bin(40, 1.0, 0.0, 0.0, 0.1)))
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert dots == [("106.0", "132.0"), ("286.0", "252.0")]  # 46 + 240 · score, 12 + 240 · (1 − share)
    assert 'y1="168.0" y2="96.0" class="whisker"' in drawn
    assert "score 0.250, violating 0.500, 95 % 0.350 to 0.650, n = 40" in drawn and "a &amp; b" in drawn


def test_an_open_end_is_a_question_mark() -> None:
    assert interval(Figure("x", 0.002, "s", 0.001, None, 30)) == "1 ms – ?"
    assert interval(Figure("x", None)) == ""
