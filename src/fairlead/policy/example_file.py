"""Examples beside the policy: JSONL files, each named by the digest of its bytes, so that none changes unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.policy.source import Node, placed
from fairlead.records.errors import PolicyError


class ExampleFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`examples_from` of a rule: a JSONL file beside the policy, whose lines are examples, and the SHA-256 of its bytes."""

    file: str
    sha256: str


def with_examples(source: Node) -> Node:
    """The policy with the examples that its rules name by `examples_from` behind those that they write. Raises PolicyError."""
    rules = source.value.get("rules")
    if rules is None or not isinstance(rules.value, list):
        return source
    whole = [_rule_with_examples(rule) for rule in rules.value]
    return Node({**source.value, "rules": Node(whole, rules.file, rules.line)}, source.file, source.line)


def _rule_with_examples(rule: Node) -> Node:
    if not isinstance(rule.value, dict) or "examples_from" not in rule.value:
        return rule
    named = rule.value["examples_from"]
    try:
        wanted = msgspec.convert(named.plain(), ExampleFile)
    except msgspec.ValidationError as error:
        raise named.error("$", f"{error}; write `examples_from: {{file: NAME.jsonl, sha256: …}}`") from error
    path = Path(named.file).parent / wanted.file
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a name may hold what no path does
        raise named.error("$.file", f"cannot read the examples {path}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.sha256:
        changed = f"{path} is not the file that was named: its sha256 is {found}, the policy says {wanted.sha256}"
        raise named.error("$.sha256", f"{changed}; look at what changed, then write its digest")
    kept = {key: node for key, node in rule.value.items() if key != "examples_from"}
    written = kept["examples"].value if "examples" in kept and isinstance(kept["examples"].value, list) else []
    kept["examples"] = Node([*written, *_lines(content, str(path))], named.file, named.line)
    return Node(kept, rule.file, rule.line)


def _lines(content: bytes, file: str) -> Iterator[Node]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise PolicyError(f"is no JSON object: {error}", file=file, line=number) from error
        yield placed(row, file, number)
