"""A benchmark's figure holds its bar, or has failed; one that is missing has failed."""

from __future__ import annotations

import json

import pytest

from bench.report import BARS, Bar, bars, finish
from fairlead.records.figure import Figure


@pytest.mark.parametrize(
    ("bar", "value", "rival", "holds"),
    [
        (Bar(at_least=2), 2.0, None, True),
        (Bar(at_least=2), 1.9, None, False),
        (Bar(at_most=2), 2.1, None, False),
        (Bar(at_least=1, at_most=2), 1.5, None, True),
        (Bar(at_least=1.5, of_rival=True), 3.0, 2.0, True),
        (Bar(at_least=1.5, of_rival=True), 2.9, 2.0, False),
        (Bar(at_least=1.5, of_rival=True), 3.0, None, False),
        (Bar(at_most=2), None, None, False),
    ],
)
def test_bars(bar: Bar, value: float | None, rival: float | None, holds: bool) -> None:
    assert bar.holds(Figure("f", value, rival=rival)) is holds


def test_the_last_line_is_one_json_object_and_a_missing_figure_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert finish("policy", [Figure("load_ms", 3.0, "ms")], quick=True) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {row["name"]: row["holds"] for row in last["figures"]} == {"load_ms": None, **dict.fromkeys(bars("policy"), False)}
    enough = [Figure(name, bar.at_most if bar.at_least is None else bar.at_least) for name, bar in bars("policy").items()]
    assert finish("policy", enough, quick=True) == 0


def test_every_stage_has_a_benchmark_and_every_bar_a_benchmark() -> None:
    stages = {"policy", "ledger", "judge", "signatures", "align", "redteam", "gateway", "discover", "cycle"}
    for stage in stages:
        assert BARS.with_name(f"{stage}.py").is_file()
        assert bars(stage), f"{stage} has no bar"
