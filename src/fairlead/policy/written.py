"""A rule as a policy file holds it: written out, put in the place of another, and compared line by line."""

from __future__ import annotations

import difflib
from typing import Any

import yaml
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from fairlead.policy.document import Policy, Rule
from fairlead.policy.load import parse
from fairlead.records.errors import InputError, PolicyError

_WIDTH = 116


class _Dumper(yaml.SafeDumper):
    """Lists within mappings are indented, as in the files that people write."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def rule_yaml(rule: Rule) -> str:
    """The rule as a YAML mapping, without what is as it is when nothing is said."""
    written: str = yaml.dump(_plain(rule), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return written


def parse_rule(text: str, tiers: tuple[str, ...], *, name: str) -> Rule:
    """The rule that a YAML mapping holds. Raises PolicyError, with `name` and the line, for anything else than a right rule."""
    head = ["schema: 1", "id: one", "version: one", f"tiers: {list(tiers)}", "rules:", "  -"]
    body = "\n".join(f"    {line}" for line in text.splitlines())
    try:
        rules = parse("\n".join([*head, body]), file=name).rules
    except PolicyError as error:
        said = str(error).partition(f"{name}:")[2].partition(": ")[2] if error.line else str(error).removeprefix(f"{name}: ")
        raise PolicyError(said, file=name, line=max(1, error.line - len(head)) if error.line else 0) from error
    return rules[0]


def replaced(policy: Policy, rule: Rule) -> Policy:
    """The policy with `rule` in the place of the one of its id."""
    rules = tuple(rule if each.id == rule.id else each for each in policy.rules)
    return Policy(**{name: getattr(policy, name) for name in policy.__struct_fields__ if name != "rules"}, rules=rules)


def with_rule(text: str, rule: Rule, *, file: str) -> str:
    """A policy file's text with `rule` in the place of the one of its id; every other line stays.

    Raises InputError when the file does not hold that rule as a list item of its own, or would come to say anything else.
    """
    lines = text.splitlines()
    start, end, column = _place(text, rule.id, file)
    while end > start + 1 and not lines[end - 1].partition("#")[0].strip():
        end -= 1  # comments and blank lines behind it belong to what follows
    body = [f"{' ' * column}{line}" if line else line for line in rule_yaml(rule).splitlines()]
    body[0] = lines[start][:column] + body[0][column:]
    written = "\n".join([*lines[:start], *body, *lines[end:]]) + "\n"
    try:
        same = parse(written, file=file) == replaced(parse(text, file=file), rule)
    except PolicyError as error:
        raise InputError(f"with that rule the file would be wrong: {error}") from error
    if not same:
        raise InputError(f"{file} writes rule {rule.id!r} in a way that cannot be replaced; change it by hand")
    return written


def rule_diff(old: Rule, new: Rule) -> str:
    """The lines that differ, as a unified diff of the two as YAML."""
    before, after = (rule_yaml(rule).splitlines() for rule in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "now", "suggested", lineterm="", n=2))


def _place(text: str, id: str, file: str) -> tuple[int, int, int]:
    """First line, the line after the last, and the column of a rule in a file that was parsed before."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in root.value if root is not None else ():
        for node in value.value if key.value == "rules" else ():
            if any(name.value == "id" and of.value == id for name, of in node.value) and not node.flow_style:
                start, end = node.start_mark, node.end_mark
                return start.line, end.line + (1 if end.column > start.column else 0), start.column
    raise InputError(f"{file} has no rule {id!r} of its own; name the file that holds it")


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        said = {
            field.name: getattr(value, field.name) for field in fields(value) if getattr(value, field.name) != _default(field)
        }
        return {name: _plain(each) for name, each in said.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return str(value) if isinstance(value, str) else value


def _default(field: FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not NODEFAULT else field.default
