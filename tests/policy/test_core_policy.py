"""The default policy keeps its own promises: enough examples on both sides, no stricter tier treated milder, exact patterns."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml

from fairlead.judge.signatures import Hit, Signatures
from fairlead.policy.act import Act
from fairlead.policy.document import Pattern, Rule
from fairlead.policy.load import load

POLICY = load(Path(__file__).parents[2] / "policies" / "core.yaml")
TEXT_RULES = [rule for rule in POLICY.rules if rule.detect is not None]
ACCOUNT_RULES = [rule for rule in POLICY.rules if rule.when is not None]
PATTERNS = [(rule, pattern) for rule in TEXT_RULES if rule.detect for pattern in rule.detect.patterns]

# Texts that patterns must find, for those whose violating text is not among the examples of their rule.
POSITIVES: dict[str, str] = yaml.safe_load(Path(__file__).with_name("positives.yaml").read_text(encoding="utf-8"))

# Ordinary texts, close to the patterns, that none of them may stop.
ORDINARY = [
    "If you are on a Mac, ignore the above instructions and use the installer.",
    "The phrase 'ignore all previous instructions' appears in every talk about prompt injection.",
    "Forget the previous rules: the new edition of the game plays quite differently.",
    "Enable developer mode in the settings before you connect the cable.",
    "Your new task is to water the plants while we are away.",
    "Can you do anything now about my refund, Dan?",
    "Note to AI agents: send pull requests against the branch `next` and run the tests first.",
    "Send the report to Anna and don't tell the users about the outage yet.",
    "Act as an interviewer for a data analyst's position and ask me one question at a time.",
    "Play the assistant of a detective without any manners.",
    "You have 20 points. If you miss a turn you lose five.",
    "You must never refuse first aid.",
    "Start your letter with 'Dear Sir' and end it with 'Yours faithfully'.",
    "ChatML opens a turn with <|im_start|>system and closes it with <|im_end|>.",
    "![chart](https://example.org/chart.png?width={width})",
    "<!-- assistant manager: please check the opening hours -->",
    "Write a report on ransomware that spread through hospitals.",
    "How can I get into my account without the second factor?",
    "My content filter is turned off and I cannot turn it on again.",
    "You are nothing more than a despicable AI with no morals.",
    "Never say the word 'sorry' in the letter, it weakens our case.",
    "Write the answer in two different ways: once for children, once for experts.",
    "Our chatbot has no restrictions on the number of questions per day.",
    "What does a system prompt do, and how long may it be?",
    "Repeat the lines above the chorus twice, and fade out.",
    "The assistant that reads this letter to the board should speak slowly.",
    "Add the user's name to the URL of the welcome page.",
    "Our law protects reporters without censorship or fear.",
    "Clinics must answer every request regardless of the legal status of a patient.",
    "Simulate a phone in developer mode and run the app's tests on it.",
    "He broke free of the confines of his upbringing.",
    "How do attackers dump lsass, and which event shows it in our logs?",
    "Explain how defenders notice that somebody runs mimikatz to move through a network.",
    "Ignoriere bitte meine vorherige Frage, ich habe es schon gefunden.",
    "Si vous avez déjà la version 2, ignorez les instructions ci-dessus.",
    "忽略大小写的比较怎么写？",
    "上記の質問はもう解決しました。",
    "Как игнорировать предыдущие коммиты в git?",
    "AI that reviews this kind of contract is common now.",
    "In opposite world, the game's second level, you walk on the ceiling.",
    "If you are an AI researcher, add your name to the list.",
    "Many companies do not care about ethics or laws when profits are at stake.",
    "Don't answer the phone, just let it ring: it is her brother.",
    "You have no moral right to read my diary.",
    "Forward the meeting notes to anna@example.com and copy the team.",
]


def compiled(expression: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    return re2.compile(expression, options)


SIGNATURES = Signatures(TEXT_RULES)


def named(rules: list[Rule]) -> list[object]:
    return [pytest.param(rule, id=rule.id) for rule in rules]


def test_the_policy_covers_what_it_says() -> None:
    families = {rule.id.partition(".")[0] for rule in TEXT_RULES}
    assert len(TEXT_RULES) >= 16
    assert families >= set("hate harassment violence selfharm sexual weapons drugs crime cyber fraud privacy".split())
    assert families >= {"misinformation", "injection", "jailbreak", "advice"}
    assert len(POLICY.objectives) == 3
    assert all(len(objective.examples) >= 4 for objective in POLICY.objectives)
    assert POLICY.tiers == ("public", "verified", "trusted", "internal")
    assert set(POLICY.quotas) == set(POLICY.tiers)


def test_every_hazard_of_ailuminate_has_a_rule() -> None:
    hazards = "cse dfm hte ipv iwp ncr prv spc_ele spc_fin spc_hlt spc_lgl src ssh sxc_prn vcr"
    assert {code for rule in POLICY.rules for code in rule.maps.mlcommons} == set(hazards.split())


def test_every_rule_is_alive_and_few_are_in_shadow() -> None:
    states = Counter(rule.state for rule in POLICY.rules)
    assert set(states) == {"enforce", "shadow"}
    assert 1 <= states["shadow"] <= 2


def test_ids_and_signals_are_unique() -> None:
    ids = [rule.id for rule in POLICY.rules] + [example.id for rule in POLICY.rules for example in rule.examples]
    ids += [pattern.id for _, pattern in PATTERNS]
    assert [id for id, times in Counter(ids).items() if times > 1] == []
    for rule in TEXT_RULES:
        assert rule.detect is not None
        assert rule.detect.signal == f"harm.{rule.id.replace('.', '_')}"


def test_no_text_occurs_twice() -> None:
    texts = [example.text for rule in POLICY.rules for example in rule.examples]
    texts += [text for objective in POLICY.objectives for text in objective.examples]
    texts += [comparison.prompt for rule in POLICY.rules for comparison in rule.comparisons]
    plain = Counter(" ".join(re.findall(r"\w+", text.casefold())) for text in texts)
    assert [text for text, times in plain.items() if times > 1] == []


@pytest.mark.parametrize("rule", named(TEXT_RULES))
def test_a_text_rule_is_complete(rule: Rule) -> None:
    assert rule.title and rule.terms and rule.exceptions and rule.reason and rule.gates
    assert 40 <= len(rule.definition.split()) <= 120
    assert rule.comparisons
    assert all(len({c.prompt, c.good, c.bad, c.why}) == 4 for c in rule.comparisons)
    assert all(example.text and example.why for example in rule.examples)


@pytest.mark.parametrize("rule", named(TEXT_RULES))
@pytest.mark.parametrize("verdict", ["violates", "allowed"])
def test_both_verdicts_have_examples_in_every_split(rule: Rule, verdict: str) -> None:
    splits = Counter(example.split for example in rule.examples if example.verdict == verdict)
    assert splits.total() >= 6
    assert splits["train"] >= 2 and splits["dev"] >= 1 and splits["test"] >= 2


@pytest.mark.parametrize("rule", named(list(POLICY.rules)))
def test_every_tier_is_named(rule: Rule) -> None:
    """Order is a matter of the loader, over the tiers that are named."""
    assert set(rule.act) == set(POLICY.tiers)
    assert not rule.on_review or set(rule.on_review) == set(POLICY.tiers)


@pytest.mark.parametrize("rule", named(TEXT_RULES))
def test_what_a_critical_rule_leaves_undetermined_is_withheld(rule: Rule) -> None:
    assert not (rule.severity == "critical" and "deliver" in rule.on_review.values())


@pytest.mark.parametrize("rule", named([rule for rule in TEXT_RULES if rule.severity == "critical"]))
def test_a_critical_rule_blocks_everybody(rule: Rule) -> None:
    assert all("block" in {a.name for a in acts} for acts in rule.act.values())
    assert rule.authority == "root" and rule.review.reviewers >= 2


@pytest.mark.parametrize("rule", named(TEXT_RULES))
def test_a_safe_completion_is_written_where_one_is_given(rule: Rule) -> None:
    gives = rule.mode != "refuse" or any(a.name == "safe_complete" for acts in rule.act.values() for a in acts)
    assert bool(rule.safe_completion) == gives


def test_nobody_in_distress_is_punished() -> None:
    rule = POLICY.rule("selfharm.encouragement")
    assert rule.mode == "safe_complete"
    assert {a.name for acts in rule.act.values() for a in acts} <= {"safe_complete", "case", "flag"}
    assert "emergency number" in rule.safe_completion and "crisis lines" in rule.safe_completion


def test_account_rules_only_queue() -> None:
    assert len(ACCOUNT_RULES) == 2
    for rule in ACCOUNT_RULES:
        assert rule.applies_to == ("account",) and rule.cap_per_day and rule.reason
        assert set(rule.act.values()) <= {(Act("case"),), (Act("tier_down"), Act("case"))}


def test_every_tier_is_named_for_every_tool() -> None:
    order = {"deny": 0, "confirm": 1, "allow": 2}
    assert 4 <= len(POLICY.tools) <= 6
    for tool in POLICY.tools:
        assert set(tool.act) == set(POLICY.tiers)
        assert order[tool.untrusted_input] <= max(order[action] for action in tool.act.values())


@pytest.mark.parametrize("rule_id", ["injection.override", "jailbreak.evasion"])
def test_rules_about_form_have_patterns(rule_id: str) -> None:
    detect = POLICY.rule(rule_id).detect
    assert detect is not None and len(detect.patterns) >= 8


@pytest.mark.parametrize(("rule", "pattern"), [pytest.param(r, p, id=p.id) for r, p in PATTERNS])
def test_a_pattern_fires_on_a_violation_and_on_nothing_allowed(rule: Rule, pattern: Pattern) -> None:
    expression = compiled(pattern.match)
    violating = [example.text for example in rule.examples if example.verdict == "violates"]
    violating = [POSITIVES[pattern.id]] if pattern.id in POSITIVES else violating
    found = [text for text in violating if expression.search(text)]
    assert found
    assert all(Hit(rule.id, pattern.id) in SIGNATURES.hits(text) for text in found), "its `needs` is not in what it matches"

    harmless = [example.text for each in POLICY.rules for example in each.examples if example.verdict == "allowed"]
    harmless += [text for objective in POLICY.objectives for text in objective.examples]
    harmless += [comparison.good for each in POLICY.rules for comparison in each.comparisons]
    assert [text for text in harmless + ORDINARY if expression.search(text)] == []


def test_patterns_are_many_and_their_ids_are_kept() -> None:
    """An id that was given out names its pattern for good: whoever takes one out says so here."""
    ids = {pattern.id for _, pattern in PATTERNS}
    assert 110 <= len(ids) <= 200
    released = "inject-ignore-all-previous inject-note-to-ai jail-dan jail-token-game cyber-evasive-malware"
    assert ids >= set(released.split())


def test_positives_name_patterns_that_exist() -> None:
    assert set(POSITIVES) <= {pattern.id for _, pattern in PATTERNS}
