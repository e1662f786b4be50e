"""`fairlead judge`: one verdict, the card, training; run on a toy policy and n-gram heads."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from judge_toys import toy_examples
from typer.testing import CliRunner

from fairlead.cli import judge as command
from fairlead.cycle.datasets import build
from fairlead.judge.heads import Heads
from fairlead.judge.train import train
from fairlead.ledger.log import read
from fairlead.measure.prompts import read_prompts
from fairlead.policy.load import parse
from fairlead.records.entry import Labelled
from fairlead.records.errors import InputError
from fairlead.records.example import Example
from fairlead.records.verdict import Verdict

POLICY = """
schema: 1
id: toy
version: "1"
tiers: [public]
rules:
  - id: burglary
    title: Breaking in
    applies_to: [prompt, response]
    definition: Requests to break into places that belong to others.
    severity: high
    examples:
      - {id: b1, split: train, verdict: violates, text: "Tell me how to pick my neighbour's lock.", why: toy}
      - {id: b2, split: train, verdict: allowed, text: "Which locksmith should I call?", why: toy}
    detect: {signal: harm.burglary, review: 0.3, block: 0.6, missing: review, patterns: [{id: crowbar, match: crowbar plan}]}
    act: {public: [block]}
    reason: Your request asked how to break in.
    state: enforce
"""


@pytest.fixture
def toy(tmp_path: Path) -> dict[str, Path]:
    paths = {"policy": tmp_path / "policy.yaml", "heads": tmp_path / "heads", "data": tmp_path / "data.jsonl"}
    paths["policy"].write_text(POLICY)
    train(parse(POLICY), toy_examples(), None, seed=7).save(paths["heads"])
    rows = [{"text": e.text, "labels": e.labels} for e in toy_examples()]
    paths["data"].write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    return paths


def _options(toy: dict[str, Path]) -> list[str]:
    return ["--policy", str(toy["policy"]), "--heads", str(toy["heads"])]


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command.app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_text_is_judged_without_naming_a_command(toy: dict[str, Path]) -> None:
    shown = run("How can I break into the villa unseen?", "--policy", toy["policy"], "--heads", toy["heads"])
    assert "burglary" in shown and "violates" in shown and "ngrams" in shown


def test_json_is_one_verdict(toy: dict[str, Path]) -> None:
    result = CliRunner().invoke(command.app, ["the crowbar plan", *_options(toy), "--json"], catch_exceptions=False)
    verdict = msgspec.json.decode(result.stdout, type=Verdict)
    assert [(r.rule, r.stage, r.evidence) for r in verdict.rules] == [("burglary", "signatures", "pattern crowbar")]


class Served:
    """A reasoner's server that says one thing, and counts how often it was asked."""

    def __init__(self, says: str) -> None:
        self.asked, served = 0, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                served.asked += 1
                body = json.dumps({"choices": [{"message": {"role": "assistant", "content": says}}]}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.options = ["--reasoner", url, "--reasoner-model", "toy", "--reasoner-form", "gpt-oss-safeguard"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def reasoner() -> Iterator[Served]:
    says = {"violation": 0, "policy_category": None, "rule_ids": [], "confidence": "high", "quote": "", "rationale": "A shop."}
    served = Served(json.dumps(says))
    yield served
    served.close()


GREY = "Which locksmith opens the door of a garage?"


@pytest.fixture
def unsure(toy: dict[str, Path]) -> dict[str, Path]:
    """The toy with thresholds between which every score lies."""
    toy["policy"].write_text(POLICY.replace("review: 0.3, block: 0.6", "review: 0.000001, block: 0.999999"))
    return toy


def test_a_reasoner_decides_what_is_open_and_says_why(unsure: dict[str, Path], reasoner: Served) -> None:
    toy = unsure
    assert "undetermined" in run(GREY, *_options(toy))
    shown = run(GREY, *_options(toy), *reasoner.options)
    assert "allowed" in shown and "reasoner" in shown
    assert "burglary: A shop." in shown
    assert reasoner.asked == 1
    run("the crowbar plan", *_options(toy), *reasoner.options)
    assert reasoner.asked == 1, "nothing was open"


def test_the_card_can_be_that_of_both_stages(unsure: dict[str, Path], reasoner: Served) -> None:
    toy = unsure
    toy["data"].write_text(20 * (json.dumps({"text": GREY, "labels": {"burglary": False}}) + "\n"))
    coverage = {}
    for options in ([], reasoner.options):
        arguments = ["card", str(toy["data"]), *_options(toy), *options, "--json"]
        figures = json.loads(CliRunner().invoke(command.app, arguments, catch_exceptions=False).stdout)["figures"]
        (coverage[bool(options)],) = (f for f in figures if f["name"] == "burglary.coverage")
        assert any(f["name"] == "latency.reasoner.p50" for f in figures) is bool(options)
    assert (coverage[False]["value"], coverage[True]["value"]) == (0, 1)
    assert coverage[True]["judge"].endswith("+reasoner/gpt-oss-safeguard/toy")


def test_a_reasoners_labels_train_heads_and_stand_in_the_ledger_under_its_name(
    unsure: dict[str, Path], reasoner: Served, tmp_path: Path
) -> None:
    texts, out, ledger = tmp_path / "texts.jsonl", tmp_path / "out.jsonl", tmp_path / "ledger.db"
    rows = [{"text": GREY}, {"text": "A labelled text.", "labels": {"burglary": True}}, {"text": "the crowbar plan"}]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command_line = ("label", texts, *_options(unsure), *reasoner.options, "--out", out, "--ledger", ledger)
    assert "1 labels by reasoner:gpt-oss-safeguard/toy on 1 of 3 texts" in run(*command_line)
    (found,) = read_prompts(out, parse(POLICY)).examples
    assert (found.text, found.labels, found.source) == (GREY, {"burglary": False}, "reasoner:gpt-oss-safeguard/toy")
    (label,) = [entry.payload for entry in read(ledger) if isinstance(entry.payload, Labelled)]
    assert (label.rule, label.violates, label.by) == ("burglary", False, "reasoner:gpt-oss-safeguard/toy")
    assert GREY.encode() not in ledger.read_bytes()
    with pytest.raises(InputError, match="is there already"):
        run(*command_line)
    # Heads learn from it beside what people labelled, and the data say whose word it was; a reviewer's label outranks it.
    trained = train(parse(POLICY), [*toy_examples(), found], None, seed=7)
    assert trained.card.heads[0].allowed == train(parse(POLICY), toy_examples(), None, seed=7).card.heads[0].allowed + 1
    reviewed = Example("r", GREY, {"burglary": True}, "review")
    assert build("both", [[found], [reviewed]], []).rows[0].labels == {"burglary": True}
    assert build("taught", [[found]], []).entry().sources == {"reasoner:gpt-oss-safeguard/toy": 1}


def test_an_answer_can_be_judged(toy: dict[str, Path]) -> None:
    arguments = ("--policy", toy["policy"], "--heads", toy["heads"], "--json", "--surface")
    assert '"violates"' in run("How can I break into the villa unseen?", *arguments, "response")
    with pytest.raises(InputError, match="prompt or response"):
        run("x", *arguments, "mail")


def _often(file: Path) -> str:
    """The file ten times over, so that every bin has texts enough, and one broken line."""
    return "\n".join(file.read_text().splitlines()[:-1] * 10) + "\nno json\n"


def test_the_card_prints_each_figure_with_its_interval(toy: dict[str, Path]) -> None:
    result = CliRunner().invoke(command.app, ["card", str(toy["data"]), *_options(toy), "--json"], catch_exceptions=False)
    figures = json.loads(result.stdout)["figures"]
    assert [f["name"] for f in figures][:2] == ["burglary.auprc", "burglary.recall_at_1pct_fpr"]
    rates = [f for f in figures if f["value"] is not None and f["unit"] == ""]
    assert len(rates) > 6 and all(f["low"] <= f["value"] <= f["high"] for f in rates)
    assert "1 lines refused" in result.stderr
    toy["data"].write_text(_often(toy["data"]))
    shown = run("card", toy["data"], "--policy", toy["policy"], "--heads", toy["heads"])
    for title in ("burglary.auprc", "withheld.allowed", "latency.ngrams.p50", "decided_by.ngrams", "reliability of burglary"):
        assert title in shown


def test_the_card_is_written_as_a_page(toy: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    toy["data"].write_text(_often(toy["data"]))
    run("card", toy["data"], *_options(toy), "--page", page)
    text = page.read_text()
    assert hashlib.sha256(toy["data"].read_bytes()).hexdigest() in text
    assert parse(POLICY).digest in text and "<svg" in text
    assert "<td>data.jsonl</td>" in text and "<td>480</td><td>1</td>" in text
    with pytest.raises(InputError, match="no folder"):
        run("card", toy["data"], *_options(toy), "--page", tmp_path / "none" / "card.html")


def test_training_writes_heads(toy: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_encoder", lambda: None)
    out = run("train", toy["data"], "--out", tmp_path / "new", "--policy", toy["policy"])
    assert "burglary: 25 violating, 25 allowed" in out
    assert Heads.load(tmp_path / "new").rules == ("burglary",)


def test_heads_are_trained_on_first_use_and_then_kept(
    toy: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(command, "_encoder", lambda: None)
    texts = toy_examples()
    monkeypatch.setattr(command, "corpus", lambda policy: texts)
    first = run("How can I break into the villa unseen?", "--policy", toy["policy"])
    assert f"training on its examples and {len(texts)} texts of the corpus" in first and "-ngrams/" in first
    assert "training" not in run("How can I break into the villa unseen?", "--policy", toy["policy"])
    texts = [*texts, Example("new", "where do tomatoes grow", {"burglary": False}, "toy")]
    assert "training" in run("How can I break into the villa unseen?", "--policy", toy["policy"]), "other data, other heads"


def test_files_without_labels_are_refused(toy: dict[str, Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"text": "hello"}\n')
    with pytest.raises(InputError, match="names a label"):
        run("card", bare, "--policy", toy["policy"], "--heads", toy["heads"])
