"""Spans that are written out are found where they stand, and numbers that say nothing are left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.encodings.encoding import ESCAPED, NUMBERED, Encoding
from fairlead.judge.decode import pig_latin, written_out
from fairlead.judge.span import undo

WORDS = "how can you open the old door of my house without making any noise at night".split()
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=4, max_size=12).map(" ".join)


@pytest.mark.parametrize("encoding", (*NUMBERED, *ESCAPED), ids=lambda e: e.name)
@given(hidden=SENTENCES)
def test_a_span_is_found_where_it_stands(encoding: Encoding, hidden: str) -> None:
    before, after = "What does this mean? ", " (please answer soon)"
    undone = undo(f"{before}{encoding.encode(hidden)}{after}", written_out(f"{before}{encoding.encode(hidden)}{after}"))
    assert undone is not None
    if encoding.name != "percent-quoted":  # its letters stand as they are: only what has escapes is a span
        assert undone.alone == hidden
    assert undone.in_place == f"{before}{hidden}{after}"


@given(st.text(st.characters()) | st.text("ABCabc0123456789+/=-_%&#;\\xu .,:\n", max_size=200))
def test_spans_are_in_order_within_the_text_and_never_longer_than_it(text: str) -> None:
    at = 0
    for span in written_out(text):
        assert at <= span.start < span.end <= len(text)
        assert len(span.decoded) <= span.end - span.start
        at = span.end


@pytest.mark.parametrize(
    "text",
    [
        "internationalization responsibilities Llanfairpwllgwyngyll",
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709 of 123e4567-e89b-12d3-a456-426614174000",
        "+49 30 901820 44, 192.168.100.101, 97 98 99 100 101, 12:34:56:78:90:12",
        "scores 85 92 78 65 101 97 and 112 145 131 177",
        "R&amp;D &#8220;quoted&#8221; &copy; 2020, 100% of %20",
        "AIzaSyD4iE2xVSpkLLOXoyqT and sk-abcdefghijklmnop1234",
        "CamelCaseNameOfAClass some_snake_case_name /usr/lib/x86_64-linux-gnu/libc.so",
    ],
)
def test_what_is_not_written_out_is_left(text: str) -> None:
    assert written_out(text) == []


def test_pig_latin_is_read_by_its_words() -> None:
    text = "He said: owhay oday Iway openway ethay oorday? Then he left."
    (span,) = pig_latin(text)
    assert span.decoded == "how do i open the door"
    assert pig_latin("They may say that today is the way to play.") == []
