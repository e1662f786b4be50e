"""What a turn trains on and measures on, and the wall between the two.

An example, its transforms and its benign twin are one group, and a group lies on one side of the wall. Training text that
equals a text kept for evaluation, or shares most of its word triples with one, is dropped and counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from fairlead.cycle.settings import Settings
from fairlead.measure.gates import policy_tests
from fairlead.measure.prompts import Prompts, read_prompts
from fairlead.measure.samples import packaged
from fairlead.policy.document import Policy
from fairlead.records.canonical import canonical, digest
from fairlead.records.entry import DatasetBuilt
from fairlead.records.example import Example, Reference, normal
from fairlead.records.streams import key
from fairlead.review.reviewed import Reviewed, read_reviewed

NEAR = 0.5
_WORD = re.compile(r"\w+")


class Material(Struct, frozen=True):
    """Everything a turn reads.

    `labelled` and what is found in `probed` may reach training; `measured` and `held_out` never do.
    """

    labelled: tuple[Example, ...]
    probed: tuple[Example, ...]
    measured: tuple[Example, ...]
    held_out: tuple[Example, ...]
    reviewed: tuple[Reviewed, ...]
    files: tuple[Prompts, ...]

    @property
    def evaluation(self) -> tuple[Example, ...]:
        """What training must never see."""
        return self.measured + self.held_out


class Dataset(Struct, frozen=True):
    """Rows to train on, without those that were dropped. Their texts are in memory only."""

    name: str
    rows: tuple[Example, ...]
    dropped: dict[str, int]

    @property
    def digest(self) -> str:
        """SHA-256 over the references: the texts are those that they lead to."""
        return digest(self.references)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The rows without their texts, and not in the order of these."""
        rows = sorted(self.rows, key=lambda row: row.id)
        return tuple(Reference(row.id, row.at, row.labels, row.source, row.split) for row in rows)

    def entry(self) -> DatasetBuilt:
        """What the ledger keeps of it."""
        sources = dict(Counter(row.source for row in self.rows))
        accounts = tuple(sorted({account for row in self.rows for account in row.accounts}))
        return DatasetBuilt(self.name, self.digest, len(self.rows), sources, self.dropped, accounts)

    def save(self, folder: Path) -> Path:
        """Write the references as JSONL under the name of their digest. Raises ValueError for a row that leads nowhere."""
        if lost := [row.id for row in self.rows if not row.at]:
            raise ValueError(f"row {lost[0]} does not say where its text is kept")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.digest[:12]}.jsonl"
        path.write_bytes(b"".join(canonical(reference) + b"\n" for reference in self.references))
        return path


def gather(settings: Settings, policy: Policy) -> Material:
    """Read the packaged samples and the files that were named. Raises InputError when one cannot be used."""
    extent, seed = settings.extent, settings.seed
    files = [read_prompts(path, policy) for path in settings.prompts]
    files = files or [read_prompts(path, policy) for path in packaged("prompts")]
    # A file that is named twice has the same ids twice.
    prompts = _drawn(list({e.id: e for file in files for e in file.examples}.values()), extent.prompts, seed)
    mine = [_fold(example) for example in prompts]
    return Material(
        labelled=tuple(_drawn(_packaged("labelled", policy), extent.labelled, seed)),
        probed=tuple(e for e, fold in zip(prompts, mine, strict=True) if fold),
        measured=tuple(e for e, fold in zip(prompts, mine, strict=True) if not fold),
        held_out=tuple(_drawn([*_packaged("heldout", policy), *policy_tests(policy)], extent.held_out, seed)),
        reviewed=tuple(row for path in packaged("reviewed") for row in read_reviewed(path)),
        files=tuple(files),
    )


def build(name: str, parts: Iterable[Sequence[Example]], evaluation: Iterable[Example]) -> Dataset:
    """Join the parts into one dataset; what repeats or comes too near to evaluation text is dropped, with its reason."""
    wall = Wall(evaluation)
    rows: dict[str, Example] = {}
    dropped: Counter[str] = Counter()
    for example in (example for part in parts for example in part):
        reason = wall.reason(example)
        text = normal(example.text)
        if reason is None and text in rows and rows[text].labels == example.labels:
            reason = "repeated"
        if reason is not None:
            dropped[reason] += 1
        elif text in rows:
            rows[text] = _merged(rows[text], example)
        else:
            rows[text] = example
    return Dataset(name, tuple(rows[text] for text in sorted(rows)), dict(sorted(dropped.items())))


def _merged(first: Example, second: Example) -> Example:
    """One text with two sets of labels: the later word stands, so a reviewer's label overrides what a file said."""
    accounts = tuple(dict.fromkeys(first.accounts + second.accounts))
    return replace(first, labels={**first.labels, **second.labels}, source=second.source, accounts=accounts)


class Wall:
    """Tells whether a text may be trained on, given all texts kept for evaluation."""

    def __init__(self, evaluation: Iterable[Example]) -> None:
        self._groups: set[str] = set()
        self._texts: set[str] = set()
        self._holders: defaultdict[str, set[int]] = defaultdict(set)
        for number, example in enumerate(evaluation):
            self._groups.add(group(example))
            self._texts.add(normal(example.text))
            for triple in triples(example.text):
                self._holders[triple].add(number)

    def reason(self, example: Example) -> str | None:
        """Why the example must not be trained on, None when it may be."""
        if example.split in ("dev", "test"):
            return f"marked {example.split}"
        if group(example) in self._groups:
            return "in a group kept for evaluation"
        if normal(example.text) in self._texts:
            return "equal to evaluation text"
        found = triples(example.text)
        shared = Counter(number for triple in found for number in self._holders.get(triple, ()))
        if found and max(shared.values(), default=0) >= NEAR * len(found):
            return "near evaluation text"
        return None


def group(example: Example) -> str:
    """What an example shares with its transforms and its benign twin."""
    return example.group or example.id


def triples(text: str) -> frozenset[str]:
    """The runs of three words; of a shorter text, all its words together."""
    words = normal(text).split()
    if len(words) < 3:
        return frozenset({" ".join(words)})
    return frozenset(" ".join(words[i : i + 3]) for i in range(len(words) - 2))


def _fold(example: Example) -> bool:
    """Which half of the input an example belongs to: a matter of its group alone, so that no seed moves it across the wall."""
    return key(0, "half of the input", group(example)) % 2 == 0


def _drawn(examples: Sequence[Example], most: int, seed: int) -> list[Example]:
    """At most `most` of the examples, the same ones for the same seed, in their order."""
    ranked = sorted(range(len(examples)), key=lambda i: key(seed, "drawn", examples[i].id))
    return [examples[i] for i in sorted(ranked[:most])]


def _packaged(name: str, policy: Policy) -> list[Example]:
    return [example for path in packaged(name) for example in read_prompts(path, policy).examples]
