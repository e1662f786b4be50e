"""Read a policy file. Every error says file, line, what was wrong and the nearest right key; nothing is guessed."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from fairlead.policy import document
from fairlead.policy.act import Act
from fairlead.policy.check import problems
from fairlead.policy.document import Policy
from fairlead.policy.state import State
from fairlead.records.errors import InputError, PolicyError

# The SafeLoader knows no tag that builds Python objects; the C one is only faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `([^`]*)`")
_DEEPEST = 100  # the parser's own stack ends somewhere beyond


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
    for problem in problems(policy):
        raise PolicyError(problem.text, file=file, line=_line(problem.path, lines))
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
