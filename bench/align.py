"""`python -m bench.align [--quick]`: the supervised loop and the model basin, from random weights to an aligned model.

Speed: tokens a CPU-second of training and of generation (the rival, in the full run, is transformers' own `generate` on
the same batches). Safety: what base and aligned model do with harmful requests and with their benign twins, graded by
gold; the cells stand in a table of their own. One thread. Figures of the basin prove machinery and say nothing about a
real model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bench.report import main
from fairlead.align import supervised
from fairlead.align.supervised import Settings, Step
from fairlead.basin import data, tokenizer
from fairlead.basin.data import FULL, QUICK
from fairlead.basin.gold import Case, Cell, counted_disguises, counts
from fairlead.basin.model import new_model
from fairlead.models.local import Local
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome
from fairlead.statistics.intervals import wilson

_SEED = 0
_MOST_TOKENS = 24
_ANSWERS = 256  # conversations on which generation is timed


def run(quick: bool) -> list[Figure]:
    """Train, align and measure one basin."""
    torch.set_num_threads(1)
    began, began_cpu, size = time.perf_counter(), time.process_time(), QUICK if quick else FULL
    sets = data.build(_SEED, size)
    words = tokenizer.build(sets.pretraining)
    model = new_model(words, layers=size.layers, width=size.width, seed=_SEED)
    speed = _trained(model, words, sets.pretraining, Settings(size.pretraining_rate, size.pretraining_batch, seed=_SEED))
    base = _cells(model, words, sets.evaluation)
    _trained(model, words, sets.safety, Settings(size.safety_rate, size.safety_batch, seed=_SEED))
    aligned = _cells(model, words, sets.evaluation)
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    _show(base, aligned)
    counted, tried = counted_disguises(base), {c.disguise for c in base if c.family != "skill"}
    attacks = [c for c in aligned if c.disguise in counted]
    return [
        speed,
        _generation(model, words, sets.evaluation, quick),
        Figure("basin_seconds", took, "s", n=1),
        Figure("basin_cpu_seconds", cpu, "s", n=1),
        _rate("base_harmful_compliance", base, Outcome.VIOLATES, _complied),
        _rate("base_benign_compliance", base, Outcome.ALLOWED, _complied),
        _rate("seen_harmful_compliance", [c for c in attacks if c.seen], Outcome.VIOLATES, _complied),
        _rate("held_out_harmful_compliance", [c for c in attacks if not c.seen], Outcome.VIOLATES, _complied),
        _rate("seen_benign_refusal", [c for c in attacks if c.seen], Outcome.ALLOWED, _refused),
        _rate("held_out_benign_refusal", [c for c in attacks if not c.seen], Outcome.ALLOWED, _refused),
        Figure("disguises_counted", float(len(tried & counted)), n=len(tried)),
    ]


def _trained(model: Any, words: Any, conversations: Sequence[Any], settings: Settings) -> Figure:
    steps: list[Step] = []
    start = time.process_time()
    supervised.train(model, words, conversations, settings, steps.append)
    tokens = sum(step.tokens for step in steps)
    return Figure("supervised_tokens_per_cpu_s", tokens / (time.process_time() - start), "1/s", n=tokens)


def _cells(model: Any, words: Any, cases: Sequence[Case]) -> tuple[Cell, ...]:
    return counts(cases, Local(model, words, "basin").answer_many([c.conversation for c in cases], _MOST_TOKENS))


def _generation(model: Any, words: Any, cases: Sequence[Case], quick: bool) -> Figure:
    """Ours and the rival by turns, the best of each: what disturbs a shared machine only ever takes time."""
    local, asked = Local(model, words, "basin"), [c.conversation for c in cases[:_ANSWERS]]
    ours, theirs = [], []
    for _ in range(1 if quick else 5):
        start = time.process_time()
        answers = local.answer_many(asked, _MOST_TOKENS)
        ours.append(time.process_time() - start)
        if not quick:
            theirs.append(_generate_s(local, asked))
    # Words are tokens here; one more for the end.
    tokens = sum(len(answer.split()) + 1 for answer in answers)
    rival = tokens / min(theirs) if theirs else None
    return Figure("generation_tokens_per_cpu_s", tokens / min(ours), "1/s", n=tokens, rival=rival)


def _generate_s(local: Local, asked: Sequence[Any]) -> float:
    """CPU seconds that transformers' `generate` takes for the same batches of 128, sorted by length as well."""
    start = time.process_time()
    rows = sorted((local.encode(c) for c in asked), key=len)
    for at in range(0, len(rows), 128):
        batch = local.tokenizer.pad({"input_ids": rows[at : at + 128]}, return_tensors="pt")
        out = local.model.generate(**batch, max_new_tokens=_MOST_TOKENS, do_sample=False)
        local.tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return time.process_time() - start


def _complied(cell: Cell) -> int:
    return cell.complied


def _refused(cell: Cell) -> int:
    return cell.refused


def _rate(name: str, cells: Sequence[Cell], gold: Outcome, count: Callable[[Cell], int]) -> Figure:
    some = [c for c in cells if c.gold is gold and c.family != "skill"]
    hits, n = sum(map(count, some)), sum(c.n for c in some)
    low, high = wilson(hits, n)
    errors = sum(c.errors for c in some)
    return Figure(name, hits / n if n else None, low=low, high=high, n=n, errors=errors, judge="gold")


def _show(base: Sequence[Cell], aligned: Sequence[Cell]) -> None:
    table = Table(title="gold verdicts: harmful requests complied with, benign requests answered and refused")
    for column in ("family", "disguise", "training", "n", "base harm", "base right", "harm", "benign right", "benign refused"):
        table.add_column(column)
    cells = {(stage, c.disguise, c.gold): c for stage, found in (("base", base), ("aligned", aligned)) for c in found}
    for first in sorted({c.disguise: c for c in base}.values(), key=lambda c: (c.family, c.disguise)):
        harm, good = (cells.get(("base", first.disguise, gold)) for gold in (Outcome.VIOLATES, Outcome.ALLOWED))
        after, kept = (cells.get(("aligned", first.disguise, gold)) for gold in (Outcome.VIOLATES, Outcome.ALLOWED))
        table.add_row(
            first.family,
            first.disguise,
            "seen" if first.seen else "held out",
            str(first.n),
            _percent(harm, _complied),
            _percent(good, _complied),
            _percent(after, _complied),
            _percent(kept, _complied),
            _percent(kept, _refused),
        )
    Console(width=120).print(table)


def _percent(cell: Cell | None, count: Callable[[Cell], int]) -> str:
    return "" if cell is None or not cell.n else f"{100 * count(cell) / cell.n:.0f} %"


if __name__ == "__main__":
    main("align", run)
