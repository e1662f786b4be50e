"""`when:` says what it may say, is typed at load, and reaches nothing else."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.policy.expression import ExpressionError, compile_when


@dataclass(frozen=True)
class Event:
    harm: Mapping[str, float] = field(default_factory=dict)
    tier: str = "public"
    surface: str = "prompt"
    asked: list[tuple[str, str, float]] = field(default_factory=list)

    def count(self, action: str, rule: str, seconds: float) -> int:
        self.asked.append((action, rule, seconds))
        return 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('signal.harm["weapons"] >= 0.8', True),
        ('signal.harm["weapons"] > 0.8', False),
        ('signal.harm["weapons"] >= 0.8 and count("block", rule="weapons.*", window="24h") >= 3', True),
        ('count("block", rule="*", window="1h") >= 4 or tier == "public"', True),
        ('not tier == "public"', False),
        ('surface != "prompt"', False),
        ("1 < 2", True),
        ('signal.harm["absent"] >= 0.5', None),
        ('not signal.harm["absent"] >= 0.5', None),
        ('signal.harm["absent"] >= 0.5 or tier == "public"', True),
        ('signal.harm["absent"] >= 0.5 and tier == "internal"', False),
        ('signal.harm["absent"] >= 0.5 and tier == "public"', None),
    ],
)
def test_conditions_mean_what_they_say(text: str, value: bool | None) -> None:
    assert compile_when(text)(Event(harm={"weapons": 0.8})) is value


def test_count_asks_for_the_action_the_glob_and_the_seconds() -> None:
    event = Event()
    compile_when('count("block", rule="weapons.*", window="2d") >= 3')(event)
    assert event.asked == [("block", "weapons.*", 172800.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("tier", "gives a text"),
        ('teir == "public"', "did you mean 'tier'"),
        ('signal.harm["weapon"] > 0.5', "did you mean 'weapons'"),
        ('signal.harms["weapons"] > 0.5', "a signal is written"),
        ('cuont("block", rule="*", window="1h") > 1', "did you mean 'count'"),
        ('count("blok", rule="*", window="1h") > 1', "did you mean 'block'"),
        ('count("block", rule="*") > 1', "needs exactly"),
        ('count("block", rule="*", window="9") > 1', "not bounded"),
        ('count("block", rule="*", window="99999d") > 1', "not bounded"),
        ("tier == 3", "compares a text with a number"),
        ('tier < "public"', "== and != only"),
        ("1 < 2 < 3", "chains"),
        ("True", "not in the language"),
        ("1e999 > 1", "not in the language"),
        ('tier == "public" and 1', "where a condition is needed"),
        ('__import__("os")', "unknown function"),
        ("().__class__ == 1", "not in the language"),
        ("(lambda: 1)() == 1", "count is written"),
        ("[x for x in ()] == 1", "not in the language"),
        ("tier == f'{tier}'", "not in the language"),
        ("(a := 1) == 1", "not in the language"),
        ('tier in ("public",)', "use < <= >"),
        ("not " * 40 + "1 < 2", "nested"),
        ("1 < 2 " * 1000, "at most"),
    ],
)
def test_everything_else_is_a_load_error(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        compile_when(text, frozenset({"weapons"}))


WORDS = st.sampled_from(
    'tier surface signal .harm ["weapons"] count ( ) [ ] "block" rule="*" window="1h" , == < >= and or not 1 0.5 __class__ '
    "lambda : import . eval { } * ** if else in".split()
)


class Tripwire(Event):
    """Anything beyond the five doors is an attribute error, which the fuzz would show."""

    __slots__ = ()


@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(string.printable, max_size=60))
@example('count.__globals__["x"] == 1')
@example('signal.harm.__class__ == "x"')
def test_fuzzed_text_is_refused_or_gives_a_condition(text: str) -> None:
    try:
        condition = compile_when(text)
    except ExpressionError:
        return
    assert condition(Tripwire(harm={"weapons": 0.3})) in (True, False, None)
