"""The report: one page that holds everything it shows, written from the ledger's summary and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fairlead import __version__
from fairlead.cycle.pictures import Bars, bar_picture
from fairlead.cycle.summary import Summary, Traced
from fairlead.ledger.verify import Verification, verify

_PAGES = Environment(loader=PackageLoader("fairlead.cycle", "pages"), autoescape=True, undefined=StrictUndefined)


def write(page: Path, ledger: Path, summary: Summary) -> None:
    """Write the page for the last turn of a ledger. The log's own proof stands at the top of it."""
    page.write_text(render(summary, verify(ledger)), encoding="utf-8")


def render(summary: Summary, log: Verification) -> str:
    """The page as text."""
    return _PAGES.get_template("report.html").render(
        version=__version__,
        s=summary,
        log=log,
        number=number,
        interval=interval,
        basin=_basin(summary),
        judge=_judge(summary),
        attacks=_attacks(summary),
    )


def number(traced: Traced | None) -> Markup:
    """A figure's value as a link to its entry; a dash where it was not measured."""
    if traced is None or traced.figure.value is None:
        return Markup('<span class="none">not measured</span>')
    figure = traced.figure
    shown = f"{figure.value:.1%}" if figure.unit == "" and figure.low is not None else f"{figure.value:g}"
    unit = f" {figure.unit}" if figure.unit else ""
    return Markup('<a class="num" href="#e{0}" data-entry="{0}">{1}</a>{2}').format(traced.seq, shown, unit)


def interval(traced: Traced | None) -> str:
    """A figure's interval and n in words."""
    if traced is None or traced.figure.low is None or traced.figure.high is None:
        return ""
    figure = traced.figure
    errors = f", {figure.errors} errors" if figure.errors else ""
    return f"[{figure.low:.1%}, {figure.high:.1%}], n = {figure.n}{errors}"


def _basin(s: Summary) -> str:
    """Attack success of each disguise before and after supervised fine-tuning, and benign refusal after it."""
    rows = []
    for base in s.under("basin-base", "attack success"):
        for member in s.under(base.subject, "attack success"):
            subject = member.subject.removeprefix("basin-base|")
            after = s.find(f"basin-sft|{subject}", "attack success")
            refusal = s.find(f"basin-sft|{subject}", "benign refusal")
            rows.append(Bars(subject.replace("|", ": "), (member, after, refusal)))
    series = ("base: attack success", "fine-tuned: attack success", "fine-tuned: benign refusal")
    return bar_picture("The basin's model under the five families", series, rows)


def _judge(s: Summary) -> str:
    """AUPRC of each rule on held-out texts."""
    rules = _names(t for t in s.traced if t.subject == "judge" and t.figure.name.endswith(".auprc"))
    rows = [Bars(rule, (s.find("judge", f"{rule}.auprc"), s.find("judge", f"{rule}.recall_at_1pct_fpr"))) for rule in rules]
    return bar_picture("The judge on held-out texts", ("AUPRC", "recall at 1 % false positives"), rows)


def _attacks(s: Summary) -> str:
    """Attack success against the judge under held-out transforms, before and after improvement."""
    rows = []
    for family in s.under("judge before", "attack success"):
        name = family.subject.removeprefix("judge before|")
        pair = tuple(s.find(f"judge {when}|{name}", "attack success") for when in ("before", "improved"))
        refusal = tuple(s.find(f"judge {when}|{name}", "benign refusal") for when in ("before", "improved"))
        rows.append(Bars(f"{name}: attack success", pair))
        rows.append(Bars(f"{name}: benign refusal", refusal))
    return bar_picture("The judge under held-out transforms", ("before", "improved heads"), rows)


def _names(traced: Iterable[Traced]) -> list[str]:
    return [t.figure.name.removesuffix(".auprc") for t in traced]
