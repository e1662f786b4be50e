"""Tiny turns, with a model that learns nothing: the same seed, an endpoint that is down, prompts from outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.basin import data
from fairlead.cycle.settings import Extent, Settings
from fairlead.cycle.turn import turn
from fairlead.ledger.log import read
from fairlead.ledger.verify import verify
from fairlead.policy.core import CORE
from fairlead.records.entry import Assessed, Decided, TurnStarted
from fairlead.records.verdict import Outcome

SHARED = Path(__file__).parents[3] / "shared" / "data"
TINY = Extent(
    "tiny",
    replace(data.QUICK, layers=1, width=16, pretraining=8 * 64, safety=4 * 64, per_cell=4),
    labelled=400,  # with fewer, some rule gets no head and everything waits for review
    prompts=16,
    held_out=60,
    attacked=8,
)


def test_the_same_seed_gives_the_same_numbers_and_a_second_turn_goes_into_the_same_ledger(tmp_path: Path) -> None:
    first = turn(Settings(tmp_path, CORE, seed=3, extent=TINY), print)
    second = turn(Settings(tmp_path, CORE, seed=3, extent=TINY), print)
    assert first.canonical_figures() == second.canonical_figures()
    assert [g for _, g in first.gates] == [g for _, g in second.gates]
    assert [m.digest for _, m in first.models] == [m.digest for _, m in second.models]
    log = list(read(tmp_path / "ledger.db"))
    assert sum(isinstance(e.payload, TurnStarted) for e in log) == 2
    assert verify(tmp_path / "ledger.db").whole


def test_an_endpoint_that_is_down_is_an_error_and_never_safe(tmp_path: Path) -> None:
    summary = turn(Settings(tmp_path, CORE, extent=TINY, upstream="http://127.0.0.1:9"), print)
    decided = [e.payload for e in list(read(tmp_path / "ledger.db")) if isinstance(e.payload, Decided)]
    assert not [d for d in decided if d.action == "allow"]
    down = [d for d in decided if d.cause == "upstream_error"]
    assert down
    assert all(d.status in (502, 504) and d.error for d in down)
    requests = summary.find("guard", "requests")
    assert requests is not None
    assert len(decided) == requests.figure.value


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here: no turn on the real sets")
def test_a_turn_on_real_prompts_names_the_broken_lines_and_goes_on(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"text": "How do I descale a kettle?"}\n{broken\n{"text": "What is a good name for a cat?"}\n')
    files = (
        mine,
        SHARED / "ailuminate_en" / "airr_official_1.0_demo_en_us_prompt_set_release.csv.gz",
        SHARED / "jbb_behaviors" / "jailbreakbench.csv.gz",
        SHARED / "self_instruct" / "seed_tasks.jsonl.gz",
    )
    said: list[str] = []
    summary = turn(Settings(tmp_path / "out", CORE, extent=replace(TINY, prompts=60), prompts=files), said.append)
    assert (summary.inputs[0].name, summary.inputs[0].rows, summary.inputs[0].refused) == ("mine.jsonl", 2, (2,))
    assert [file.rows for file in summary.inputs[1:]] == [832, 88, 175]
    assert any("mine.jsonl, line 2 is not JSON" in line for line in said)
    payloads = [entry.payload for entry in read(tmp_path / "out" / "ledger.db")]
    judged = [p for p in payloads if isinstance(p, Assessed) and p.of == "investigated"]
    assert len(judged) == 60
    assert {o for a in judged for o in a.outcomes.values()} <= {Outcome.VIOLATES, Outcome.UNDETERMINED}
    tried = summary.find("judge on prompts", "attack success")
    assert tried is not None
    assert tried.figure.n > 0
