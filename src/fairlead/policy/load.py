"""Read a policy file. Every error says file, line, what was wrong and the nearest right key; nothing is guessed."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import re2
import yaml

from fairlead.policy import document
from fairlead.policy.act import Act
from fairlead.policy.document import Detect, Policy, Rule
from fairlead.policy.expression import ExpressionError, compile_when
from fairlead.policy.state import State
from fairlead.records.errors import InputError, PolicyError

# The SafeLoader knows no tag that builds Python objects; the C one is only faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `([^`]*)`")
_MOST_WORDS = 120
_DEEPEST = 100  # the parser's own stack ends somewhere beyond
_QUIET = re2.Options()
_QUIET.log_errors = False


def load(path: Path) -> Policy:
    """The policy in a file. Raises InputError when it cannot be read, PolicyError with file and line when it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the policy {path}: {error.strerror}; name a file with --policy") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"is not UTF-8 at byte {error.start}; save it as UTF-8", file=str(path)) from error
    return parse(text, file=str(path))


def parse(text: str, *, file: str = "<policy>") -> Policy:
    """The policy in a text. `file` is what errors call it. Raises PolicyError."""
    if _nesting(text) > _DEEPEST:
        raise PolicyError(f"is nested more than {_DEEPEST} deep; a policy needs no more than six", file=file)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise PolicyError(f"is not YAML: {problem}", file=file, line=mark.line + 1 if mark else 0) from error
    if not isinstance(root, yaml.MappingNode):
        raise PolicyError("is no mapping; start with `schema: 1`", file=file)
    reader = _Reader(file)
    data, lines = reader.read(root, "$", root.start_mark.line + 1), reader.lines
    try:
        policy = msgspec.convert(data, Policy, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _explained(error, lines, file) from error
    for where, problem in _problems(policy):
        raise PolicyError(problem, file=file, line=_line(where, lines))
    return policy


def _nesting(text: str) -> int:
    """How deep brackets stand at most, those within texts counted as well."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _decode(kind: type, value: object) -> object:
    if kind in (Act, State) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(kind)


class _Reader:
    """Turns YAML's nodes into plain values and notes the line of each path.

    A key written twice is refused, not overwritten; an alias is refused, because it can blow a small file up without end.
    """

    def __init__(self, file: str) -> None:
        self.lines: dict[str, int] = {}
        self._file = file
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, path: str, line: int) -> Any:
        self.lines[path] = line
        if id(node) in self._seen:
            raise PolicyError("`*aliases` are not read; write the value out", file=self._file, line=line)
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, f"{path}[{i}]", item.start_mark.line + 1) for i, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise PolicyError(f"cannot read the value {node.value!r}", file=self._file, line=line) from error

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in found:
                raise PolicyError(f"key {key!r} stands twice; keep one", file=self._file, line=line)
            found[key] = self.read(value_node, f"{path}.{key}", line)
        return found


def _line(path: str, lines: dict[str, int]) -> int:
    """The line of a path, or of the nearest part of the file that contains it."""
    while path and path not in lines:
        path = re.sub(r"(\.[^.\[]*|\[[^\]]*\])$", "", path) if re.search(r"[.\[]", path) else ""
    return lines.get(path, 0)


def _explained(error: msgspec.ValidationError, lines: dict[str, int], file: str) -> PolicyError:
    message, _, where = str(error).partition(" - at `")
    where = where.rstrip("`").replace("[...]", "")
    unknown = _UNKNOWN_FIELD.search(message)
    if unknown is None:
        return PolicyError(f"{message} ({where or '$'})", file=file, line=_line(where or "$", lines))
    key = unknown[1]
    # A rule's `terms` may rightly hold any key, so the known keys are those of the record that refused.
    near = difflib.get_close_matches(key, _fields_at(where), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_fields_at(where))}"
    return PolicyError(f"unknown key {key!r}; {hint}", file=file, line=_line(f"{where or '$'}.{key}", lines))


_RECORDS: dict[str, type[msgspec.Struct]] = {
    "$": document.Policy,
    "objectives": document.Objective,
    "rules": document.Rule,
    "examples": document.RuleExample,
    "comparisons": document.Comparison,
    "detect": document.Detect,
    "patterns": document.Pattern,
    "review": document.Review,
    "gates": document.Gates,
    "privacy": document.Privacy,
    "maps": document.Maps,
    "tools": document.Tool,
    "ladder": document.Rung,
    "quotas": document.Quota,
}


def _fields_at(where: str) -> list[str]:
    """The keys that the record at a path such as `$.rules[3].detect` knows."""
    names = [part for part in re.findall(r"[A-Za-z_$]+", where) if part in _RECORDS]
    return list(_RECORDS[names[-1] if names else "$"].__struct_fields__)


def _problems(policy: Policy) -> Iterator[tuple[str, str]]:
    """What the schema cannot say: (path, message) of each thing that is wrong."""
    yield from _repeated("rule", [(f"$.rules[{i}].id", r.id) for i, r in enumerate(policy.rules)])
    yield from _repeated("tier", [(f"$.tiers[{i}]", t) for i, t in enumerate(policy.tiers)])
    yield from _repeated("objective", [(f"$.objectives[{i}].id", o.id) for i, o in enumerate(policy.objectives)])
    yield from _repeated("tool", [(f"$.tools[{i}].name", t.name) for i, t in enumerate(policy.tools)])
    yield from _repeated(
        "example",
        [(f"$.rules[{i}].examples[{j}].id", e.id) for i, r in enumerate(policy.rules) for j, e in enumerate(r.examples)],
    )
    if not policy.tiers:
        yield "$.tiers", "no tier is named; name at least one, the least trusted first"
    for i, rule in enumerate(policy.rules):
        yield from _rule_problems(policy, rule, f"$.rules[{i}]")
    for i, tool in enumerate(policy.tools):
        yield from _unknown_tiers(tool.act, policy, f"$.tools[{i}].act")
    yield from _unknown_tiers(policy.quotas, policy, "$.quotas")
    yield from _leaks(policy)
    steps = [rung.at for rung in policy.ladder]
    if steps != sorted(set(steps)):
        yield "$.ladder", f"the rungs stand at {steps}; each must be higher than the one before"


def _rule_problems(policy: Policy, rule: Rule, at: str) -> Iterator[tuple[str, str]]:
    if (rule.detect is None) == (rule.when is None):
        yield at, f"rule {rule.id!r} needs either `detect` (over texts) or `when` (over an account's history), and not both"
    if not rule.act or not all(rule.act.values()):
        yield f"{at}.act", f"rule {rule.id!r} does nothing for some tier; write at least one action, such as [flag]"
    yield from _unknown_tiers(rule.act, policy, f"{at}.act")
    yield from _unknown_tiers(rule.on_review, policy, f"{at}.on_review")
    if len(rule.definition.split()) > _MOST_WORDS:
        yield f"{at}.definition", f"has {len(rule.definition.split())} words; models read it: at most {_MOST_WORDS}"
    if rule.detect is not None:
        if not 0 < rule.detect.review <= rule.detect.block <= 1:
            yield f"{at}.detect", "thresholds must order as 0 < review <= block <= 1"
        yield from _patterns(rule.detect, f"{at}.detect")
        if not rule.definition:
            yield at, f"rule {rule.id!r} has no definition; say what violates and what does not"
    if rule.when is not None:
        try:
            compile_when(rule.when, _signals(policy))
        except ExpressionError as error:
            yield f"{at}.when", f"`when` of rule {rule.id!r}: {error}"


def _leaks(policy: Policy) -> Iterator[tuple[str, str]]:
    """Groups of examples that lie in two splits: who trains on one would be measured on its twin."""
    splits: dict[str, str] = {}
    for i, rule in enumerate(policy.rules):
        for j, example in enumerate(rule.examples):
            first = splits.setdefault(example.group or f"\0{example.id}", example.split)
            if first != example.split:
                where = f"$.rules[{i}].examples[{j}].split"
                yield where, f"group {example.group!r} lies in {first} and in {example.split}; keep a group in one split"


def _patterns(detect: Detect, at: str) -> Iterator[tuple[str, str]]:
    for k, pattern in enumerate(detect.patterns):
        try:
            if re2.compile(pattern.match, _QUIET).search("") is not None:
                yield f"{at}.patterns[{k}]", f"pattern {pattern.id!r} matches every text; a signature must name something"
        except re2.error as error:
            yield (
                f"{at}.patterns[{k}]",
                f"pattern {pattern.id!r} is not RE2: {error}; look-around and back-references are not read",
            )


def _signals(policy: Policy) -> frozenset[str]:
    """The names that `signal.harm[…]` may use: those that some rule detects, without the leading `harm.`."""
    return frozenset(r.detect.signal.removeprefix("harm.") for r in policy.rules if r.detect is not None)


def _unknown_tiers(named: dict[str, Any], policy: Policy, at: str) -> Iterator[tuple[str, str]]:
    for tier in named:
        if tier not in policy.tiers:
            near = difflib.get_close_matches(tier, policy.tiers, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(policy.tiers)}"
            yield f"{at}.{tier}", f"unknown tier {tier!r}; {hint}"


def _repeated(noun: str, placed: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    times = Counter(id for _, id in placed)
    seen: set[str] = set()
    for where, id in placed:
        if times[id] > 1 and id in seen:
            yield where, f"{noun} id {id!r} stands {times[id]} times; an id names one thing, and is never reused"
        seen.add(id)
