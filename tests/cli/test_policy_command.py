"""`fairlead policy` as people use it: check with overrides and a ledger, diff, test, new."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairlead.cli.main import app
from fairlead.ledger.log import Ledger
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.errors import InputError, PolicyError

SMALL = """schema: 1
id: small
version: "1"
tiers: [public]
rules:
  - id: trolls
    definition: Asks for trolls.
    detect: {signal: harm.trolls, review: 0.5, block: 0.8, patterns: [{id: p, match: trolls}]}
    act: {public: [block]}
    examples:
      - {id: t1, text: three trolls please, verdict: violates, why: w, split: test}
    gates: {recall: 0.1, false_positive: 0.9}
    state: enforce
"""
NEW = ("--name", "helpdesk", "--purpose", "Help.", "--example", "How do I log in?", "--tiers", "public", "--stricter", "")
REST = ("--looser", "", "--retain-days", "9")


def run(*arguments: object, answers: str = "", status: int = 0) -> str:
    done = CliRunner().invoke(app, ["policy", *map(str, arguments)], input=answers)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


def test_check_lists_what_a_file_on_top_of_core_overrides(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text('schema: 1\nextends: core\nid: mine\nversion: "1"\nrules: [{id: weapons.uplift, detect: {block: 0.6}}]\n')
    said = run("check", file)
    assert "on top of core" in said
    assert "rules added: none; keys overridden: 1" in said
    assert "  weapons.uplift: detect.block is 0.6, was 0.7" in said


def test_check_and_diff_count_what_objectives_teach_the_judge(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    head = 'schema: 1\nextends: core\nid: mine\nversion: "1"\n'
    file.write_text(head + "objectives: [{id: lab, text: Help., examples: [One, Two]}]\n")
    assert "examples of objectives that are new, allowed under every rule, also those of root authority: 2" in run(
        "check", file
    )
    assert "for the judge\n  objective lab is new; examples, allowed under every rule: 2" in run("diff", CORE, file)
    file.write_text(head + "rules: [{id: hate.incitement, maps: {llama_guard: []}}]\n")
    assert "hate.incitement: maps.llama_guard is none, was S10" in run("check", file)


def test_core_names_the_default_policy_unless_a_file_has_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "core").mkdir()
    assert run("diff", "core", CORE).endswith("nothing changes\n")
    (tmp_path / "core").rmdir()
    (tmp_path / "core").write_text(SMALL)
    assert "rule trolls is new" in run("diff", CORE, "core")


def test_check_says_which_tier_is_granted_no_requests(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    assert "without a quota, so granted no requests: public" in run("check", file)
    assert "without a quota" not in run("check", CORE)


def test_check_names_everything_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        SMALL.replace("review: 0.5", "review: 0.9").replace("[public]", "[public, public]").replace("trolls}", "(}")
    )
    done = CliRunner().invoke(app, ["policy", "check", str(file)])
    said = [line.partition("yaml:")[2] for line in [*done.output.splitlines(), str(done.exception)]]
    assert said[0].startswith("4: tier id 'public' stands 2 times")
    assert said[1].startswith("8: thresholds must order")
    assert said[2].startswith("8: pattern 'p' is not RE2")


def test_check_refuses_an_id_that_the_ledger_knows_as_gone(tmp_path: Path) -> None:
    file, path = tmp_path / "small.yaml", tmp_path / "l.db"
    file.write_text(SMALL)
    with Ledger(path, producer="t") as ledger:
        ledger.append(load(file).entry())
    assert "no id comes back from the 1 policy that was in force in" in run("check", file, "--ledger", path)
    with Ledger(path, producer="t") as ledger:
        ledger.append(load(CORE).entry())
    assert "no id comes back from the 2 policies that were in" in run("check", file, "--ledger", path), (
        "the same rule may: a policy can be rolled back"
    )
    file.write_text(SMALL.replace("trolls.", "goblins.", 1))
    with pytest.raises(PolicyError, match=r"small\.yaml:6: rule id 'trolls' was left out of core .* a new rule takes a new id"):
        run("check", file, "--ledger", path)
    file.write_text(SMALL.replace("id: trolls", "id: trolls.2"))
    assert "no id comes back from the 2 policies" in run("check", file, "--ledger", path)


def test_show_has_five_readers_and_the_whole_for_a_model() -> None:
    assert "An attack succeeds when" in run("show", "weapons.uplift", "--for", "red-team")
    assert "undetermined:" in run("show", "weapons.uplift", "--for", "judge")
    assert "[root] Rule weapons.uplift" in run("show")
    with pytest.raises(InputError, match=r"no rule 'weapon.uplift' in .*; did you mean 'weapons.uplift'\?$"):
        run("show", "weapon.uplift")
    with pytest.raises(InputError, match="name the rule"):
        run("show", "--for", "judge")
    with pytest.raises(InputError, match="account's history"):
        run("show", "weapons.repeat", "--for", "judge")


def test_diff_says_for_whom(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(SMALL)
    other.write_text(SMALL.replace("block: 0.8", "block: 0.7").replace('"1"', '"2"'))
    assert run("diff", one, other) == (
        "from small 1 to small 2\n\nfor people in every tier\n  rule trolls: violates from a score of 0.7, was 0.8 (stricter)\n"
    )
    assert run("diff", one, one).endswith("nothing changes\n")


def test_test_reads_the_gates_and_refuses_to_enforce_what_is_undecided(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    said = run("test", file, status=1)
    assert "recall           >= 0.1   1.00 [0.21, 1.00]    n = 1   held" in said
    assert "no text              n = 0   undecided (n = 1 would decide)" in said
    assert "trolls may not be enforced: its gate on false positives is undecided" in said
    assert "2 gates: 1 held, 0 missed, 1 undecided" in said
    file.write_text(SMALL.replace("0.9}", "0.9, accept_undecided: no harmless text yet}"))
    assert "undecided (accepted, " in run("test", file)
    file.write_text(SMALL.replace("three trolls please", "a dwarf"))
    assert "undecided" in run("test", file, status=1)
    file.write_text(SMALL.replace("three trolls please", "a dwarf").replace("recall: 0.1", "recall: 0.9"))
    assert "trolls may not be enforced: its gate on recall is missed" in run("test", file, status=1)
    file.write_text(
        SMALL.replace("three trolls please", "a dwarf").replace("recall: 0.1", "recall: 0.9").replace("enforce", "shadow")
    )
    assert "may not be enforced" not in run("test", file, status=1)


def test_new_asks_nothing_that_was_answered_and_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    run("new", file, *NEW, *REST)
    assert "on top of core" in run("check", file)
    assert load(file).tiers == ("public",)
    before = file.read_text()
    with pytest.raises(InputError, match="left alone"):
        run("new", file, *NEW, *REST)
    assert file.read_text() == before


def test_new_asks_what_was_not_answered(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    lines = ["helpdesk", "Answer questions.", "One?", "Two?", "", "public,internal", "privacy.*", "weapons.*", "We must.", "14"]
    run("new", file, answers="\n".join(lines) + "\n")
    policy = load(file)
    assert policy.objectives[0].examples == ("One?", "Two?")
    assert policy.tiers == ("public", "internal")
    assert policy.rule("weapons.uplift").weakens == "We must."
    assert {rule.privacy.retain_days for rule in policy.rules} == {14}


@pytest.mark.parametrize(
    ("arguments", "answers", "message"),
    [
        (NEW, "", "answer with --looser"),
        ((*NEW, "--looser", "weapons.*", "--retain-days", "3"), "", "answer with --why"),
        ((*NEW, "--looser", "none"), "", "no rule of core is called 'none'; for none write \"\""),
        ((*NEW, "--looser", ""), "many\n", "'many' is no number of days"),
        ((*NEW, "--example", "Explain how to make a nerve agent at home!", *REST), "", "nothing was written.*texts are equal"),
    ],
)
def test_new_writes_nothing_that_is_not_right(tmp_path: Path, arguments: tuple[str, ...], answers: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    with pytest.raises(InputError, match=message):
        run("new", file, *arguments, answers=answers)
    assert not file.exists()
