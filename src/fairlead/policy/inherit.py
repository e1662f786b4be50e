"""A file on top of another. Rules meet by id: a rule that the upper file names again changes the keys that it writes, and in a
mapping such as `detect` or `act` only the keys within; lists are replaced. Objectives meet by id, too, each as a whole; those
of the upper file stand first. New ids are added, other top-level keys replace.

A file on top picks among the tiers of the one below. For a tier that a list below did not name, the list gets the strictest
actions written out, so that leaving out a tier makes nothing milder.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from fairlead.policy.act import Act
from fairlead.policy.source import Node
from fairlead.records.errors import PolicyError

_OWN = ("schema", "id", "version")


class Override(Struct, frozen=True):
    """One key that the upper file changes. `rule` is None for a key at the top; `before` is None for what was not there."""

    rule: str | None
    key: str
    before: Any
    after: Any


def inherit(below: Node, above: Node) -> tuple[Node, tuple[Override, ...]]:
    """The file that results, and what the upper one changes, key by key. `above` still says what it `extends`.

    Raises PolicyError for an upper file without a name of its own, a rule written twice, or a tier that is not below.
    """
    written = {key: node for key, node in above.value.items() if key != "extends"}
    for key in _OWN:
        if key not in written:
            raise above.error("$.extends", f"a file that extends another writes its own `{key}`; add it")
    narrowed = below
    if "tiers" in written and written["tiers"].plain() != below.value["tiers"].plain():
        _check_tiers(below, written["tiers"])
        narrowed = _narrowed(below, written["tiers"].plain())
    _check_once(written.get("rules"))
    merged = {**narrowed.value, **written}
    again = overridden(narrowed, above)
    if "rules" not in written or isinstance(written["rules"].value, list):
        changed = [_merged(node, again[_id(node)]) if _id(node) in again else node for node in narrowed.value["rules"].value]
        added = [node for node in (written["rules"].value if "rules" in written else []) if _id(node) not in again]
        merged["rules"] = Node([*changed, *added], above.file, above.at("$.rules").line)
    if "objectives" in written and "objectives" in narrowed.value and isinstance(written["objectives"].value, list):
        merged["objectives"] = written["objectives"] = _both(narrowed.value["objectives"], written["objectives"])
    known = _rules_by_id(narrowed.value["rules"])
    changes = [change for id, node in again.items() for change in _changes(id, known[id], node)]
    return Node(merged, above.file, above.line), (*_top(below, written), *changes)


def overridden(below: Node, above: Node) -> dict[str, Node]:
    """The rules of the lower file that the upper one names again, as the upper one writes them."""
    known = _rules_by_id(below.value["rules"])
    return {id: node for id, node in _rules_by_id(above.value.get("rules")).items() if id in known}


def misnamed(below: Node, above: Node) -> Iterator[PolicyError]:
    """The rules of the upper file that override none below and are none by themselves: mistyped ids, most of the time."""
    known = _rules_by_id(below.value["rules"])
    for id, node in _rules_by_id(above.value.get("rules")).items():
        if id not in known and not ("act" in node.value and {"detect", "when"} & node.value.keys()):
            near = difflib.get_close_matches(id, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}? " if near else ""
            new = "a new rule needs `definition`, `detect` (or `when`) and `act`"
            yield node.error("$.id", f"there is no rule {id!r} in {below.at('$.id').plain()}; {meant}{new}")


def _id(node: Node) -> Any:
    return node.value["id"].value if isinstance(node.value, dict) and "id" in node.value else None


def _rules_by_id(rules: Node | None) -> dict[str, Node]:
    """Rules that have an id; whatever else stands there is refused by the schema later."""
    listed = rules.value if rules is not None and isinstance(rules.value, list) else []
    return {id: node for node in listed if isinstance(id := _id(node), str)}


def _merged(below: Node, above: Node) -> Node:
    if isinstance(below.value, dict) and isinstance(above.value, dict):
        both = {key: _merged(below.value[key], node) if key in below.value else node for key, node in above.value.items()}
        return Node({**below.value, **both}, above.file, above.line)
    return above


def _both(below: Node, above: Node) -> Node:
    """Both lists, the upper one first; what it names again is as it writes it."""
    again = {_id(node) for node in above.value}
    return Node([*above.value, *(node for node in below.value if _id(node) not in again)], above.file, above.line)


def _changes(rule: str, below: Node, above: Node, key: str = "") -> Iterator[Override]:
    for name, node in above.value.items():
        path, old = f"{key}{name}", below.value.get(name)
        if isinstance(node.value, dict) and (old is None or isinstance(old.value, dict)):
            yield from _changes(rule, old or Node({}, node.file, node.line), node, f"{path}.")
        elif old is None or old.plain() != node.plain():
            yield Override(rule, path, None if old is None else old.plain(), node.plain())


def _top(below: Node, written: dict[str, Node]) -> Iterator[Override]:
    for key, node in written.items():
        old = below.value.get(key)
        if key not in (*_OWN, "rules") and (old is None or old.plain() != node.plain()):
            yield Override(None, key, None if old is None else old.plain(), node.plain())


def _check_once(rules: Node | None) -> None:
    """A rule that is written twice is refused here, because the schema would see what one of the two made of it."""
    seen: set[str] = set()
    for node in rules.value if rules is not None and isinstance(rules.value, list) else ():
        id = _id(node)
        if isinstance(id, str) and id in seen:
            raise node.error("$.id", f"rule id {id!r} stands twice; write one override that changes all")
        seen |= {id} if isinstance(id, str) else set()


def _check_tiers(below: Node, tiers: Node) -> None:
    known, wanted = below.value["tiers"].plain(), tiers.plain()
    if not isinstance(wanted, list) or [tier for tier in known if tier in wanted] != wanted:
        listed = ", ".join(known)
        wrong = f"the tiers of a file that extends another are some of those below, in their order: {listed}"
        raise tiers.error("$", f"{wrong}; for tiers of your own write a whole policy")


def _narrowed(below: Node, tiers: list[str]) -> Node:
    """The file below for fewer tiers: what it says of the others is left out, once their actions are no longer needed."""

    def only(named: dict[str, Node]) -> dict[str, Node]:
        return {tier: named[tier] for tier in tiers if tier in named}

    def every(acts: dict[str, Node]) -> dict[str, Node]:
        strictest = max(acts.values(), key=lambda node: max(Act(act).strictness for act in node.plain()))
        return {tier: acts.get(tier, strictest) for tier in tiers}

    def rule(node: Node) -> Node:
        return _changed(_changed(node, "act", every), "on_review", only)

    whole = _changed(below, "quotas", only)
    for key, change in (("rules", rule), ("tools", lambda node: _changed(node, "act", only))):
        if key in whole.value:
            listed = whole.value[key]
            whole = _with(whole, key, [change(node) for node in listed.value])
    return whole


def _changed(node: Node, key: str, change: Callable[[Any], Any]) -> Node:
    return _with(node, key, change(node.value[key].value)) if key in node.value else node


def _with(node: Node, key: str, value: Any) -> Node:
    old = node.value[key]
    return Node({**node.value, key: Node(value, old.file, old.line)}, node.file, node.line)
