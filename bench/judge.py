"""`python -m bench.judge [--quick]`: what the shipped judge does, and what it costs.

The look-alikes (`bench/lookalikes.jsonl`) were written for measuring alone, by an author of whom nothing is learnt: harmless
texts in the manner of XSTest, and harmful ones beside them. Heads on sources they never saw are in `bench.heads`.
"""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import msgspec

from bench.report import main
from fairlead.encodings.encoding import ENCODINGS
from fairlead.judge.card import Judged, card
from fairlead.judge.cascade import EMBEDDINGS, NGRAMS, Judge
from fairlead.judge.encoder import Encoder
from fairlead.judge.heads import Heads
from fairlead.judge.refusal import refuses
from fairlead.judge.sources import SOURCES
from fairlead.measure.corpus import corpus
from fairlead.policy.core import CORE, ENCODER, HEADS
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.conversation import Conversation
from fairlead.records.figure import Figure
from fairlead.records.streams import stream
from fairlead.records.verdict import Outcome, Verdict
from fairlead.statistics.intervals import wilson

LOOKALIKES = Path(__file__).with_name("lookalikes.jsonl")
DATA = Path(__file__).parents[1].parent / "shared" / "data"
_SEED = 11
_WORDS = 60

# Run in a process of its own: what a gateway pays for its judge, imports included.
_LOAD = """
import pathlib, sys, time
started = time.perf_counter()
from fairlead.judge.cascade import Judge
from fairlead.policy.load import load
from fairlead.records.conversation import Conversation
policy, heads, encoder = map(pathlib.Path, sys.argv[1:])
judge = Judge.load(load(policy), heads, encoder)
judge.judge(Conversation.of("hello"))
seconds = time.perf_counter() - started
for number in range(40):
    judge.judge(Conversation.of(f"text {number} of a few words, to warm what is built on first use " * (1 + number)))
# Not getrusage: its peak is inherited from the parent through fork and exec.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
assert "torch" not in sys.modules and "scipy" not in sys.modules
print(seconds, int(peak.split()[1]) / 1024)
"""


class Text(msgspec.Struct, frozen=True):
    """A text of the look-alikes."""

    text: str
    violates: list[str]
    template: str
    unsure: list[str] = []


def run(quick: bool) -> list[Figure]:
    """All figures; those that need the shared data are left out, with a plain message, where these are absent."""
    policy = load(CORE)
    heads, encoder = Heads.load(HEADS), Encoder.load(ENCODER)
    judge = Judge(policy, heads, encoder)
    texts = [msgspec.json.decode(line, type=Text) for line in LOOKALIKES.read_text("utf-8").splitlines()]
    if quick:
        texts = stream(_SEED, "bench.judge", "quick").sample(texts, 200)
    harmful, harmless = [t.text for t in texts if t.violates], [t.text for t in texts if not t.violates]
    verdicts = judge.judge_many([Conversation.of(t.text) for t in texts])
    figures = [*lookalikes(texts, verdicts), *rules(texts, verdicts, policy, judge.producer)]
    figures += ablation(policy, heads, encoder, harmful, harmless)
    figures += disguised(judge, harmful[: 6 if quick else 120], harmless[: 6 if quick else 120])
    figures += cost(judge)
    if DATA.is_dir():
        figures += [*bulk(200 if quick else 3_000), *refusals(1_000 if quick else 6_160)]
    else:
        print("without ../shared/data bulk speed and refusals are not measured", file=sys.stderr)
    return figures


def lookalikes(texts: Sequence[Text], verdicts: Sequence[Verdict]) -> list[Figure]:
    """Withheld, and stopped without review: of the harmful, of the harmless, and of the harmless by template."""
    figures = []
    for name, bad in (("withheld", _withheld), ("stopped", _stopped)):
        for kind in ("harmful", "harmless"):
            hit = [bad(v) for t, v in zip(texts, verdicts, strict=True) if bool(t.violates) is (kind == "harmful")]
            figures.append(_share(f"{kind}.{name}", hit))
    for template in sorted({t.template for t in texts}):
        hit = [_withheld(v) for t, v in zip(texts, verdicts, strict=True) if t.template == template and not t.violates]
        figures.append(_share(f"harmless.withheld.{template}", hit))
    return figures


def rules(texts: Sequence[Text], verdicts: Sequence[Verdict], policy: Policy, producer: str) -> list[Figure]:
    """AUPRC and recall at 1 % false positives of each rule over all look-alikes, and their means."""
    figures: list[Figure] = []
    for rule in policy.text_rules:
        known = [(t, v) for t, v in zip(texts, verdicts, strict=True) if rule.id not in t.unsure]
        found = card(rule.id, [Judged.of(v, rule.id, rule.id in t.violates) for t, v in known], _SEED, producer)
        figures += [figure for figure in found if figure.name.endswith((".auprc", ".recall_at_1pct_fpr"))]
    for what in ("auprc", "recall_at_1pct_fpr"):
        values = [f.value for f in figures if f.name.endswith(what) and f.value is not None]
        figures.append(Figure(f"mean.{what}", sum(values) / len(values), n=len(values)))
    return figures


def ablation(policy: Policy, heads: Heads, encoder: Encoder, harmful: Sequence[str], harmless: Sequence[str]) -> list[Figure]:
    """Each stage more: what it withholds of the harmful and of the harmless, and its median milliseconds a text."""
    figures = []
    stages = (
        ("signatures", Judge(policy, None, None)),
        ("ngrams", Judge(policy, heads, None)),
        ("all", Judge(policy, heads, encoder)),
    )
    for name, judge in stages:
        for kind, texts in (("harmful", harmful), ("harmless", harmless)):
            found, seconds = _timed(judge, texts)
            hit = [_stopped(v) if name == "signatures" else _withheld(v) for v in found]
            figures.append(_share(f"ablation.{name}.{kind}", hit))
        figures.append(Figure(f"ablation.{name}.ms", 1e3 * median(seconds), "ms", n=len(seconds)))
    return figures


def disguised(judge: Judge, harmful: Sequence[str], harmless: Sequence[str]) -> list[Figure]:
    """For each encoding: the share withheld of harmful and of harmless texts in it, beside the share of the plain ones."""
    plain = {kind: _rate(judge, texts) for kind, texts in (("harmful", harmful), ("harmless", harmless))}
    figures = []
    for encoding in ENCODINGS:
        for kind, texts in (("harmful", harmful), ("harmless", harmless)):
            hit = [_withheld(judge.judge(Conversation.of(encoding.encode(text)))) for text in texts]
            figure = _share(f"disguised.{encoding.name}.{kind}", hit)
            figures.append(msgspec.structs.replace(figure, rival=plain[kind]))
    lost = [(f.rival or 0.0) - (f.value or 0.0) for f in figures if f.name.endswith(".harmful")]
    gained = [f.value or 0.0 for f in figures if f.name.endswith(".harmless")]
    return [
        *figures,
        Figure("disguised.most_lost", max(lost), n=len(lost)),
        Figure("disguised.most_harmless", max(gained), n=len(gained)),
    ]


def cost(judge: Judge) -> list[Figure]:
    """Milliseconds for texts of 60 words by the stage that decided; n-grams alone; loading and memory in a fresh process."""
    loaded = subprocess.run(
        [sys.executable, "-c", _LOAD, str(CORE), str(HEADS), str(ENCODER)], capture_output=True, check=True, text=True
    )
    seconds, mebibytes = map(float, loaded.stdout.split())
    figures = [Figure("load", seconds, "s", n=1), Figure("rss", mebibytes, "MiB", n=1)]
    near = (e.text for e in corpus(load(CORE)) if abs(len(e.text.split()) - _WORDS) <= _WORDS // 10)
    long = list(near)[:300]
    verdicts, took = _timed(judge, long)
    for stage, name in ((EMBEDDINGS, "embeddings"), (NGRAMS, "ngrams")):
        these = [t for v, t in zip(verdicts, took, strict=True) if (EMBEDDINGS in v.took) is (stage == EMBEDDINGS)]
        if these:
            figures.append(Figure(f"p50.{name}", 1e3 * median(these), "ms", n=len(these)))
    assert judge._heads is not None
    started = time.process_time()
    for text in long:
        judge._heads.first(judge._heads.logits(text))
    figures.append(Figure("rate.ngrams", len(long) / (time.process_time() - started), "texts/CPU-s", n=len(long)))
    return figures


def bulk(n: int) -> list[Figure]:
    """Texts a second in two processes over a mix of the shared sets."""
    draw, mixed = stream(_SEED, "bench.judge", "bulk"), []
    for source in SOURCES:
        rows = source.examples(DATA)
        mixed += [row.text for row in draw.sample(rows, min(len(rows), n // len(SOURCES) + 1))]
    halves = [mixed[0::2], mixed[1::2]]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_judge_all, [half[:5] for half in halves]))  # each process loads its judge
        started = time.perf_counter()
        alone = sum(pool.map(_judge_all, halves))
        seconds = time.perf_counter() - started
    return [
        Figure("bulk", len(mixed) / seconds, "texts/s", n=len(mixed)),
        Figure("bulk.without_embedding", alone / len(mixed), n=len(mixed)),
    ]


_JUDGE: list[Judge] = []


def _judge_all(texts: Sequence[str]) -> int:
    """Judges all, and says how many needed no embedding."""
    if not _JUDGE:
        _JUDGE.append(Judge.load(load(CORE), HEADS, ENCODER))
    return sum(EMBEDDINGS not in _JUDGE[0].judge(Conversation.of(text)).took for text in texts)


def refusals(n: int) -> list[Figure]:
    """The card of `refuses` on answers to jailbreaks that people labelled as complying or not."""
    rows = list(csv.DictReader(_open("gptfuzz_responses/train.csv.gz")))
    rows = stream(_SEED, "bench.judge", "refusals").sample(rows, n)
    wanted = (("refusal.found", "0", True), ("compliance.kept", "1", False))
    return [
        _share(name, [refuses(r["Response"]) is right for r in rows if r["label"] == label]) for name, label, right in wanted
    ]


def _open(path: str) -> Iterator[str]:
    with gzip.open(DATA / path, "rt", encoding="utf-8", newline="") as lines:
        yield from lines


def _timed(judge: Judge, texts: Sequence[str]) -> tuple[list[Verdict], list[float]]:
    verdicts, seconds = [], []
    for text in texts:
        started = time.perf_counter()
        verdicts.append(judge.judge(Conversation.of(text)))
        seconds.append(time.perf_counter() - started)
    return verdicts, seconds


def _rate(judge: Judge, texts: Sequence[str]) -> float:
    return sum(_withheld(judge.judge(Conversation.of(text))) for text in texts) / len(texts)


def _withheld(verdict: Verdict) -> bool:
    return verdict.outcome is not Outcome.ALLOWED


def _stopped(verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.VIOLATES


def _share(name: str, hit: Sequence[bool]) -> Figure:
    if not hit:
        return Figure(name, None)
    low, high = wilson(sum(hit), len(hit))
    return Figure(name, sum(hit) / len(hit), low=low, high=high, n=len(hit))


if __name__ == "__main__":
    main("judge", run)
