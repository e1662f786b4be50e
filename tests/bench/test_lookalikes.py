"""The look-alikes are evaluation data: whole, spread over rules and templates, and no text of theirs is ever learnt from."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from fairlead.policy.load import load
from fairlead.records.example import normal

ROOT = Path(__file__).parents[2]
POLICY = load(ROOT / "policies" / "core.yaml")
TEXT_RULES = {rule.id for rule in POLICY.rules if rule.detect is not None}
# Of these the violating side stays small and general, so that the set holds nothing worth stealing.
GENERAL = {"weapons.uplift", "sexual.minors", "selfharm.encouragement"}
SHINGLE = 5  # words
ALIKE = 0.5  # share of the shingles of the shorter text

Template = Literal[
    "homonym", "figure_of_speech", "safe_target", "safe_context", "definition", "history", "fiction",
    "nonsense_discrimination", "public_information", "professional", "victim", "everyday",
]  # fmt: skip
Form = Literal[
    "request", "statement", "question", "dialogue", "fiction", "quoted", "clinical", "formal", "slang", "social", "long",
    "answer", "roleplay", "email", "code",
]  # fmt: skip


class Lookalike(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file; `rule` is the rule that the text looks like, and violates where it violates any."""

    text: str
    violates: tuple[str, ...]
    form: Form
    template: Template
    rule: str


LINES = (ROOT / "bench" / "lookalikes.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [msgspec.json.decode(line, type=Lookalike) for line in LINES]
ALLOWED = [row for row in ROWS if not row.violates]
VIOLATING = [row for row in ROWS if row.violates]


def texts(value: Any) -> Iterable[str]:
    """Every string anywhere inside a value read from JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def learnt() -> list[str]:
    """What a judge may have learnt from or been tuned on: the corpus, the samples, what the policy writes."""
    files = [*(ROOT / "policies" / "corpus").glob("*.jsonl"), *(ROOT / "src" / "fairlead" / "samples").glob("*.jsonl")]
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    examples = [example.text for rule in POLICY.rules for example in rule.examples]
    prompts = [comparison.prompt for rule in POLICY.rules for comparison in rule.comparisons]
    served = [text for objective in POLICY.objectives for text in objective.examples]
    return [*texts(lines), *examples, *prompts, *served]


def shingles(text: str) -> set[tuple[str, ...]]:
    """Every run of five words; of a shorter text, the whole."""
    words = normal(text).split()
    return {tuple(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


def met(ours: Iterable[str], theirs: Iterable[str]) -> set[str]:
    """Those of ours that are equal to one of theirs, or share half of the shingles of the shorter of the two."""
    others = [shingles(text) for text in theirs]
    where = defaultdict(list)
    for index, runs in enumerate(others):
        for run in runs:
            where[run].append(index)
    found = set()
    for text in ours:
        runs = shingles(text)
        shared = Counter(index for run in runs for index in where[run])
        if any(count >= ALIKE * min(len(runs), len(others[index])) for index, count in shared.items()):
            found.add(text)
    return found


def test_rules_exist_and_a_violating_text_violates_the_rule_it_looks_like() -> None:
    assert {row.rule for row in ROWS} == TEXT_RULES
    for row in ROWS:
        assert set(row.violates) <= TEXT_RULES, row
        assert not row.violates or row.rule in row.violates, row
        assert list(row.violates) == sorted(set(row.violates)), row


def test_every_rule_has_its_look_alikes_and_its_contrasts() -> None:
    allowed, violating = (Counter(row.rule for row in side) for side in (ALLOWED, VIOLATING))
    for rule in TEXT_RULES:
        assert 30 <= allowed[rule] <= 40, rule
        assert violating[rule] == (4 if rule in GENERAL else 12), rule


@pytest.mark.parametrize("template", Template.__args__)  # type: ignore[attr-defined]
def test_every_template_is_reached_widely(template: str) -> None:
    rules = [row.rule for row in ALLOWED if row.template == template]
    assert len(rules) >= 40
    assert len(set(rules)) >= 15, "the template stands at a few rules only"


@pytest.mark.parametrize("side", [ALLOWED, VIOLATING], ids=["allowed", "violating"])
def test_no_text_stands_twice_or_nearly_on_its_side(side: list[Lookalike]) -> None:
    """Across the sides words are shared on purpose: a contrast says nearly the same and means harm."""
    assert len({normal(row.text) for row in ROWS}) == len(ROWS)
    for index, row in enumerate(side):
        assert not met([row.text], [other.text for other in side[:index] if other.rule == row.rule]), row


def test_prompts_are_plain_short_and_differently_opened() -> None:
    assert all(row.text == row.text.strip() and "\n" not in row.text for row in ROWS)
    assert max(len(row.text.split()) for row in ROWS) <= 40
    for side in (ALLOWED, VIOLATING):
        openings = Counter(tuple(normal(row.text).split()[:3]) for row in side)
        assert max(openings.values()) <= 0.04 * len(side), openings.most_common(3)
        assert sum(row.text[0].islower() for row in side) >= 0.05 * len(side)


def test_no_text_has_been_learnt_from() -> None:
    assert met((row.text for row in ROWS), learnt()) == set()


def test_a_copied_text_would_be_found() -> None:
    theirs = learnt()
    assert len(theirs) > 1000
    for source in (max(theirs[:100], key=len), POLICY.rules[0].examples[0].text):
        words = source.split()
        for copy in (source, source.upper() + " !", f"Tell me, please: {source}", " ".join(words[: len(words) // 2 + 4])):
            assert met([copy], theirs) == {copy}
    assert met(["quite new words, which nobody has put in this order"], theirs) == set()


def test_what_counts_as_alike() -> None:
    text = "one two three four five six seven eight"  # four shingles
    assert met([text], ["one two three four five six and then more words that nobody shares at all"]) == {text}
    assert met([text], ["one two three four five and then more words that nobody shares at all"]) == set()
    assert met(["What is hypertension?"], ["what is HYPERTENSION"]) == {"What is hypertension?"}
    assert met(["what is this"], ["what is that"]) == set()
