"""A policy file as it is written: YAML turned into plain values, each with its file and line."""

from __future__ import annotations

import re
from typing import Any

import yaml
from msgspec import Struct

from fairlead.records.errors import PolicyError

# The SafeLoader knows no tag that builds Python objects; the C one is only faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100  # the parser's own stack ends somewhere beyond
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class Node(Struct, frozen=True):
    """A value and where it stands: a dict of nodes, a list of nodes, or a scalar. In a mapping the line is that of the key."""

    value: Any
    file: str
    line: int

    def plain(self) -> Any:
        """The value without places."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
        return self.value

    def at(self, path: str) -> Node:
        """What stands at a path such as `$.rules[3].detect`, or the nearest part of the file that contains it."""
        node = self
        for key, index in _STEP.findall(path):
            below = node.value
            if key and isinstance(below, dict) and key in below:
                node = below[key]
            elif index and isinstance(below, list) and int(index) < len(below):
                node = below[int(index)]
            else:
                break
        return node

    def error(self, path: str, message: str) -> PolicyError:
        """The error that names file and line of what stands at `path`."""
        found = self.at(path)
        return PolicyError(message, file=found.file, line=found.line)


def placed(value: Any, file: str, line: int) -> Node:
    """A plain value, all of it on one line."""
    match value:
        case dict():
            return Node({key: placed(each, file, line) for key, each in value.items()}, file, line)
        case list():
            return Node([placed(each, file, line) for each in value], file, line)
    return Node(value, file, line)


def read_yaml(text: str, file: str) -> Node:
    """The file's mapping. Raises PolicyError for what is no YAML, or none that a policy needs."""
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
    return _Reader(file).read(root, root.start_mark.line + 1)


def _nesting(text: str) -> int:
    """How deep brackets stand at most, those within texts counted as well."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


class _Reader:
    """Turns YAML's nodes into ours.

    A key written twice is refused, not overwritten; an alias is refused, because it can blow a small file up without end.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, line: int) -> Node:
        if id(node) in self._seen:
            raise PolicyError("`*aliases` are not read; write the value out", file=self._file, line=line)
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node), self._file, line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.read(item, item.start_mark.line + 1) for item in node.value], self._file, line)
        try:
            return Node(self._scalars.construct_object(node), self._file, line)
        except (yaml.YAMLError, ValueError) as error:
            raise PolicyError(f"cannot read the value {node.value!r}", file=self._file, line=line) from error

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in found:
                raise PolicyError(f"key {key!r} stands twice; keep one", file=self._file, line=line)
            found[key] = self.read(value_node, line)
        return found
