"""What the schema finds wrong in a policy file, told with file, line, the wrong word and the right one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from fairlead.policy import document
from fairlead.policy.act import Act
from fairlead.policy.nearest import nearest
from fairlead.policy.source import Node
from fairlead.policy.state import State
from fairlead.records.errors import PolicyError

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING_FIELD = re.compile(r"Object missing required field (`[^`]*`)")
_ENUM = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_TYPE = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "a text",
}
_STEP = re.compile(r"\.([^.\[]+)((?:\[\d+\])*)")

_RECORDS: dict[str, type[Struct]] = {
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
#: Keys that are resolved on reading, so that no record has them.
RESOLVED = {"$": ("extends",), "rules": ("examples_from",)}


def convert(plain: object) -> document.Policy:
    """The policy that plain values hold. Raises msgspec.ValidationError."""
    return msgspec.convert(plain, document.Policy, dec_hook=_decode)


def mistakes(source: Node, whole: msgspec.ValidationError) -> list[PolicyError]:
    """The first mistake of each rule and of each other key at the top; `whole` is what the schema says of all together."""
    found = []
    for part, here, there in _parts(source):
        try:
            convert(part)
        except msgspec.ValidationError as error:
            message, where = _split(error)
            if where != "$" or _UNKNOWN_FIELD.match(message):  # the other keys are not missing, they are other parts
                found.append(_explained(message, where.replace(here, there, 1), source))
    return found or [_explained(*_split(whole), source)]


def _parts(source: Node) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each part in a policy of its own, and the path that leads to it there and here."""
    for key, node in source.value.items():
        if key == "rules" and isinstance(node.value, list) and node.value:
            yield from (({key: [rule.plain()]}, "$.rules[0]", f"$.rules[{i}]") for i, rule in enumerate(node.value))
        elif key == "quotas" and isinstance(node.value, dict):  # of which the schema does not name the tier
            yield from (
                ({key: {tier: quota.plain()}}, "$.quotas[...]", f"$.quotas.{tier}") for tier, quota in node.value.items()
            )
        else:
            yield {key: node.plain()}, "", ""


def _split(error: msgspec.ValidationError) -> tuple[str, str]:
    message, _, where = str(error).partition(" - at `")
    return message, where.rstrip("`") or "$"


def _decode(kind: type, value: object) -> object:
    if kind not in (Act, State):
        raise NotImplementedError(kind)
    if not isinstance(value, str):
        raise ValueError(f"expected a text such as `{'block' if kind is Act else 'enforce'}`, got {value!r}")
    return kind(value)


def _explained(message: str, where: str, source: Node) -> PolicyError:
    path = _spelt(message, where, source)
    record, field = _schema_at(where)
    if unknown := _UNKNOWN_FIELD.match(message):
        # A rule's `terms` may rightly hold any key, so the known keys are those of the record that refused.
        known = [*_RECORDS[record].__struct_fields__, *RESOLVED.get(record, ())]
        return source.error(f"{path}.{unknown[1]}", f"unknown key {unknown[1]!r}; {nearest(unknown[1], known)}")
    if missing := _MISSING_FIELD.match(message):
        message = f"the key {missing[1]} is missing"
    elif wrong := _ENUM.match(message):
        words = [str(word) for kind in fields(_RECORDS[record]) if kind.name == field for word in _words(kind.type)]
        message = f"unknown value {wrong[1]}; {nearest(wrong[1].strip(chr(39)), words)}"
    elif message.startswith("Expected "):
        message = _TYPE.sub(lambda found: " or ".join(_TYPES.get(each, each) for each in found[1].split(" | ")), message)
    named = _named(path, source)
    return source.error(path, f"{message} ({named})" if named else message)


def _spelt(message: str, where: str, source: Node) -> str:
    """The path with the key for which the schema writes `[...]`: that of the value that it quotes, or none."""
    head, unnamed, tail = where.partition("[...]")
    if not unnamed:
        return where
    tail = tail.replace("[...]", "")
    quoted = (key for key in source.at(head).value if repr(source.at(f"{head}.{key}{tail}").value) in message)
    key = next(quoted, None)
    return head if key is None else f"{head}.{key}{tail}"


def _named(path: str, source: Node) -> str:
    """The path in words. Rules and examples go by id: their numbers count what was inherited, too."""
    said: list[str] = []
    for step in _STEP.finditer(path):
        item = source.at(path[: step.end()]).value if step[2] else None
        id = next((item[key].value for key in ("id", "name") if key in item), None) if isinstance(item, dict) else None
        said.insert(0, f"{step[1].removesuffix('s')} {id!r}" if isinstance(id, str) else step[1] + step[2])
    return " of ".join(said)


def _schema_at(where: str) -> tuple[str, str]:
    """The record that a path such as `$.rules[3].detect.missing` leads to, and its field."""
    names = re.findall(r"[A-Za-z_$]+", where)
    return next((name for name in reversed(names) if name in _RECORDS), "$"), names[-1]


def _words(kind: Any) -> tuple[Any, ...]:
    """The words that a type allows."""
    return get_args(kind) if get_origin(kind) is Literal else tuple(word for part in get_args(kind) for word in _words(part))
