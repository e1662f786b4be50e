"""`fairlead policy`: write, check, compare and test policy files, and read a rule as each reader gets it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fairlead.cli import reasoner as reasoning
from fairlead.cli.backtest import backtest_command
from fairlead.cli.suggest import suggest_command
from fairlead.judge.cascade import Judge
from fairlead.ledger.log import read as read_ledger
from fairlead.measure.gates import RuleGate, assess_tests, rule_gates
from fairlead.policy import begin, diff, render
from fairlead.policy.core import CORE
from fairlead.policy.document import Policy
from fairlead.policy.enforceable import GATES, not_enforceable
from fairlead.policy.history import reused
from fairlead.policy.inherit import Override
from fairlead.policy.load import Loaded, load, parse, read
from fairlead.policy.nearest import nearest
from fairlead.records.entry import PolicyLoaded
from fairlead.records.errors import InputError, PolicyError
from fairlead.statistics.gate import GateOutcome

app = typer.Typer(no_args_is_help=True, help="Write, check and compare policy files, and read their rules.")

app.command("backtest")(backtest_command)
app.command("suggest")(suggest_command)

File = Annotated[Path, typer.Argument(help="The policy file.", show_default=False)]

_READERS = {
    "model": render.spec,
    "judge": render.guard_prompt,
    "reviewer": render.reviewer_page,
    "user": render.notice,
    "red-team": render.objective,
}
_OF_TEXTS = ("judge", "red-team")


@app.command("check")
def check_command(
    file: File = CORE,
    ledger: Annotated[Path | None, typer.Option(help="A ledger whose earlier policies may have used up an id.")] = None,
) -> None:
    """Validate a file: schema, names, tiers, examples, conditions. Exit status 2 with file and line for all that is wrong."""
    try:
        loaded = read(file)
    except PolicyError as error:
        _refuse([error, *error.more])
    history = [entry.payload for entry in read_ledger(ledger) if isinstance(entry.payload, PolicyLoaded)] if ledger else []
    if wrong := [loaded.error(problem) for problem in (*loaded.problems, *reused(loaded.policy, history))]:
        _refuse(sorted(wrong, key=lambda error: (error.file, error.line)))
    _describe(file, loaded)
    if ledger:
        were = "1 policy that was" if len(history) == 1 else f"{len(history)} policies that were"
        print(f"no id comes back from the {were} in force in {ledger}")


def _refuse(wrong: list[PolicyError]) -> NoReturn:
    """Say all that is wrong; the last raises."""
    for error in wrong[:-1]:
        print(f"fairlead: {error}", file=sys.stderr)
    raise wrong[-1]


@app.command("show")
def show_command(
    rule: Annotated[str | None, typer.Argument(help="The rule's id; without it the whole policy, for a model.")] = None,
    reader: Annotated[str, typer.Option("--for", help=", ".join(_READERS))] = "model",
    policy: Annotated[Path, typer.Option(help="The policy file.", show_default=False)] = CORE,
) -> None:
    """Print one rule in the words of a reader."""
    if reader not in _READERS:
        raise InputError(f"unknown reader {reader!r}; write one of {', '.join(_READERS)}")
    rules = load(policy)
    if rule is None:
        if reader != "model":
            raise InputError(f"name the rule to be shown for {reader}; the whole policy is written for models alone")
        print(render.constitution(rules))
        return
    if rule not in {r.id for r in rules.rules}:
        raise InputError(f"there is no rule {rule!r} in {policy}; {nearest(rule, [r.id for r in rules.rules])}")
    if reader in _OF_TEXTS and rules.rule(rule).detect is None:
        raise InputError(f"rule {rule!r} is over an account's history: no text is judged or attacked under it")
    print(_READERS[reader](rules.rule(rule)))


@app.command("diff")
def diff_command(
    before: Annotated[Path, typer.Argument(help="The policy that was.")],
    after: Annotated[Path, typer.Argument(help="The policy that is to be.")],
) -> None:
    """Say in plain words what changes from one policy to another, and for whom."""
    old, new = load(before), load(after)
    print(f"from {old.id} {old.version} to {new.id} {new.version}")
    found = diff.changes(old, new)
    for who in dict.fromkeys(change.who for change in found):
        print(f"\nfor {who}")
        for change in found:
            if change.who == who:
                print(f"  {change.what}")
    if not found:
        print("nothing changes")


@app.command("test")
def test_command(
    file: File = CORE,
    heads: Annotated[Path | None, typer.Option(help="Folder of the judge's heads, or `core`: those that ship.")] = None,
    encoder: Annotated[Path | None, typer.Option(help="Folder of the judge's encoder.")] = None,
    reasoner: reasoning.Url = None,
    reasoner_model: reasoning.Model = "",
    reasoner_form: reasoning.Kind = reasoning.FormName.NATIVE,
    reasoner_timeout: reasoning.Timeout = 8.0,
) -> None:
    """Judge every test example and read each rule's gates. Exit status 1 when one is missed, or a rule may not be enforced."""
    policy = load(file)
    options = reasoning.Options(reasoner, reasoner_model, reasoner_form, reasoner_timeout)
    with reasoning.one_by_one(Judge.load(policy, heads, encoder), policy, options) as judge:
        gates = rule_gates(policy, assess_tests(policy, judge.judge))
    _print_gates(policy, gates, judge.producer)
    not_yet = list(not_enforceable(policy, [gate.entry() for gate in gates]))
    for found in not_yet:
        print(f"{found.rule} may not be enforced: {found.why}")
    if unmeasured := [rule.id for rule in policy.text_rules if rule.gates is None and rule.acts_on(None)]:
        print(f"in force without gates, so not measured: {', '.join(unmeasured)}")
    times = Counter(gate.reading.outcome for gate in gates)
    print(f"{len(gates)} gates: " + ", ".join(f"{times[outcome]} {outcome}" for outcome in GateOutcome))
    if not_yet or times[GateOutcome.MISSED]:
        raise typer.Exit(1)


@app.command("new")
def new_command(
    out: Annotated[Path, typer.Argument(help="The file to write; one that is there is left alone.")] = Path("policy.yaml"),
    name: Annotated[str | None, typer.Option(help="What the policy is called, such as helpdesk.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What the deployment is for, in a sentence.")] = None,
    example: Annotated[list[str] | None, typer.Option(help="A request that must be served; give two or three.")] = None,
    tiers: Annotated[str | None, typer.Option(help="The tiers of core that you need, with commas between.")] = None,
    stricter: Annotated[str | None, typer.Option(help='Rules to make stricter, as in privacy.*,fraud.*; "" for none.')] = None,
    looser: Annotated[str | None, typer.Option(help='Rules to make looser; "" for none.')] = None,
    why: Annotated[str | None, typer.Option(help="Why a rule of root authority is made looser.")] = None,
    retain_days: Annotated[int | None, typer.Option(min=1, help="For how many days content is kept.")] = None,
) -> None:
    """Start a policy for your own deployment on top of core. Each question that an option answers is not asked."""
    if out.exists():
        raise InputError(f"{out} is there already and is left alone; name another file")
    core = load(CORE)
    known = ", ".join(sorted({rule.id.partition(".")[0] + ".*" for rule in core.rules if rule.detect}))
    answers = begin.Answers(
        name=_asked("name", name, "What is the policy called? (small letters, such as helpdesk)"),
        purpose=_asked("purpose", purpose, "What is the deployment for, in a sentence?"),
        examples=tuple(example or _examples()),
        tiers=_listed(_asked("tiers", tiers, f"Which tiers do you need? ({', '.join(core.tiers)})", "public")),
        stricter=_listed(_asked("stricter", stricter, f"Which topics should be stricter than in core? ({known})", "")),
        looser=(loosened := _listed(_asked("looser", looser, "Which topics should be looser?", ""))),
        why=_why(loosened, why, core),
        retain_days=retain_days or _days(_asked("retain-days", None, "For how many days may content be kept?", "30")),
    )
    text = begin.write(answers, core)
    try:
        parse(text, file=str(out))
    except PolicyError as error:
        raise InputError(f"nothing was written, since your answers do not fit: {error}") from error
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}; name another file") from error
    print(f"wrote {out}; read it, then: fairlead policy check {out}; fairlead policy diff {CORE} {out}")


def _asked(option: str, given: str | None, question: str, default: str | None = None) -> str:
    if given is not None:
        return given.strip()
    try:
        return str(typer.prompt(question, default=default, show_default=bool(default))).strip()
    except typer.Abort as error:
        raise InputError(f"nobody answered {question!r}; answer with --{option}") from error


def _examples() -> list[str]:
    found = [_asked("example", None, "A request that it must serve?")]
    while len(found) < 3 and (more := _asked("example", None, "Another one? (empty to go on)", "")):
        found.append(more)
    return found


def _why(looser: tuple[str, ...], given: str | None, core: Policy) -> str:
    if given is None and any(rule.authority == "root" for rule in begin.topics(looser, core)):
        return _asked("why", None, "Some of these hold with root authority. Why may they be looser?")
    return given or ""


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{text!r} is no number of days; write a whole number from 1 on")
    return int(text)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _print_gates(policy: Policy, gates: list[RuleGate], producer: str) -> None:
    print(f"{policy.id} {policy.version}, {producer}")
    for gate in gates:
        rule, read = policy.rule(gate.rule), gate.reading
        rate = "no text" if read.rate is None else f"{read.rate:.2f} [{read.low:.2f}, {read.high:.2f}]"
        bar = f"{'>=' if gate.gate == GATES[0] else '<='} {gate.bar:g}"
        accepted = "accepted, " if rule.gates and rule.gates.accept_undecided else ""
        undecided = f"undecided ({accepted}n = {read.n_needed or 'more'} would decide)"
        outcome = undecided if read.outcome is GateOutcome.UNDECIDED else read.outcome.value
        print(f"  {rule.id:32}{rule.state:9}{gate.gate:17}{bar:9}{rate:20} n = {read.n:<4}{outcome}")


def _describe(file: Path, loaded: Loaded) -> None:
    policy = loaded.policy
    examples = sum(len(rule.examples) for rule in policy.rules)
    states = ", ".join(f"{n} {state}" for state, n in sorted(Counter(rule.state for rule in policy.rules).items()))
    print(f"{file}: {policy.id} {policy.version}, digest {policy.digest}")
    print(f"{len(policy.rules)} rules ({states}), {examples} examples")
    print(f"tiers, the least trusted first: {', '.join(policy.tiers)}")
    if without := [tier for tier in policy.tiers if tier not in policy.quotas]:
        print(f"without a quota, so granted no requests: {', '.join(without)}")
    if loaded.extends is not None:
        below = loaded.extends
        added = [rule.id for rule in policy.rules if rule.id not in {r.id for r in below.rules}]
        print(f"on top of {below.id} {below.version}, digest {below.digest}")
        print(f"rules added: {', '.join(added) or 'none'}; keys overridden: {len(loaded.overrides) or 'none'}")
        for override in loaded.overrides:
            print(_told(override))
        if learned := {text for o in policy.objectives for text in o.examples} - {
            t for o in below.objectives for t in o.examples
        }:
            print(
                f"examples of objectives that are new, allowed under every rule, also those of root authority: {len(learned)}"
            )


def _told(override: Override) -> str:
    where = f"{override.rule}: {override.key}" if override.rule else override.key
    if override.before is None:
        return f"  {where} is {_short(override.after)}"
    return f"  {where} is {_short(override.after)}, was {_short(override.before)}"


def _short(value: object) -> str:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"a list of {len(value)}"
    text = (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"
    return text if len(text) <= 60 else f"{text[:57]}…"
