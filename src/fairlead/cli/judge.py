"""`fairlead judge`: one verdict, the judge's card on labelled files, and training of the heads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table
from typer.core import TyperGroup

from fairlead import __version__
from fairlead.cli import reasoner as reasoning
from fairlead.judge.cascade import Judge
from fairlead.judge.encoder import Encoder, is_encoder
from fairlead.judge.heads import PREVALENCE, Heads, is_heads
from fairlead.judge.page import Read, interval, render, value
from fairlead.judge.rated import Rated
from fairlead.judge.reasoned import taught
from fairlead.judge.reliability import Bin
from fairlead.judge.whole_card import Card, whole_card
from fairlead.ledger.log import Ledger
from fairlead.measure.corpus import clean, corpus, evaluation, public, strangers
from fairlead.measure.prompts import Prompts, Spoken, read_prompts
from fairlead.policy.core import CORE, ENCODER, HEADS
from fairlead.policy.document import Policy, Surface
from fairlead.policy.load import load
from fairlead.records.canonical import digest
from fairlead.records.conversation import Conversation
from fairlead.records.entry import Labelled
from fairlead.records.errors import InputError
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.verdict import Verdict


class _TextByDefault(TyperGroup):
    """Reads `judge "some text"` as `judge text "some text"`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["text", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_TextByDefault, no_args_is_help=True, help="Judge texts against the policy.")

PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.", show_default=False)]
HeadsOption = Annotated[Path | None, typer.Option("--heads", help="Folder of trained heads; the cache's when not given.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Files = Annotated[list[Path], typer.Argument(help="Labelled JSONL or CSV files.")]


@app.command("text")
def text_command(
    text: Annotated[str, typer.Argument(help="The text to judge.")],
    policy: PolicyOption = CORE,
    heads: HeadsOption = None,
    surface: Annotated[str, typer.Option(help="prompt or response")] = "prompt",
    reasoner: reasoning.Url = None,
    reasoner_model: reasoning.Model = "",
    reasoner_form: reasoning.Kind = reasoning.FormName.NATIVE,
    reasoner_timeout: reasoning.Timeout = 8.0,
    json: JsonOption = False,
) -> None:
    """Print the verdict on one text. `fairlead judge "…"` is short for this."""
    if surface not in ("prompt", "response"):
        raise InputError(f"--surface is {surface!r}; write prompt or response")
    if not text.strip():
        raise InputError('there is no text to judge; write one, as in `fairlead judge "some text"`')
    rules = load(policy)
    judge = _judge(rules, heads)
    asked = Conversation.of(text) if surface == "prompt" else Conversation(()).answered(text)
    options = reasoning.Options(reasoner, reasoner_model, reasoner_form, reasoner_timeout)
    with reasoning.one_by_one(judge, rules, options) as judging:
        found = reasoning.explained(judging, asked, cast(Surface, surface))
    if json:
        print(msgspec.json.encode(found.verdict).decode())
    else:
        _print_verdict(found.verdict, rules)
        for rule, why in found.rationales.items():
            print(f"{rule}: {why}")


@app.command("card")
def card_command(
    files: Files,
    policy: PolicyOption = CORE,
    heads: HeadsOption = None,
    reasoner: reasoning.Url = None,
    reasoner_model: reasoning.Model = "",
    reasoner_form: reasoning.Kind = reasoning.FormName.NATIVE,
    reasoner_timeout: reasoning.Timeout = 8.0,
    page: Annotated[Path | None, typer.Option(help="Also write the card as one HTML page.")] = None,
    json: JsonOption = False,
) -> None:
    """Print how well the judge ranks, decides and is calibrated, rule by rule and by group, and what it costs."""
    rules = load(policy)
    if page is not None and not page.parent.is_dir():
        raise InputError(f"there is no folder {page.parent} for the page; make it first, or name another")
    judge = _judge(rules, heads)
    read = _labelled(files, rules)
    options = reasoning.Options(reasoner, reasoner_model, reasoner_form, reasoner_timeout)
    with reasoning.one_by_one(judge, rules, options) as judging:
        found = card_of(judging, rules, read)
    if page is not None:
        page.write_text(render(found, rules, [_as_read(prompts) for prompts in read]), encoding="utf-8")
    if json:
        print(msgspec.json.encode({"figures": found.figures, "reliability": found.reliability}).decode())
    else:
        _print_card(found)


@app.command("train")
def train_command(
    files: Annotated[list[Path] | None, typer.Argument(help="Labelled JSONL or CSV files.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the heads.")] = Path("out/heads"),
    policy: PolicyOption = CORE,
    data: Annotated[Path | None, typer.Option(help="Folder of public sets: trains on them and the corpus, too.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
) -> None:
    """Train heads on the policy's train examples, on labelled files, and with --data as the shipped heads were."""
    rules = load(policy)
    examples = [example for prompts in _labelled(files or [], rules) for example in _with_labels(prompts)]
    if data is not None:
        for stranger in strangers(data):
            _say(f"not as the shipped heads were trained: {stranger}")
        examples = clean([*examples, *corpus(rules), *public(data, seed)], evaluation(rules))
    trained = _train(rules, examples, out, seed)
    for head in trained.card.heads:
        print(f"{head.rule}: {head.violating} violating, {head.allowed} allowed examples")
    for rule, why in trained.card.left_out.items():
        print(f"{rule}: no head: {why}")
    print(f"heads {trained.digest[:12]} in {out}")


@app.command("label")
def label_command(
    files: Annotated[list[Path], typer.Argument(help="JSONL or CSV files of texts, labelled or not.")],
    out: Annotated[Path, typer.Option(help="A new JSONL file of the texts with the reasoner's labels.")],
    reasoner: reasoning.Url,
    reasoner_model: reasoning.Model,
    reasoner_form: reasoning.Kind = reasoning.FormName.NATIVE,
    reasoner_timeout: reasoning.Timeout = 8.0,
    policy: PolicyOption = CORE,
    heads: HeadsOption = None,
    ledger: Annotated[str | None, typer.Option(help="A ledger that takes each label as an entry, without the text.")] = None,
) -> None:
    """Let a reasoner label what the heads leave open, as a file that `train` reads. What a file labels itself stands."""
    if out.exists():
        raise InputError(f"{out} is there already; name another file")
    rules = load(policy)
    read = _read(files, rules)
    examples = [example for prompts in read for example in prompts.examples]
    options = reasoning.Options(reasoner, reasoner_model, reasoner_form, reasoner_timeout)
    with reasoning.one_by_one(_judge(rules, heads), rules, options) as judging:
        verdicts = judging.judge_many([Conversation.of(example.text) for example in examples])
    by = f"reasoner:{reasoner_form}/{reasoner_model}"
    rows, given = [], []
    for example, verdict in zip(examples, verdicts, strict=True):
        labels = {rule: violates for rule, violates in taught(verdict).items() if rule not in example.labels}
        given += [Labelled(example.id, rule, violates, by) for rule, violates in labels.items()]
        rows += [{"text": example.text, "labels": labels, "by": by, "group": example.group or example.id}] if labels else []
    if ledger is not None:
        with Ledger(ledger, producer=f"judge/{__version__}") as opened:
            opened.append(*given)
    out.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    print(f"{len(given)} labels by {by} on {len(rows)} of {len(examples)} texts in {out}")


def card_of(judge: Judge | reasoning.OneByOne, policy: Policy, read: list[Prompts], seed: int = 0) -> Card:
    """The judge's card over the labelled texts of all files."""
    rows = [(example, prompts.spoken.get(example.id, Spoken())) for prompts in read for example in _with_labels(prompts)]
    verdicts = judge.judge_many([Conversation.of(example.text) for example, _ in rows])
    rated = [
        Rated(example, verdict, said.language, said.dialect) for (example, said), verdict in zip(rows, verdicts, strict=True)
    ]
    return whole_card(rated, [rule.id for rule in policy.text_rules], seed, judge.producer)


def _labelled(files: list[Path], policy: Policy) -> list[Prompts]:
    """What all files hold; says how many lines were refused. Raises InputError when none names a label."""
    read = _read(files, policy)
    if files and not any(map(_with_labels, read)):
        raise InputError("no line of the files names a label; write `rule` and `verdict`, or `labels`, on each line")
    return read


def _with_labels(prompts: Prompts) -> list[Example]:
    return [example for example in prompts.examples if example.labels]


def _as_read(prompts: Prompts) -> Read:
    return Read(prompts.name, prompts.digest, len(_with_labels(prompts)), len(prompts.refused))


def _read(files: list[Path], policy: Policy) -> list[Prompts]:
    read = [read_prompts(file, policy) for file in files]
    for file, prompts in zip(files, read, strict=True):
        if prompts.refused:
            first = prompts.refused[0]
            _say(f"{file}: {len(prompts.refused)} lines refused, the first is line {first.number}: {first.why}")
    return read


def _judge(policy: Policy, heads: Path | None) -> Judge:
    """The judge with the heads given, with the shipped ones, or, where these lack a rule, with some trained for the policy."""
    trained = Heads.load(heads or _own_heads(policy))
    encoder = _encoder() if trained.card.encoder else None
    return Judge(policy, trained, encoder)


def _own_heads(policy: Policy) -> Path:
    """The folder of the shipped heads when they know every rule of the policy, else of the cache's, trained on first use."""
    if is_heads(HEADS):
        meanings = {head.meaning for head in Heads.load(HEADS).card.heads}
        if all(rule.meaning in meanings for rule in policy.text_rules):
            return HEADS
    texts = corpus(policy)
    # Whatever changes the heads changes the name: rules, data, recipe.
    folder = _cache() / "heads" / digest((policy.digest, texts, PREVALENCE, __version__))[:16]
    if not is_heads(folder):
        _say(f"no heads for {policy.id} {policy.version} yet: training on its examples and {len(texts)} texts of the corpus")
        _train(policy, texts, folder, 0)
    return folder


def _train(policy: Policy, examples: list[Example], out: Path, seed: int) -> Heads:
    try:
        from fairlead.judge.train import train  # SciPy is an extra
    except ImportError as error:
        raise InputError(f"training needs {error.name}; install fairlead[judge]") from error
    trained = train(policy, examples, _encoder(), seed)
    trained.save(out)
    return trained


def _encoder() -> Encoder | None:
    """The encoder that is shipped; None where it is not."""
    return Encoder.load(ENCODER) if is_encoder(ENCODER) else None


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fairlead"


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _print_verdict(verdict: Verdict, policy: Policy) -> None:
    table = Table(
        Column("rule", no_wrap=True),
        "outcome",
        "score",
        "stage",
        "view",
        "why",
        title=f"{verdict.outcome.value} · {verdict.producer}",
    )
    for found in verdict.rules:
        score = "–" if found.score is None else f"{found.score:.3f}"
        why = found.evidence or (policy.rule(found.rule).reason if found.outcome.value == "violates" else "")
        table.add_row(found.rule, found.outcome.value, score, found.stage, found.view, why)
    Console().print(table)
    if verdict.error:
        _say(f"the judge failed: {verdict.error}")


def _print_card(card: Card) -> None:
    for title, figures in (("rules", card.rules), ("groups", card.groups), ("withheld", card.bias), ("cost", card.cost)):
        if figures:
            _print_figures(figures, f"{title} · {card.producer}")
    for rule, found in card.reliability.items():
        if found:
            _print_bins(found, f"reliability of {rule}")


def _print_figures(figures: Sequence[Figure], title: str) -> None:
    table = Table(Column("figure", overflow="fold"), "value", "95 %", "n", "errors", title=title)
    for figure in figures:
        table.add_row(figure.name, value(figure), interval(figure), str(figure.n), str(figure.errors))
    Console().print(table)


def _print_bins(found: Sequence[Bin], title: str) -> None:
    table = Table("mean score", "share violating", "95 %", "n", title=title)
    for one in found:
        table.add_row(f"{one.score:.3f}", f"{one.share:.3f}", f"{one.low:.3f} – {one.high:.3f}", str(one.n))
    Console().print(table)
