"""How much is found in labelled texts, and how much in texts that hold nothing. `pytest -s` prints the figures.

The labelled texts are synthetic (names, addresses and numbers put into templates, of many countries at once), and some patterns
were widened after a look at what was missed in them: the figures are not those of unseen text.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.personal.find import find

SHARED = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here: nothing to measure on")
# What the set calls it, what we call it, and the least share that must be covered.
LABELS = {
    "CREDIT_CARD": ("card", 0.97), "EMAIL_ADDRESS": ("email", 1.0), "IBAN_CODE": ("iban", 1.0), "US_SSN": ("national_id", 1.0),
    "IP_ADDRESS": ("ip", 1.0), "US_DRIVER_LICENSE": ("driver_licence", 0.8), "PHONE_NUMBER": ("phone", 0.85),
    "STREET_ADDRESS": ("address", 0.1),
}  # fmt: skip


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def lines(name: str) -> Iterator[Any]:
    for file in sorted((SHARED / name).glob("*.gz")):
        content = gzip.decompress(file.read_bytes()).decode()
        yield from map(json.loads, content.splitlines() if ".jsonl" in file.name else [content])


def test_most_labelled_data_are_covered_and_what_is_found_is_labelled() -> None:
    labelled, covered, found, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for row in lines("presidio_pii"):
        text, spans = row["full_text"], find(row["full_text"])
        masked = {i for span in spans for i in range(span.start, span.end)}
        for label in row["spans"]:
            at = range(label["start_position"], label["end_position"])
            labelled[label["entity_type"]] += 1
            covered[label["entity_type"]] += all(i in masked for i in at if text[i].isalnum())
        for span in spans:
            found[span.kind] += 1
            right[span.kind] += any(
                span.start < label["end_position"] and label["start_position"] < span.end for label in row["spans"]
            )
    for label, (kind, _) in LABELS.items():
        print(
            f"{label} ({kind}): {covered[label]} of {labelled[label]} covered; {right[kind]} of {found[kind]} found are right"
        )
    assert [label for label, (_, least) in LABELS.items() if covered[label] < least * labelled[label]] == []
    assert right.total() >= 0.99 * found.total()


def test_next_to_nothing_is_found_in_requests_that_hold_nothing() -> None:
    """Requests, questions and stories: what is found is a token in a link to a source, and that is one."""
    harmless = {text for name in ("clinc_oos", "bbq", "cse_frr") for text in texts(list(lines(name)))}
    wrong = [text for text in harmless if find(text)]
    print(f"{len(wrong)} of {len(harmless)} harmless texts ({sum(map(len, harmless))} characters) with something found")
    assert len(harmless) > 20_000
    assert len(wrong) <= 3
