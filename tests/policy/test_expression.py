"""`when:` says what it may say, is typed at load, and reaches nothing else."""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

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
        ("tier", "gives a tier"),
        ('teir == "public"', "did you mean 'tier'"),
        ('signal.harm["weapon"] > 0.5', "did you mean 'weapons'"),
        ('signal.harms["weapons"] > 0.5', "a signal is written"),
        ('cuont("block", rule="*", window="1h") > 1', "did you mean 'count'"),
        ('count("blok", rule="*", window="1h") > 1', "did you mean 'block'"),
        ('count("block", rule="*") > 1', "needs exactly"),
        ('count("block", rule="*", window="9") > 1', "not bounded"),
        ('count("block", rule="*", window="99999d") > 1', "longer than a year"),
        ("tier == 3", "compares a tier with a number"),
        ("tier == surface", "compares a tier with a surface"),
        ('tier == "pubic"', "unknown tier 'pubic'; did you mean 'public'"),
        ('"promt" == surface', "unknown surface 'promt'; did you mean 'prompt'"),
        ('signal.harm["weapons"] >= 1.5', "lies between 0 and 1 and is compared with 1.5"),
        ('count("block", rule="*", window="1h") > 2.5', "whole number and is compared with 2.5"),
        ('count("block", rule="*", window="1h") > signal.harm["weapons"]', "compares a count with a signal"),
        ('signal.harm["weapons"]', "gives a signal"),
        ('count("block", rule="", window="1h") > 1', "no glob"),
        ('count("block", rule="*", window="367d") > 1', "longer than a year"),
        ('tier = "public"', "`=` is not in the language; write `==`"),
        ('tier == "a=b" && 1 < 2', "`&&` is not in the language; write `and`"),
        ("1 < 2 || 1 > 2", "`\\|\\|` is not in the language; write `or`"),
        ('!tier == "public"', "`!` is not in the language; write `not`"),
        ('count("block", rule="*", window="1h") => 3', "`=>` is not in the language; write `>=`"),
        ('tier < "public"', "== and != only"),
        ("1 < 2 < 3", "chains"),
        ("1if 1 < 2else 3", "cannot be read"),
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
        compile_when(text, frozenset({"weapons"}), ("public", "internal"))


WORDS = st.sampled_from(
    'tier surface signal .harm ["weapons"] count ( ) [ ] "block" rule="*" window="1h" , == < >= and or not 1 0.5 __class__ '
    "lambda : import . eval { } * ** if else in".split()
)


class Doors:
    """Facts that note every attribute that is asked of them."""

    def __init__(self) -> None:
        object.__setattr__(self, "asked", set())

    def __getattribute__(self, name: str) -> object:
        object.__getattribute__(self, "asked").add(name)
        return {"harm": {"weapons": 0.3}, "tier": "public", "surface": "prompt", "count": lambda *_: 3}[name]


@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(string.printable, max_size=60))
@example('count.__globals__["x"] == 1')
@example('signal.harm.__class__ == "x"')
def test_fuzzed_text_is_refused_or_gives_a_condition_that_uses_the_four_doors(text: str) -> None:
    try:
        condition = compile_when(text)
    except ExpressionError:
        return
    facts = Doors()
    assert condition(facts) in (True, False, None)  # type: ignore[arg-type]
    assert object.__getattribute__(facts, "asked") <= {"harm", "tier", "surface", "count"}


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


# Three ways to a thing outside the language, and places in which a program looks at what stands there at once.
REACHED = [parsed(text) for text in ("reach()", "reach.attribute", "reach[0]", "tier.attribute", "count.attribute")]
PLACES: list[Callable[[ast.expr], ast.expr]] = [
    lambda x: x,
    lambda x: ast.UnaryOp(ast.Not(), x),
    lambda x: ast.UnaryOp(ast.USub(), x),
    lambda x: ast.BinOp(x, ast.Add(), ast.Constant(1)),
    lambda x: ast.Compare(x, [ast.GtE()], [ast.Constant(0)]),
    lambda x: ast.Compare(ast.Constant(0), [ast.Eq()], [x]),
    lambda x: ast.Compare(ast.Name("tier"), [ast.Eq()], [x]),
    lambda x: ast.BoolOp(ast.And(), [parsed("1 < 2"), x]),
    lambda x: ast.BoolOp(ast.Or(), [x, parsed("1 < 2")]),
    lambda x: ast.IfExp(x, ast.Constant(1), ast.Constant(2)),
    lambda x: ast.List([x]),
    lambda x: ast.Tuple([x]),
    lambda x: ast.Set([x]),
    lambda x: ast.Dict([ast.Constant("k")], [x]),
    lambda x: ast.Subscript(ast.List([x]), ast.Constant(0)),
    lambda x: ast.Subscript(parsed("signal.harm"), x),
    lambda x: ast.JoinedStr([ast.FormattedValue(x, -1)]),
    lambda x: ast.NamedExpr(ast.Name("kept"), x),
    lambda x: ast.Call(ast.Lambda(ast.arguments([], [], None, [], [], None, []), x), [], []),
    lambda x: ast.Call(ast.Name("count"), [ast.Constant("block"), x], []),
    lambda x: ast.Call(ast.Name("count"), [ast.Constant("block")], [ast.keyword("rule", x), ast.keyword("window", x)]),
    lambda x: ast.Call(ast.Name("count"), [ast.Starred(ast.List([x]))], []),
    lambda x: ast.ListComp(x, [ast.comprehension(ast.Name("y"), ast.List([ast.Constant(0)]), [], 0)]),
    lambda x: ast.Attribute(ast.List([x]), "copy"),
]


class Reached(BaseException):
    """What lies outside was reached. No `except Exception` on the way may hide it."""


class Outside:
    """Whoever calls it, or asks for an attribute or an item of it, has got out."""

    def __call__(self, *_: object, **__: object) -> object:
        raise Reached

    def __getattr__(self, name: str) -> object:
        raise Reached

    def __getitem__(self, key: object) -> object:
        raise Reached


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A program that reaches outside as soon as it is run: one of the ways out within up to four places."""
    node = draw(st.sampled_from(REACHED))
    for place in draw(st.lists(st.sampled_from(PLACES), max_size=4)):
        node = place(node)
    return ast.unparse(ast.fix_missing_locations(ast.Expression(node)))


@given(programs())
def test_what_a_program_reaches_the_language_does_not(text: str) -> None:
    outside = Outside()
    names = {"reach": outside, "tier": outside, "count": outside, "signal": SimpleNamespace(harm={})}
    # The positive control: the same text is a program, and run as one it gets out.
    with pytest.raises(Reached):
        eval(text, {"__builtins__": {}, **names})
    with pytest.raises(ExpressionError):
        compile_when(text)


@pytest.mark.parametrize("place", PLACES)
def test_every_place_of_the_fuzz_is_looked_at(place: Callable[[ast.expr], ast.expr]) -> None:
    text = ast.unparse(ast.fix_missing_locations(ast.Expression(place(parsed("reach()")))))
    with pytest.raises(Reached):
        eval(text, {"__builtins__": {}, "reach": Outside(), "tier": "t", "count": print, "signal": SimpleNamespace(harm={})})
