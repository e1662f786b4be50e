"""What the schema cannot say: a policy in, its problems out. The loader adds file and line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import re2

from fairlead.personal.find import KINDS
from fairlead.policy.document import Detect, Policy, Rule
from fairlead.policy.examples import contradictions, leaks
from fairlead.policy.expression import ExpressionError, read_when
from fairlead.policy.nearest import nearest
from fairlead.policy.problem import Problem
from fairlead.policy.reach import never_triggered
from fairlead.policy.tiers import disorder

_MOST_WORDS = 120
_RULE_ID = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
# Short and everyday, so that whatever is found in most of them is no sign of anything.
_ORDINARY = (
    "How do I reset my password?",
    "Which plan has single sign-on?",
    "Please sum up this article in three points.",
    "What is the weather like in Lisbon in May?",
    "Write a short poem for my sister's birthday.",
    "My flight was late. Can I get a refund?",
    "Explain the water cycle to a ten-year-old.",
    "Fix the bug in this function, and add a test.",
    "Who wrote the novel about the white whale?",
    "I need a quick dinner with rice and beans.",
    "Translate the menu; I am off to Kyoto tomorrow.",
    "Thanks, that was helpful!",
    "Compare the two offers and tell me which is cheaper.",
    "Is it normal to feel tired after a long walk?",
    "Turn this list of names into a table.",
    "Can you help me prepare for a job interview?",
    "What does this error message mean?",
    "Plan a trip of four days with two children.",
    "Draft an email to my landlord about the heating.",
    "How many moons does Jupiter have?",
)
_QUIET = re2.Options()
_QUIET.log_errors = False
_QUIET.case_sensitive = False


def problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong, in the order in which it should be put right."""
    yield from _repeated("rule", ((f"$.rules[{i}].id", r.id) for i, r in enumerate(policy.rules)))
    yield from _repeated("tier", ((f"$.tiers[{i}]", t) for i, t in enumerate(policy.tiers)))
    yield from _repeated("objective", ((f"$.objectives[{i}].id", o.id) for i, o in enumerate(policy.objectives)))
    yield from _repeated("tool", ((f"$.tools[{i}].name", t.name) for i, t in enumerate(policy.tools)))
    named = ((f"$.rules[{i}].examples[{j}].id", e.id) for i, r in enumerate(policy.rules) for j, e in enumerate(r.examples))
    yield from _repeated("example", named)
    for key in ("id", "version"):
        if not getattr(policy, key).strip():
            yield Problem(f"$.{key}", f"the policy's {key} is empty; the ledger tells policies by it, so write one")
    if not policy.tiers:
        yield Problem("$.tiers", "no tier is named; name at least one, the least trusted first")
    for i, rule in enumerate(policy.rules):
        yield from _rule(policy, rule, f"$.rules[{i}]")
    for i, tool in enumerate(policy.tools):
        yield from _unknown_tiers(tool.act, policy, f"$.tools[{i}].act")
    yield from _unknown_tiers(policy.quotas, policy, "$.quotas")
    for tier, quota in policy.quotas.items():
        if quota.requests_per_minute > quota.requests_per_day:
            both = f"{quota.requests_per_minute} requests a minute and {quota.requests_per_day} a day"
            yield Problem(f"$.quotas.{tier}", f"tier {tier!r} has {both}; a day has at least as many as a minute")
    yield from disorder(policy)
    yield from leaks(policy)
    yield from contradictions(policy)
    for i, rung in enumerate(policy.ladder):
        if rung.do == "suspend" and rung.days is None:
            yield Problem(f"$.ladder[{i}]", "`suspend` needs `days`, for how long; what has no end is `ban`")
    steps = [rung.at for rung in policy.ladder]
    if steps != sorted(set(steps)):
        yield Problem("$.ladder", f"the rungs stand at {steps}; each must be higher than the one before")


def _rule(policy: Policy, rule: Rule, at: str) -> Iterator[Problem]:
    if (rule.detect is None) == (rule.when is None):
        needs = "needs either `detect` (over texts) or `when` (over an account's history), and not both"
        yield Problem(at, f"rule {rule.id!r} {needs}")
    if not rule.act or not all(rule.act.values()):
        yield Problem(f"{at}.act", f"rule {rule.id!r} does nothing for some tier; write at least one action, such as [flag]")
    if not _RULE_ID.fullmatch(rule.id):
        right = "write small letters, digits, `_` and `-`, with dots between, as in spam.links"
        yield Problem(f"{at}.id", f"rule id {rule.id!r} stands in the ledger for ever; {right}")
    for tier, acts in rule.act.items():
        if len(acts) > 1 and "allow" in acts:
            both = f"`allow` stands beside {', '.join(f'`{act}`' for act in acts if act != 'allow')}"
            yield Problem(f"{at}.act.{tier}", f"{both}; a list that does something else leaves it out")
    yield from _unknown_tiers(rule.act, policy, f"{at}.act")
    yield from _unknown_tiers(rule.on_review, policy, f"{at}.on_review")
    words = len(rule.definition.split())
    if words > _MOST_WORDS:
        yield Problem(f"{at}.definition", f"has {words} words; models read it: at most {_MOST_WORDS}")
    if rule.detect is not None:
        if not 0 < rule.detect.review <= rule.detect.block <= 1:
            yield Problem(f"{at}.detect", "thresholds must order as 0 < review <= block <= 1")
        yield from _certain(rule.detect, f"{at}.detect")
        if not rule.definition:
            yield Problem(at, f"rule {rule.id!r} has no definition; say what violates and what does not")
    if rule.when is not None:
        yield from _condition(policy, rule, rule.when, at)
    yield from never_triggered(policy, rule, at)


def _condition(policy: Policy, rule: Rule, when: str, at: str) -> Iterator[Problem]:
    signals = frozenset(r.detect.name for r in policy.rules if r.detect is not None)
    try:
        read_when(when, signals, policy.tiers)
    except ExpressionError as error:
        yield Problem(f"{at}.when", f"`when` of rule {rule.id!r}: {error}")


def _certain(detect: Detect, at: str) -> Iterator[Problem]:
    for k, pattern in enumerate(detect.patterns):
        where = f"{at}.patterns[{k}]"
        for name, expression in (("", pattern.match), ("`needs` of ", pattern.needs or pattern.match)):
            try:
                compiled = re2.compile(expression, _QUIET)
                if compiled.search("") is not None or (compiled.search("a") and compiled.search("7")):
                    yield Problem(where, f"{name}pattern {pattern.id!r} matches every text; a signature must name something")
                    break
            except re2.error as error:
                not_read = "look-around and back-references are not read"
                yield Problem(where, f"{name}pattern {pattern.id!r} is not RE2: {error}; {not_read}")
                break
        else:
            expressions = [re2.compile(each, _QUIET) for each in (pattern.match, pattern.needs) if each]
            found = [text for text in _ORDINARY if all(each.search(text) for each in expressions)]
            if len(found) > len(_ORDINARY) // 2:
                of = f"{len(found)} of {len(_ORDINARY)} everyday sentences, such as {found[0]!r}"
                yield Problem(where, f"pattern {pattern.id!r} is found in {of}; a signature must name something")
    for k, kind in enumerate(detect.personal):
        if kind not in KINDS:
            yield Problem(f"{at}.personal[{k}]", f"unknown kind of personal data {kind!r}; {nearest(kind, KINDS)}")


def _unknown_tiers(named: Iterable[str], policy: Policy, at: str) -> Iterator[Problem]:
    for tier in named:
        if tier not in policy.tiers:
            yield Problem(f"{at}.{tier}", f"unknown tier {tier!r}; {nearest(tier, policy.tiers)}")


def _repeated(noun: str, placed: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    found = list(placed)
    times = Counter(id for _, id in found)
    seen: set[str] = set()
    for where, id in found:
        if id in seen:
            yield Problem(where, f"{noun} id {id!r} stands {times[id]} times; an id names one thing, and is never reused")
        seen.add(id)
