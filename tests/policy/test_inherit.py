"""A file on top of another changes what it writes and nothing else, says what it changed, and weakens nothing in silence."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.policy.core import CORE
from fairlead.policy.inherit import Override
from fairlead.policy.load import load, parse, read
from fairlead.records.errors import InputError, PolicyError

BASE = """schema: 1
id: base
version: "1"
tiers: [public, verified, internal]
quotas:
  public: {requests_per_minute: 1, requests_per_day: 10}
  internal: {requests_per_minute: 9, requests_per_day: 90}
tools:
  - {name: mail, act: {public: deny, internal: confirm}}
strikes_expire_days: 30
rules:
  - id: trolls
    authority: root
    severity: high
    definition: Asks for trolls.
    exceptions: [Trolls in books.]
    maps: {mlcommons: [S1], llama_guard: [S9]}
    examples:
      - {id: t1, text: a troll please, verdict: violates, why: w, split: train}
    detect: {signal: harm.trolls, review: 0.5, block: 0.8, patterns: [{id: p, match: trolls+}]}
    act: {public: [block, strike(2), case], internal: [flag]}
    on_review: {public: withhold, internal: deliver}
    state: enforce
  - id: elves
    definition: Asks for elves.
    detect: {signal: harm.elves, review: 0.5, block: 0.8}
    act: {public: [block]}
    state: shadow
"""
HEAD = 'schema: 1\nextends: base.yaml\nid: top\nversion: "7"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def on_top(folder: Path, text: str, head: str = HEAD) -> Path:
    (folder / "top.yaml").write_text(head + text)
    return folder / "top.yaml"


def test_a_file_that_adds_nothing_is_the_one_below_under_its_own_name(folder: Path) -> None:
    loaded = read(on_top(folder, ""))
    base = load(folder / "base.yaml")
    assert (loaded.policy.id, loaded.policy.version) == ("top", "7")
    assert loaded.policy.rules == base.rules
    assert (loaded.policy.quotas, loaded.policy.tools) == (base.quotas, base.tools)
    assert loaded.extends == base
    assert loaded.overrides == ()


def test_only_the_keys_that_are_written_change_and_each_is_listed(folder: Path) -> None:
    text = """strikes_expire_days: 60
rules:
  - {id: trolls, detect: {block: 0.7}, act: {internal: [block]}, reason: No trolls.}
  - {id: elves, state: shadow}
  - {id: dwarves, definition: Dwarves., detect: {signal: harm.d, review: 0.5, block: 0.8}, act: {public: [flag]}}
"""
    loaded = read(on_top(folder, text))
    base, top = load(folder / "base.yaml"), loaded.policy
    assert [rule.id for rule in top.rules] == ["trolls", "elves", "dwarves"]
    trolls = top.rule("trolls")
    assert trolls.detect is not None and base.rules[0].detect is not None
    assert (trolls.detect.block, trolls.detect.review, trolls.detect.patterns) == (0.7, 0.5, base.rules[0].detect.patterns)
    assert trolls.act == {**base.rules[0].act, "internal": ("block",)}
    assert (trolls.definition, trolls.examples) == (base.rules[0].definition, base.rules[0].examples)
    assert top.rule("elves") == base.rule("elves")
    assert loaded.overrides == (
        Override(None, "strikes_expire_days", 30, 60),
        Override("trolls", "detect.block", 0.8, 0.7),
        Override("trolls", "act.internal", ["flag"], ["block"]),
        Override("trolls", "reason", None, "No trolls."),
    )
    assert loaded.problems == ()


def test_objectives_add_up_and_one_that_is_written_again_is_replaced(folder: Path) -> None:
    (folder / "base.yaml").write_text(BASE + "objectives: [{id: a, text: one}, {id: b, text: two}]\n")
    policy = load(on_top(folder, "objectives: [{id: c, text: three}, {id: a, text: anew}]\n"))
    assert [(each.id, each.text) for each in policy.objectives] == [("c", "three"), ("a", "anew"), ("b", "two")]


def test_the_identity_is_that_of_the_resolved_policy(folder: Path) -> None:
    whole = parse(
        BASE.replace("id: base", "id: top").replace('version: "1"', 'version: "7"').replace("block: 0.8,", "block: 0.7,")
    )
    on_base = load(on_top(folder, "rules:\n  - {id: trolls, detect: {block: 0.7}}\n"))
    assert on_base.digest == whole.digest
    assert on_base.rule("trolls").digest == whole.rule("trolls").digest
    (folder / "base.yaml").write_text(BASE.replace("Asks for elves.", "Asks for an elf."))
    assert load(folder / "top.yaml").digest != whole.digest


KEPT = "{id: t1, text: a troll please, verdict: violates, why: w, split: train}"
WEAKER = [
    ("detect: {block: 0.9}", r"at a score of 0.8 public meets review in place of \[block"),
    ("detect: {review: 0.6}", "at a score of 0.5 public meets allow in place of review"),
    ("detect: {patterns: []}", "patterns p are gone"),
    ("detect: {signal: harm.elves}", "looks at harm.elves"),
    ("act: {public: [safe_complete]}", r"public meets \[safe_complete\] in place of \[block, strike\(2\), case\]"),
    ("act: {public: [block, strike(1), case]}", "public meets"),
    ("act: {public: [block, strike(2)]}", "public meets"),
    ("act: {verified: [flag]}", "verified meets"),
    ("state: shadow", "falls from enforce to shadow"),
    ("state: canary(99)", "falls from enforce to canary"),
    ("state: retired", "falls from enforce to retired"),
    ("authority: developer", "authority falls from root"),
    ("severity: low", "severity falls"),
    ("applies_to: [prompt]", "no longer looks at response"),
    ("on_review: {public: deliver}", "public meets allow in place of review"),
    ("definition: Asks for many trolls.", "`definition` changes"),
    ("exceptions: []", "`exceptions` changes"),
    ("examples: []", "1 of its examples are gone"),
    (
        f"examples: [{KEPT}, {{id: t2, text: a big troll, verdict: allowed, why: w, split: train}}]",
        r"examples that the judge learns as allowed are new: 1 \(t2\)",
    ),
    ("maps: {llama_guard: []}", r"`maps\.llama_guard` changes"),
    ("maps: {mlcommons: [S1, S2]}", r"`maps\.mlcommons` changes"),
    ("maps: {openai_moderation: [hate]}", r"`maps\.openai_moderation` changes"),
]
STRICTER = [
    "detect: {block: 0.6, review: 0.4}", "act: {internal: [block]}", "act: {public: [block, strike(3), case]}",
    "state: enforce", "severity: critical", "applies_to: [prompt, response, tool_call]", "on_review: {internal: withhold}",
    "reason: Because.", "maps: {nist: [x]}",
    f"examples: [{KEPT}, {{id: t2, text: a big troll, verdict: violates, why: w, split: train}}]",
    f"examples: [{KEPT}, {{id: t2, text: a big troll, verdict: allowed, why: w, split: test}}]",
    "detect: {patterns: [{id: p, match: trolls+}, {id: q, match: ogres}]}", "detect: {missing: block}",
]  # fmt: skip


@pytest.mark.parametrize(("written", "how"), WEAKER)
def test_a_rule_with_root_authority_is_not_weakened_in_silence(folder: Path, written: str, how: str) -> None:
    with pytest.raises(PolicyError, match=how) as refused:
        load(on_top(folder, f"rules:\n  - id: trolls\n    {written}\n"))
    assert refused.value.file == str(folder / "top.yaml")
    assert refused.value.line == 6
    assert "weakens: " in str(refused.value)
    said = load(on_top(folder, f"rules:\n  - id: trolls\n    {written}\n    weakens: we sell trolls\n"))
    assert said.rule("trolls").weakens == "we sell trolls"
    # The positive control: the same change to a rule with less authority needs no reason.
    (folder / "base.yaml").write_text(BASE.replace("authority: root", "authority: developer"))
    load(on_top(folder, f"rules:\n  - id: trolls\n    {written.replace('authority: developer', 'authority: user')}\n"))


@pytest.mark.parametrize("written", STRICTER)
def test_a_rule_with_root_authority_may_be_made_stricter(folder: Path, written: str) -> None:
    load(on_top(folder, f"rules:\n  - id: trolls\n    {written}\n"))


def test_a_reason_below_is_no_reason_above(folder: Path) -> None:
    load(on_top(folder, "rules:\n  - {id: trolls, detect: {block: 0.85}, weakens: we sell trolls}\n"))
    (folder / "third.yaml").write_text(
        'schema: 1\nextends: top.yaml\nid: third\nversion: "1"\nrules: [{id: trolls, detect: {block: 0.9}}]'
    )
    with pytest.raises(PolicyError, match=r"third\.yaml:5: .*at a score of 0"):
        load(folder / "third.yaml")


def test_fewer_tiers_keep_what_is_said_of_them_and_make_nothing_milder(folder: Path) -> None:
    policy = load(on_top(folder, "tiers: [verified, internal]\n"))
    assert policy.tiers == ("verified", "internal")
    # `verified` was not named, so the strictest list held for it: it is written out now that `public` is gone.
    assert policy.rule("trolls").act == {"verified": ("block", "strike(2)", "case"), "internal": ("flag",)}
    assert policy.rule("elves").act == {"verified": ("block",), "internal": ("block",)}
    assert policy.rule("trolls").on_review == {"internal": "deliver"}
    assert set(policy.quotas) == {"internal"}
    assert policy.tools[0].act == {"internal": "confirm"}


@pytest.mark.parametrize("tiers", ["[internal, public]", "[public, staff]", "public", "[public, public]", "[[public]]"])
def test_other_tiers_than_those_below_are_refused(folder: Path, tiers: str) -> None:
    with pytest.raises(PolicyError, match=r"top\.yaml:5: .*some of those below, in their order: public, verified, internal"):
        load(on_top(folder, f"tiers: {tiers}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules:\n  - {id: trolls, dtect: {block: 0.7}}", r"top\.yaml:6: unknown key 'dtect'; did you mean 'detect'"),
        ("rules:\n  - id: trolls\n    detect:\n      blok: 0.7", r"top\.yaml:8: unknown key 'blok'; did you mean 'block'"),
        ("rules:\n  - {id: trolls, detect: {block: 0.3}}", r"top\.yaml:6: thresholds must order"),
        ("rules:\n  - {id: new}", r"top\.yaml:6: there is no rule 'new' in base; a new rule needs `definition`, "),
        (
            "rules:\n  - {id: trols, act: {public: [block]}}",
            r"top\.yaml:6: .* no rule 'trols' in base; did you mean 'trolls'\? ",
        ),
        ("rules:\n  - {id: elves, state: enforcd}", r"top\.yaml:6: unknown state 'enforcd'; .* \(state of rule 'elves'\)"),
        ("rules: 3", r"top\.yaml:5: Expected a list"),
        ("rules: [3]", r"top\.yaml:5: Expected a mapping"),
        ("rules: [{id: elves, when: 1 < 2}]", r"top\.yaml:5: rule 'elves' needs either"),
        ("tiers: [public, verified]\nrules: [{id: elves, act: {internal: [flag]}}]", r"top\.yaml:6: unknown tier 'internal'"),
        (
            "quotas: {public: {requests_per_minute: 0, requests_per_day: 1}}",
            r"top\.yaml:5: Expected a whole number >= 1 \(requests_per_minute of public of quotas\)",
        ),
        (
            "quotas:\n  public: {requests_per_minute: 1, requests_per_day: 1}\n"
            "  verified:\n    requests_per_minute: 1\n    requests_per_day: -1",
            r"top\.yaml:9: Expected a whole number >= 1 \(requests_per_day of verified of quotas\)",
        ),
        ("rules: [{id: elves, detect: {review: true}}]", r"top\.yaml:5: Expected a number, got true or false"),
        ("rules: [{id: elves, cap_per_day: x}]", r"top\.yaml:5: Expected a whole number or nothing, got a text"),
        ("quotas: {pubic: {requests_per_minute: 1, requests_per_day: 1}}", r"top\.yaml:5: unknown tier 'pubic'"),
        ("rules: [{id: elves}, {id: elves}]", r"top\.yaml:5: rule id 'elves' stands twice"),
    ],
)
def test_errors_name_the_file_that_wrote_it(folder: Path, text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        load(on_top(folder, text))


def test_every_mistyped_id_and_the_schemas_mistakes_are_told_together(folder: Path) -> None:
    text = "rules:\n  - {id: trols, state: shadow}\n  - {id: elves, state: shado}\n  - {id: elvs}\n"
    with pytest.raises(PolicyError) as caught:
        load(on_top(folder, text))
    said = [str(error) for error in (caught.value, *caught.value.more)]
    assert [word in line for line, word in zip(said, ("'trolls'?", "'shadow'?", "'elves'?"), strict=True)] == [True] * 3


def test_a_policy_has_not_the_name_of_the_one_below(folder: Path) -> None:
    with pytest.raises(PolicyError, match=r"top\.yaml:3: the id 'base' is that of the policy below"):
        load(on_top(folder, "", HEAD.replace("id: top", "id: base")))


def test_an_error_below_names_the_file_below(folder: Path) -> None:
    (folder / "base.yaml").write_text(BASE.replace("block: 0.8,", "block: 0.3,"))
    with pytest.raises(PolicyError, match=r"base\.yaml:20: thresholds must order"):
        load(on_top(folder, ""))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (HEAD.replace("base.yaml", "bas.yaml"), "there is no policy at .*bas.yaml; write `core`"),
        (HEAD.replace("base.yaml", "top.yaml"), "extends this file in turn"),
        (HEAD.replace("base.yaml", "[core]"), "names one policy"),
        (HEAD.replace("base.yaml", '"a\\0b"'), "there is no policy"),
        (HEAD.replace("base.yaml", "x" * 5000), "there is no policy"),
        (HEAD.replace("id: top\n", ""), "writes its own `id`"),
        (HEAD.replace('version: "7"\n', ""), "writes its own `version`"),
        (HEAD.replace("extends", "extend"), "did you mean 'extends'"),
    ],
)
def test_a_wrong_way_to_extend_is_refused(folder: Path, head: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        load(on_top(folder, "", head))


def test_two_files_that_extend_each_other_are_refused(folder: Path) -> None:
    (folder / "base.yaml").write_text(HEAD.replace("base.yaml", "top.yaml"))
    with pytest.raises(PolicyError, match="in turn"):
        load(on_top(folder, ""))


def test_core_can_be_named() -> None:
    policy = parse('schema: 1\nextends: core\nid: mine\nversion: "1"\n')
    assert policy.rules == load(CORE).rules
    with pytest.raises(InputError, match=r"weapons\.uplift"):
        parse('schema: 1\nextends: core\nid: mine\nversion: "1"\nrules: [{id: weapons.uplift, state: shadow}]')


CHILD = """schema: 1
extends: core
id: mine
version: "1"
tiers: [public, internal]
rules:
  - {id: weapons.uplift, detect: {block: 0.6}, act: {public: [block, strike(9), case]}}
  - {id: mine.own, definition: d, detect: {signal: harm.own, review: 0.5, block: 0.8}, act: {public: [block]}}
"""


@settings(max_examples=40)
@given(
    st.sampled_from(["3", "null", "[]", "{}", "[[]]", "- x", "\n", "a: b", "!x", "{id: 3}", "id: []"]),
    st.integers(0, len(CHILD)),
)
def test_no_text_on_top_crashes_the_loader(noise: str, at: int) -> None:
    parse(CHILD)
    for text in (CHILD[:at] + noise + CHILD[at:], CHILD[:at] + noise):
        with contextlib.suppress(InputError):
            parse(text)


# ── examples beside the policy ───────────────────────────────────────────────────────────────────────────────────────────

LINES = b"""{"id": "x1", "text": "one", "verdict": "violates", "why": "w", "split": "train"}

{"id": "x2", "text": "two", "verdict": "allowed", "why": "w", "split": "dev"}
"""


def beside(folder: Path, content: bytes, sha256: str | None = None) -> str:
    (folder / "more.jsonl").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    return f"    examples_from: {{file: more.jsonl, sha256: {digest}}}\n"


def test_examples_from_a_file_stand_behind_those_of_the_rule(folder: Path) -> None:
    top = load(on_top(folder, "rules:\n  - id: trolls\n" + beside(folder, LINES)))
    assert [example.id for example in top.rule("trolls").examples] == ["t1", "x1", "x2"]
    alone = load(on_top(folder, "rules:\n  - id: elves\n" + beside(folder, LINES)))
    assert [example.id for example in alone.rule("elves").examples] == ["x1", "x2"]
    assert "example_from" not in alone.rule("elves").__struct_fields__


def test_a_file_that_changed_is_refused_with_both_digests(folder: Path) -> None:
    text = beside(folder, LINES, "a" * 64)
    with pytest.raises(PolicyError, match=f"{hashlib.sha256(LINES).hexdigest()}.*{'a' * 64}") as refused:
        load(on_top(folder, "rules:\n  - id: elves\n" + text))
    assert (refused.value.file, refused.value.line) == (str(folder / "top.yaml"), 7)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            LINES.replace(b"dev", b"dve"),
            r"more\.jsonl:3: unknown value 'dve'; did you mean 'dev'\? .* \(split of example 'x2' of rule 'elves'",
        ),
        (LINES.replace(b"why", b"wy", 1), r"more\.jsonl:1: (unknown key 'wy'; did you mean 'why'|the key `why` is missing)"),
        (LINES.replace(b'"two"', b'{"a": [1]}'), r"more\.jsonl:3: Expected a text, got a mapping"),
        (LINES + b"[1]", r"more\.jsonl:4: is no JSON object"),
        (LINES.replace(b"x2", b"x1"), r"more\.jsonl:3: example id 'x1' stands 2 times"),
        (LINES.replace(b'"two"', b'"ONE!"'), r"more\.jsonl:3: .*texts? .*one"),
    ],
)
def test_errors_in_a_file_of_examples_name_its_line(folder: Path, content: bytes, message: str) -> None:
    with pytest.raises(PolicyError, match=re.compile(message, re.IGNORECASE)):
        load(on_top(folder, "rules:\n  - id: elves\n" + beside(folder, content)))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{file: none.jsonl, sha256: a}", r"top\.yaml:7: cannot read the examples .*none\.jsonl"),
        ("{file: more.jsonl}", r"top\.yaml:7: .*`sha256`; write `examples_from"),
        ("more.jsonl", r"top\.yaml:7: Expected `object`"),
    ],
)
def test_a_file_of_examples_is_named_with_its_digest(folder: Path, written: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        load(on_top(folder, f"rules:\n  - id: elves\n    examples_from: {written}\n"))
