"""The first policy of a deployment, written from a few answers on top of core."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from fairlead.policy.document import Detect, Policy, Privacy, Rule
from fairlead.policy.nearest import nearest
from fairlead.policy.weaker import weaker
from fairlead.records.errors import InputError

_STEP = 0.15  # how far a threshold is turned; the default ones lie between 0.35 and 0.85
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Answers(Struct, frozen=True):
    """What was asked. `stricter` and `looser` are rule ids or globs; `why` says why a rule of root authority is loosened."""

    name: str
    purpose: str
    examples: tuple[str, ...]
    tiers: tuple[str, ...]
    stricter: tuple[str, ...] = ()
    looser: tuple[str, ...] = ()
    why: str = ""
    retain_days: int = Privacy().retain_days


def write(answers: Answers, core: Policy) -> str:
    """The file. Raises InputError for an answer that cannot be used, with what would be right."""
    if not _NAME.fullmatch(answers.name):
        raise InputError(f"the name {answers.name!r} becomes the policy's id; write small letters, digits, dots and dashes")
    if not answers.examples or not answers.purpose:
        raise InputError("say what the deployment is for, and at least one request that it must serve")
    if unknown := [tier for tier in answers.tiers if tier not in core.tiers] or not answers.tiers:
        raise InputError(f"the tiers are some of {', '.join(core.tiers)}; not {', '.join(answers.tiers) or 'none'} ({unknown})")
    turned = _turned(answers, core)
    head = {
        "schema": 1,
        "extends": "core",
        "id": answers.name,
        "version": "1",
        "tiers": [tier for tier in core.tiers if tier in answers.tiers],
    }
    own = {"id": "purpose", "text": answers.purpose, "examples": list(answers.examples)}
    rules = [{"id": rule.id, **keys} for rule in core.rules if (keys := {**turned.get(rule.id, {}), **_kept(answers, rule)})]
    return "\n".join(
        [
            f"# The policy of {answers.name}, on top of Fairlead's core policy. What is not written here holds as there;",
            "# of a rule that is named here only the keys that are written change.",
            "",
            _yaml(head, inline=True),
            "# Requests that must be served, beside those of core.",
            _yaml({"objectives": [own]}),
            *(["# What you wanted otherwise than core.", _yaml({"rules": rules}, inline=True)] if rules else []),
        ]
    )


def topics(named: Sequence[str], core: Policy) -> Iterator[Rule]:
    """The rules over texts that ids or globs name. Raises InputError for one that names none."""
    known = [rule for rule in core.rules if rule.detect is not None]
    for name in named:
        found = [rule for rule in known if fnmatchcase(rule.id, name)]
        if not found:
            ids = [rule.id for rule in known]
            globs = dict.fromkeys(id.partition(".")[0] + ".*" for id in ids)
            none = 'for none write ""; ' if name == "none" else ""
            raise InputError(f"no rule of core is called {name!r}; {none}{nearest(name, [*ids, *globs])}")
        yield from found


def _turned(answers: Answers, core: Policy) -> dict[str, dict[str, Any]]:
    stricter = {rule.id: rule for rule in topics(answers.stricter, core)}
    looser = {rule.id: rule for rule in topics(answers.looser, core)}
    if both := sorted(stricter.keys() & looser.keys()):
        raise InputError(f"{', '.join(both)} cannot be both stricter and looser; name each once")
    rooted = [id for id, rule in looser.items() if rule.authority == "root"]
    if rooted and not answers.why:
        raise InputError(f"{', '.join(rooted)} hold with root authority; to loosen them say why with --why")
    turned: dict[str, dict[str, Any]] = {id: {"detect": _lower(rule, answers.tiers)} for id, rule in stricter.items()}
    for id, rule in looser.items():
        turned[id] = {"detect": _moved(rule, _STEP, _STEP), **({"weakens": answers.why} if id in rooted else {})}
    return turned


def _lower(rule: Rule, tiers: Sequence[str]) -> dict[str, float]:
    """Lower thresholds. Where a sure violation is only noted, a lower `block` would let through what is withheld as
    undetermined; there `review` alone falls."""
    both = _moved(rule, -_STEP, -_STEP)
    assert rule.detect is not None  # a rule over texts
    turned = msgspec.structs.replace(rule, detect=msgspec.structs.replace(rule.detect, **both))
    return _moved(rule, -_STEP, 0) if any(weaker(rule, turned, tiers)) else both


def _moved(rule: Rule, review: float, block: float) -> dict[str, float]:
    detect: Detect | None = rule.detect
    assert detect is not None
    moved = {
        "review": round(min(max(detect.review + review, 0.05), 0.95), 3),
        "block": round(min(max(detect.block + block, 0.05), 0.99), 3),
    }
    return {name: value for name, value in moved.items() if value != getattr(detect, name)}


def _kept(answers: Answers, rule: Rule) -> dict[str, Any]:
    return {} if answers.retain_days == rule.privacy.retain_days else {"privacy": {"retain_days": answers.retain_days}}


def _yaml(part: dict[str, Any], *, inline: bool = False) -> str:
    """`inline` writes the innermost lists and mappings on one line."""
    return yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None if inline else False)
