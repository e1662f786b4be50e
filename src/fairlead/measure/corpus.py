"""What the shipped heads are trained on: the corpus in our own words, and public sets from a folder."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from fairlead.judge import sources
from fairlead.judge.near import near_groups
from fairlead.judge.sources import SOURCES
from fairlead.measure.prompts import read_prompts
from fairlead.measure.samples import packaged
from fairlead.policy.core import CORE, CORPUS
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.errors import InputError
from fairlead.records.example import Example
from fairlead.records.streams import stream

_DATA = Path(sources.__file__).with_name("data.toml")
#: Texts taken of one set: of those that violate nothing, and of the others. More would only make its style louder.
_MOST = 2_500


def corpus(policy: Policy) -> list[Example]:
    """The corpus beside the default policy. Each author is a source, since each has a style.

    It was labelled under core: a rule that the policy lacks, or gives another meaning, gets no label from it.
    """
    core = load(CORE)
    same = {rule.id for rule in policy.text_rules} & {rule.id for rule in core.text_rules}
    same = {rule for rule in same if policy.rule(rule).meaning == core.rule(rule).meaning}
    found: list[Example] = []
    for path in sorted(CORPUS.glob("*.jsonl")) if same else ():
        source = f"corpus:{path.stem.rpartition('.')[2]}"
        for example in read_prompts(path, core).examples:
            labels = {rule: label for rule, label in example.labels.items() if rule in same}
            found.append(replace(example, labels=labels, source=source))
    return found


def public(data: Path, seed: int = 0) -> list[Example]:
    """The public sets that are found under `data`, at most `_MOST` texts of each kind from each set.

    Raises InputError when none is there.
    """
    found: list[Example] = []
    for source in SOURCES:
        rows = source.examples(data)
        harmful = [bool(row.one_of) or any(row.labels.values()) for row in rows]
        for kind in (True, False):
            these = [row for row, is_harmful in zip(rows, harmful, strict=True) if is_harmful is kind]
            draw = stream(seed, "corpus", source.name, str(kind))
            found += these if len(these) <= _MOST else draw.sample(these, _MOST)
    if not found:
        raise InputError(f"no public set in {data}; `judge/data.toml` names them and where each file belongs")
    return found


def evaluation(policy: Policy) -> list[str]:
    """Texts that are never learnt from, nor anything nearly the same: the policy's dev and test, and the held-out samples."""
    held = [e.text for rule in policy.rules for e in rule.examples if e.split != "train"]
    return held + [example.text for path in packaged("heldout") for example in read_prompts(path, policy).examples]


def clean(examples: Sequence[Example], kept_apart: Sequence[str]) -> list[Example]:
    """Without texts that nearly equal one of `kept_apart`; of texts nearly the same, with equal labels, only the first."""
    groups = near_groups([*(example.text for example in examples), *kept_apart])
    barred = set(groups[len(examples) :].tolist())
    first: dict[object, Example] = {}
    for example, group in zip(examples, groups.tolist(), strict=False):
        if group not in barred:
            first.setdefault((group, tuple(sorted(example.labels.items())), example.one_of), example)
    return list(first.values())


def strangers(data: Path) -> Iterable[str]:
    """The files under `data` that are not, byte for byte, what the shipped heads were trained on; and those that lack."""
    for named in tomllib.loads(_DATA.read_text("utf-8")).values():
        for file in named["files"]:
            path = data / file["path"]
            if not path.exists():
                yield f"{file['path']} is not there"
            elif hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() != file["sha256"]:
                yield f"{file['path']} differs"
