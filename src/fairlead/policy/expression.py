"""The language of `when:`: a few forms of Python's expressions, parsed once, typed at load, compiled to a closure.

    or_test   := comparisons joined by `and`, `or`, `not`, brackets
    compare   := value (< <= > >= == !=) value
    value     := number | "text" | signal.harm["NAME"] | tier | surface | count("ACTION", rule="GLOB", window="24h")

Nothing else can be written, so nothing else can be reached: the text never meets `eval`. A signal that is missing makes the
whole expression None (unknown), unless the known part decides it, as in Kleene's three-valued logic.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol, get_args

from msgspec import Struct

from fairlead.policy.act import STRICTNESS
from fairlead.policy.document import Surface
from fairlead.policy.nearest import nearest


class Facts(Protocol):
    """What an expression may ask about one event."""

    @property
    def harm(self) -> Mapping[str, float]:
        """Scores by signal name."""
        ...

    @property
    def tier(self) -> str:
        """Tier of the account."""
        ...

    @property
    def surface(self) -> str:
        """What was judged: prompt, response, tool_call or account."""
        ...

    def count(self, action: str, rule: str, seconds: float) -> int:
        """How often `action` was taken on this account under a rule matching the glob, in the last `seconds`."""
        ...


Value = float | str | bool | None
Expression = Callable[[Facts], bool | None]
_Term = Callable[[Facts], Value]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_WINDOW = re.compile(r"([1-9]\d{0,5})([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_WINDOW = 366 * 86400.0
_LONGEST = 2000
_DEEPEST = 30
LARGEST = 1e12  # number that a condition may name
# Texts and the names of arguments are taken whole, so that what stands in them is no operator.
_TOKEN = re.compile(r""""[^"]*"|'[^']*'|\b(?:rule|window)\s*=(?!=)|\w+|[<>=!]=|&&|\|\||<>|=[<>]|[=!&|]""")
_RIGHT = {"=": "==", "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or", "<>": "!=", "=>": ">=", "=<": "<="}
_SURFACES: tuple[str, ...] = get_args(Surface)


class ExpressionError(ValueError):
    """The text is not in the language. `column` (0-based) says where."""

    def __init__(self, message: str, column: int = 0) -> None:
        self.column = column
        super().__init__(message)


class Count(Struct, frozen=True):
    """What a `count(…)` asks for."""

    action: str
    rule: str
    seconds: float


class Condition(Struct, frozen=True):
    """A condition that was read: when it holds, what it asks about, the numbers and the tiers that it compares answers with."""

    holds: Expression
    signals: frozenset[str]
    counts: frozenset[Count]
    numbers: frozenset[float]
    tiers: frozenset[str] = frozenset()


class _Typed(Struct, frozen=True):
    """A part of a condition. `kind` is bool, signal, count, number, tier, surface or text; `value` that of a constant."""

    kind: str
    term: _Term
    value: Value = None


def compile_when(text: str, signals: frozenset[str] | None = None, tiers: tuple[str, ...] | None = None) -> Expression:
    """The condition as a function. Arguments and errors are those of `read_when`."""
    return read_when(text, signals, tiers).holds


def read_when(text: str, signals: frozenset[str] | None = None, tiers: tuple[str, ...] | None = None) -> Condition:
    """Parse, type and compile. `signals` and `tiers` are the names that may be used; None leaves them unchecked.

    Raises ExpressionError with what was found, what would be right, and the nearest right name.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {_LONGEST} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, such as `1if`, is refused
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if foreign := _foreign(text.strip()):
            raise foreign from error
        column = getattr(error, "offset", None) or 1
        raise ExpressionError(f"cannot be read as an expression: {getattr(error, 'msg', error)}", column - 1) from error
    compiler = _Compiler(signals, tiers)
    read = compiler.visit(tree.body, 0)
    if read.kind != "bool":
        raise ExpressionError(f"gives a {read.kind}; a condition must be true or false, so compare it with something")
    holds: Any = read.term  # a bool, as `kind` says, or None
    asked, counted = frozenset(compiler.asked), frozenset(compiler.counted)
    return Condition(holds, asked, counted, frozenset(compiler.numbers), frozenset(compiler.named))


def _foreign(text: str) -> ExpressionError | None:
    """What is wrong with the first operator that is another language's."""
    for found in _TOKEN.finditer(text):
        if right := _RIGHT.get(found[0]):
            return ExpressionError(f"`{found[0]}` is not in the language; write `{right}`", found.start())
    return None


class _Compiler:
    def __init__(self, signals: frozenset[str] | None, tiers: tuple[str, ...] | None) -> None:
        self._signals = signals
        self._words = {"tier": tiers, "surface": _SURFACES}
        self.asked: set[str] = set()
        self.counted: set[Count] = set()
        self.numbers: set[float] = set()
        self.named: set[str] = set()  # tiers

    def visit(self, node: ast.expr, depth: int) -> _Typed:
        if depth > _DEEPEST:
            raise ExpressionError(f"is nested more than {_DEEPEST} deep", node.col_offset)
        match node:
            case ast.BoolOp():
                return self._bool_op(node, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._condition(operand, depth)
                return _Typed("bool", lambda facts: None if (value := inner(facts)) is None else not value)
            case ast.Compare():
                return self._compare(node, depth)
            case ast.Constant():
                return _constant(node)
            case ast.Name(id="tier"):
                return _Typed("tier", lambda facts: facts.tier)
            case ast.Name(id="surface"):
                return _Typed("surface", lambda facts: facts.surface)
            case ast.Subscript():
                return self._signal(node)
            case ast.Call():
                return self._count(node)
        raise _unknown(node)

    def _condition(self, node: ast.expr, depth: int) -> _Term:
        read = self.visit(node, depth + 1)
        if read.kind != "bool":
            found = f"a {read.kind} stands where a condition is needed; compare it with something"
            raise ExpressionError(found, node.col_offset)
        return read.term

    def _bool_op(self, node: ast.BoolOp, depth: int) -> _Typed:
        parts = [self._condition(value, depth) for value in node.values]
        decisive = isinstance(node.op, ast.Or)  # one True decides an `or`, one False an `and`

        def evaluate(facts: Facts) -> bool | None:
            unknown = False
            for part in parts:
                value = part(facts)
                if value is None:
                    unknown = True
                elif value is decisive:
                    return decisive
            return None if unknown else not decisive

        return _Typed("bool", evaluate)

    def _compare(self, node: ast.Compare, depth: int) -> _Typed:
        if len(node.ops) != 1:
            raise ExpressionError("chains of comparisons are not in the language; join two with `and`", node.col_offset)
        op, right_node = node.ops[0], node.comparators[0]
        if type(op) not in _COMPARE:
            raise ExpressionError("this comparison is not in the language; use < <= > >= == !=", node.col_offset)
        test = _COMPARE[type(op)]
        one, other = self.visit(node.left, depth + 1), self.visit(right_node, depth + 1)
        self._comparable(one, other, op, node.col_offset)
        left, right = one.term, other.term

        def evaluate(facts: Facts) -> bool | None:
            a, b = left(facts), right(facts)
            return None if a is None or b is None else test(a, b)

        return _Typed("bool", evaluate)

    def _comparable(self, one: _Typed, other: _Typed, op: ast.cmpop, column: int) -> None:
        """Raises when the two have nothing to do with each other: a signal is a share, a count whole, a tier one of ours."""
        kinds = {one.kind, other.kind}
        if "bool" in kinds or (len(kinds) == 2 and kinds not in _COMPARABLE):
            raise ExpressionError(f"compares a {one.kind} with a {other.kind}", column)
        if not kinds & {"number", "signal", "count"} and not isinstance(op, ast.Eq | ast.NotEq):
            raise ExpressionError("texts compare by == and != only", column)
        for value in (one.value, other.value):
            if isinstance(value, float):
                self.numbers.add(value)
                if "signal" in kinds and not 0 <= value <= 1:
                    raise ExpressionError(f"a signal lies between 0 and 1 and is compared with {value:g}", column)
                if "count" in kinds and value != int(value):
                    raise ExpressionError(f"a count is a whole number and is compared with {value:g}", column)
            if "tier" in kinds and isinstance(value, str):
                self.named.add(value)
            for noun, known in self._words.items():
                if noun in kinds and known is not None and isinstance(value, str) and value not in known:
                    raise ExpressionError(f"unknown {noun} {value!r}; {nearest(value, sorted(known))}", column)

    def _signal(self, node: ast.Subscript) -> _Typed:
        match node:
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id="signal"), attr="harm"), slice=ast.Constant(value=str() as name)
            ):
                if self._signals is not None and name not in self._signals:
                    raise ExpressionError(f"unknown signal {name!r}; {nearest(name, sorted(self._signals))}", node.col_offset)
                self.asked.add(name)
                return _Typed("signal", lambda facts: facts.harm.get(name))
        raise ExpressionError('a signal is written signal.harm["NAME"]', node.col_offset)

    def _count(self, node: ast.Call) -> _Typed:
        match node:
            case ast.Call(func=ast.Name(id="count"), args=[ast.Constant(value=str() as action)], keywords=keywords):
                given = {k.arg: k.value.value for k in keywords if isinstance(k.value, ast.Constant) and k.arg}
            case ast.Call(func=ast.Name(id=name)) if name != "count":
                raise ExpressionError(f"unknown function {name!r}; {nearest(name, ['count'])}", node.col_offset)
            case _:
                raise ExpressionError('count is written count("block", rule="weapons.*", window="24h")', node.col_offset)
        if action not in STRICTNESS:
            raise ExpressionError(f"unknown action {action!r}; {nearest(action, sorted(STRICTNESS))}", node.col_offset)
        if len(given) != len(keywords) or set(given) != {"rule", "window"}:
            raise ExpressionError('count needs exactly rule="GLOB" and window="24h", both plain texts', node.col_offset)
        rule, window = given["rule"], given["window"]
        if not isinstance(rule, str) or not rule:
            raise ExpressionError(f'rule {rule!r} is no glob; write an id or a pattern, as in "weapons.*"', node.col_offset)
        seconds = _seconds(window, node.col_offset)
        self.counted.add(Count(action, rule, seconds))
        return _Typed("count", lambda facts: facts.count(action, rule, seconds))


_COMPARABLE = [{"signal", "number"}, {"count", "number"}, {"tier", "text"}, {"surface", "text"}]


def _seconds(window: object, column: int) -> float:
    span = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    if span is None:
        raise ExpressionError(f'window {window!r} is not bounded; write a number and m, h or d, as in "24h"', column)
    seconds = int(span[1]) * _SECONDS[span[2]]
    if seconds > _LONGEST_WINDOW:
        raise ExpressionError(f"window {window!r} is longer than a year; at most 366d are looked back", column)
    return seconds


def _constant(node: ast.Constant) -> _Typed:
    match node.value:
        case bool() | None:
            raise ExpressionError(f"{node.value} is not in the language; write the condition", node.col_offset)
        case int() | float() as written if abs(written) <= LARGEST:
            number = float(written)
            return _Typed("number", lambda _: number, number)
        case str() as word:
            return _Typed("text", lambda _: word, word)
    raise ExpressionError(f"the value {str(node.value)[:40]} is not in the language", node.col_offset)


def _unknown(node: ast.expr) -> ExpressionError:
    if isinstance(node, ast.Name):
        known = ("tier", "surface", "signal", "count")
        return ExpressionError(f"unknown name {node.id!r}; {nearest(node.id, known)}", node.col_offset)
    return ExpressionError(f"`{ast.unparse(node)[:60]}` is not in the language", node.col_offset)
