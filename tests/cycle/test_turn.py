"""A whole turn, small: every number can be traced and computed again, the poison is refused, the same seed gives the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.basin import data
from fairlead.cycle import report
from fairlead.cycle.judging import judge_card
from fairlead.cycle.settings import QUICK, Extent, Settings
from fairlead.cycle.summary import Summary, Traced, last_turn
from fairlead.cycle.turn import turn
from fairlead.ledger.log import read, verify
from fairlead.policy.core import CORE
from fairlead.records.entry import Assessed, Attacked, Decided, Entry, PromotionDecided, StageEnded, TurnStarted
from fairlead.records.figure import Figure
from fairlead.records.verdict import Outcome
from fairlead.redteam.campaign import rates

SHARED = Path(__file__).parents[3] / "shared" / "data"
TINY = Extent(
    "tiny",
    replace(data.QUICK, layers=1, width=16, pretraining=8 * 64, safety=4 * 64, per_cell=4),
    labelled=150,
    prompts=16,
    held_out=60,
    attacked=8,
)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Summary]]:
    """The one-minute turn."""
    out = tmp_path_factory.mktemp("quick")
    yield out, turn(Settings(out, CORE, extent=QUICK), print)


def entries(out: Path) -> list[Entry]:
    return list(read(out / "ledger.db"))


def behind(traced: Traced, log: list[Entry]) -> list[object]:
    return [e.payload for first, last in traced.because for e in log[first : last + 1]]


def test_the_ledger_is_whole_and_every_stage_ended_well(quick: tuple[Path, Summary]) -> None:
    out, _ = quick
    assert verify(out / "ledger.db").whole
    stages = [e.payload for e in entries(out) if isinstance(e.payload, StageEnded)]
    assert [s.stage for s in stages] == ["basin", "judge", "guard", "attack", "investigate", "improve", "report"]
    assert all(s.error is None for s in stages)


def test_the_basin_learns_and_fine_tuning_lowers_harmful_compliance(quick: tuple[Path, Summary]) -> None:
    _, summary = quick
    base, aligned = (summary.find(name, "attack success") for name in ("basin-base", "basin-sft"))
    assert base is not None
    assert aligned is not None
    assert (base.figure.low or 0) > 0.6
    assert (aligned.figure.high or 1) < (base.figure.low or 0)
    families = {t.subject.split("|")[1] for t in summary.under("basin-sft", "attack success")}
    assert families >= {"role-play", "hypothetical", "incremental", "obfuscation", "injection"}
    members = [
        m.subject for f in summary.under("basin-sft", "attack success") for m in summary.under(f.subject, "attack success")
    ]
    for family in families - {"plain"}:
        assert {"held out" in m for m in members if m.startswith(f"basin-sft|{family}|")} == {True, False}


def test_clients_of_every_tier_got_what_the_traffic_file_expects(quick: tuple[Path, Summary]) -> None:
    out, summary = quick
    decided = [e.payload for e in entries(out) if isinstance(e.payload, Decided)]
    requests = summary.find("guard", "requests")
    assert requests is not None
    assert len(decided) == requests.figure.value, "one decision a request"
    assert {d.tier for d in decided} >= {"public", "verified", "trusted", "internal"}
    assert {d.action for d in decided} >= {"allow", "block", "safe_complete", "refuse"}
    assert {d.cause for d in decided} >= {"rule", "quota", "key"}
    assert any(d.streamed for d in decided)


def test_the_poisoned_dataset_is_refused(quick: tuple[Path, Summary]) -> None:
    out, _ = quick
    decisions = [e.payload for e in entries(out) if isinstance(e.payload, PromotionDecided)]
    assert len(decisions) == 2
    assert not decisions[1].promoted
    assert any("missed" in reason for reason in decisions[1].reasons)
    assert all(decision.reasons for decision in decisions)


def test_attack_rates_and_cards_can_be_computed_again_from_the_entries_they_name(quick: tuple[Path, Summary]) -> None:
    out, summary = quick
    log, recomputed = entries(out), 0
    cards: dict[object, dict[str, Figure]] = {}
    for traced in summary.traced:
        payloads = behind(traced, log)
        group = traced.subject.split("|")[1:]
        attacks = [p for p in payloads if isinstance(p, Attacked) and p.family != "skill"]
        attacks = [p for p in attacks if len(group) < 1 or p.family == group[0]]
        attacks = [p for p in attacks if len(group) < 2 or p.member == group[1].removesuffix(" (held out)")]
        assessed = [p for p in payloads if isinstance(p, Assessed)]
        if assessed and traced.because not in cards:
            cards[traced.because] = {f.name: f for f in judge_card(assessed, 0)}
        if attacks or assessed:
            again = {f.name: f for f in rates(attacks, traced.figure.judge)} | cards.get(traced.because, {})
            assert again[traced.figure.name] == traced.figure, traced
            recomputed += 1
    assert recomputed > 100


def test_every_number_of_the_report_stands_in_the_ledger(quick: tuple[Path, Summary]) -> None:
    out, _ = quick
    page = (out / "report.html").read_text()
    log = entries(out)
    shown = re.findall(r'data-entry="(\d+)">([\d.]+)(%?)', page)
    assert len(shown) > 80
    for seq, value, percent in shown:
        figure = log[int(seq)].payload.figure  # type: ignore[union-attr]
        assert float(value) == pytest.approx(figure.value * (100 if percent else 1), abs=0.051 if percent else 1e-9)
        assert f'id="e{seq}"' in page, "the link leads to the entry's row"
    assert not re.search(r'(src|href)="(https?:)?//', page), "the page holds everything it shows"
    assert "<svg" in page


def test_the_report_is_made_from_the_ledger_alone(quick: tuple[Path, Summary], tmp_path: Path) -> None:
    out, summary = quick
    again = last_turn(read(out / "ledger.db"))
    assert again.canonical_figures() == summary.canonical_figures()
    report.write(tmp_path / "again.html", out / "ledger.db", again)
    assert (tmp_path / "again.html").stat().st_size == pytest.approx((out / "report.html").stat().st_size, rel=0.05)


def test_entries_hold_no_text_of_prompts_or_traffic(quick: tuple[Path, Summary]) -> None:
    out, _ = quick
    raw = b"".join(path.read_bytes() for path in out.glob("ledger.db*"))
    for name in ("prompts-1", "prompts-2", "traffic", "reviewed-1", "heldout-1"):
        for line in (CORE.parents[1] / "src" / "fairlead" / "samples" / f"{name}.jsonl").read_text().splitlines():
            text = json.loads(line).get("text") or ""
            assert len(text) < 20 or text.encode() not in raw


def test_the_same_seed_gives_the_same_numbers_and_a_second_turn_goes_into_the_same_ledger(tmp_path: Path) -> None:
    first = turn(Settings(tmp_path, CORE, seed=3, extent=TINY), print)
    second = turn(Settings(tmp_path, CORE, seed=3, extent=TINY), print)
    assert first.canonical_figures() == second.canonical_figures()
    assert [g for _, g in first.gates] == [g for _, g in second.gates]
    assert [m.digest for _, m in first.models] == [m.digest for _, m in second.models]
    log = entries(tmp_path)
    assert sum(isinstance(e.payload, TurnStarted) for e in log) == 2
    assert verify(tmp_path / "ledger.db").whole


def test_an_endpoint_that_is_down_is_an_error_and_never_safe(tmp_path: Path) -> None:
    summary = turn(Settings(tmp_path, CORE, extent=TINY, upstream="http://127.0.0.1:9"), print)
    decided = [e.payload for e in entries(tmp_path) if isinstance(e.payload, Decided)]
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
    judged = [
        e.payload for e in entries(tmp_path / "out") if isinstance(e.payload, Assessed) and e.payload.of == "investigated"
    ]
    assert len(judged) == 60
    assert {o for a in judged for o in a.outcomes.values()} <= {Outcome.VIOLATES, Outcome.UNDETERMINED}
    tried = summary.find("judge on prompts", "attack success")
    assert tried is not None
    assert tried.figure.n > 0
