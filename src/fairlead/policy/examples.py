"""What is wrong with the examples taken together: texts and groups in two splits, texts with two verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from fairlead.policy.document import Policy
from fairlead.policy.problem import Problem
from fairlead.records.example import normal


class _Placed(Struct, frozen=True):
    path: str
    name: str
    text: str
    verdict: str
    split: str
    group: str = ""


def leaks(policy: Policy) -> Iterator[Problem]:
    """Groups and texts that lie in two splits: who trains on one would be measured on its twin."""
    splits: dict[tuple[str, str], _Placed] = {}
    for placed in _placed(policy):
        for noun, name in (("group", placed.group), ("text", placed.text)):
            first = splits.setdefault((noun, name), placed)
            if name and first.split != placed.split:
                which = f"group {name!r}" if noun == "group" else f"the text of {first.name} and of {placed.name}"
                yield Problem(
                    f"{placed.path}.split", f"{which} lies in {first.split} and in {placed.split}; keep it in one split"
                )
                break


def contradictions(policy: Policy) -> Iterator[Problem]:
    """Equal texts of which one is said to violate and the other to be allowed, under whatever rules."""
    said: dict[str, _Placed] = {}
    for placed in _placed(policy):
        first = said.setdefault(placed.text, placed)
        if first.verdict != placed.verdict:
            one, other = f"{first.name} is {first.verdict}", f"{placed.name} is {placed.verdict}"
            yield Problem(placed.path, f"{one} and {other}, and their texts are equal; nobody could keep both")


def _placed(policy: Policy) -> Iterator[_Placed]:
    """Every text that the policy gives a verdict on. What an objective names is allowed, and trains the judge."""
    for i, objective in enumerate(policy.objectives):
        for j, text in enumerate(objective.examples):
            name = f"example {j + 1} of objective {objective.id!r}"
            yield _Placed(f"$.objectives[{i}].examples[{j}]", name, normal(text), "allowed", "train")
    for i, rule in enumerate(policy.rules):
        for j, example in enumerate(rule.examples):
            name = f"example {example.id!r} of rule {rule.id!r}"
            path = f"$.rules[{i}].examples[{j}]"
            yield _Placed(path, name, normal(example.text), example.verdict, example.split, example.group)
