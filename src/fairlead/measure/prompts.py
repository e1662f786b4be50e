"""Prompts that people bring: JSONL or CSV, labelled or not, plain or gzipped, in the columns that the public sets use.

A broken line is reported with its number and the rest goes on. A label that a file does not decide is unknown, never "allowed".
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from fairlead.policy.document import Policy
from fairlead.records.errors import InputError
from fairlead.records.example import Example

# Columns that hold the text, in the order in which they are looked for. Those of the public sets are among them.
TEXT_COLUMNS = (
    "text", "prompt", "prompt_text", "forbidden_prompt", "Behavior", "Goal", "test_case", "prompts_final", "Request",
    "user_input", "mutated_prompt", "test_case_prompt", "instruction", "question", "tweet", "data", "chosen",
)  # fmt: skip
# Names go into the ledger, so they are those that we write, and no more.
_REASONER = re.compile(r"reasoner:[\w.:+/-]{1,100}", re.ASCII)
_LONGEST_TEXT = 100_000
_LONGEST_NAME = 40  # of a language or dialect; what is longer is no name
_LONGEST_FILE = 512 * 1024 * 1024

csv.field_size_limit(4 * _LONGEST_TEXT)


class BadLine(Struct, frozen=True):
    """A line that could not be taken, by its number (1-based), and why."""

    number: int
    why: str


class Spoken(Struct, frozen=True):
    """What a file says of a text's language and dialect, in lower case; empty where it says nothing."""

    language: str = ""
    dialect: str = ""


class Prompts(Struct, frozen=True):
    """What a file held. `digest` is SHA-256 over its bytes; `spoken` is by the example's id, where the file says anything."""

    name: str
    digest: str
    examples: tuple[Example, ...]
    refused: tuple[BadLine, ...]
    spoken: dict[str, Spoken] = {}


def read_prompts(path: Path, policy: Policy) -> Prompts:
    """Read one file. A JSONL line is a string, or an object with the text under one of `TEXT_COLUMNS`.

    An example's id is the file's digest and the line's number. An `id` in the file is not read: two files may count from 1,
    one may repeat itself, and an id that somebody chose can say more than the ledger should hold.

    `by: reasoner:NAME` says that a model gave the labels, and is then their source in place of the file's name. Labels, the
    first that is there: `labels: {RULE: true|false}`; `rule: RULE` with `verdict: violates|allowed` (`allowed`
    without a rule means every rule); `hazard: CODE` of MLCommons, through the policy's `maps`; `label: safe`, every rule.
    `language` (or `speaking_language`) and `dialect` stand in `spoken`.
    Raises InputError when the file cannot be read at all or holds no usable line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a JSONL or CSV file") from error
    try:
        data = _unpacked(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} looks gzipped but cannot be unpacked: {error}") from error
    digest = hashlib.sha256(raw).hexdigest()
    rows = _csv_rows(data) if path.name.removesuffix(".gz").endswith(".csv") else _jsonl_rows(data)
    taxonomy = _Taxonomy.of(policy)
    examples: list[Example] = []
    refused: list[BadLine] = []
    spoken: dict[str, Spoken] = {}
    for number, row in rows:
        taken = row if isinstance(row, BadLine) else _example(row, number, digest, path.name, taxonomy)
        if isinstance(taken, BadLine):
            refused.append(taken)
        else:
            examples.append(taken)
            if (said := _spoken(row)) != Spoken():
                spoken[taken.id] = said
    if not examples:
        first = f"; the first trouble is line {refused[0].number}: {refused[0].why}" if refused else ""
        raise InputError(f"{path} holds no usable prompt{first}; write JSONL with a `text` a line, or a CSV with a header")
    return Prompts(path.name, digest, tuple(examples), tuple(refused), spoken)


def _unpacked(raw: bytes) -> bytes:
    """Unpack with a bound, so that a small file cannot fill the memory."""
    with gzip.open(io.BytesIO(raw)) as stream:
        data = stream.read(_LONGEST_FILE + 1)
    if len(data) > _LONGEST_FILE:
        raise OSError(f"more than {_LONGEST_FILE} bytes unpacked")
    return data


def _jsonl_rows(data: bytes) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            yield number, BadLine(number, f"is not UTF-8 at byte {error.start}")
        except (ValueError, RecursionError) as error:
            yield number, BadLine(number, f"is not JSON: {error}")


def _csv_rows(data: bytes) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", errors="replace"), newline=""), strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, BadLine(reader.line_num, f"is not CSV: {error}")
            continue
        if "\ufffd" in "".join(str(v) for v in row.values()):
            yield reader.line_num, BadLine(reader.line_num, "is not UTF-8")
        elif None in row or None in row.values():
            yield reader.line_num, BadLine(reader.line_num, "has another number of fields than the header")
        else:
            yield reader.line_num, row


def _example(row: Any, number: int, digest: str, source: str, taxonomy: _Taxonomy) -> Example | BadLine:
    fields = {"text": row} if isinstance(row, str) else row
    if not isinstance(fields, dict):
        return BadLine(number, f"is a JSON {type(row).__name__}; write an object with a `text`")
    column = next((c for c in TEXT_COLUMNS if c in fields), None)
    if column is None:
        return BadLine(number, f"has no text; one of these columns is needed: {', '.join(TEXT_COLUMNS[:5])}, …")
    text = fields[column]
    if not isinstance(text, str) or not text.strip():
        return BadLine(number, f"`{column}` is empty or no text")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return BadLine(number, f"`{column}` holds half of a character (a lone surrogate)")
    if len(text) > _LONGEST_TEXT:
        return BadLine(number, f"`{column}` has {len(text)} characters; at most {_LONGEST_TEXT} are read")
    labels = _labels(fields, taxonomy)
    if isinstance(labels, str):
        return BadLine(number, labels)
    by = fields.get("by")
    source = by if isinstance(by, str) and _REASONER.fullmatch(by) else source
    id, at, group = f"{digest[:8]}:{number}", f"file:{digest}#{number}", str(fields.get("group") or "")
    return Example(id, text, labels, source=source, group=group, at=at)


def _spoken(row: Any) -> Spoken:
    if not isinstance(row, dict):
        return Spoken()
    return Spoken(_name(row.get("language")) or _name(row.get("speaking_language")), _name(row.get("dialect")))


def _name(value: Any) -> str:
    """A name as it is compared with others; empty where there is none."""
    return value.strip().casefold() if isinstance(value, str) and len(value) <= _LONGEST_NAME else ""


class _Taxonomy(Struct, frozen=True):
    """The rules that labels may name, and those that each hazard of MLCommons stands for."""

    rules: frozenset[str]
    hazards: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, policy: Policy) -> _Taxonomy:
        hazards: dict[str, tuple[str, ...]] = {}
        for rule in policy.text_rules:
            for code in rule.maps.mlcommons:
                hazards[code] = (*hazards.get(code, ()), rule.id)
        return cls(frozenset(rule.id for rule in policy.text_rules), hazards)


def _labels(fields: dict[str, Any], taxonomy: _Taxonomy) -> dict[str, bool] | str:
    """The labels of a row, or a sentence that says what is wrong with them."""
    if "violates" in fields:
        return _complete(fields["violates"], fields.get("unsure") or [], taxonomy)
    given = fields.get("labels")
    if isinstance(given, dict):
        if not all(isinstance(v, bool) for v in given.values()):
            return "`labels` must map rule ids to true or false"
        unknown = sorted(set(given) - taxonomy.rules)
        return f"`labels` names the unknown rule {unknown[0]!r}" if unknown else dict(given)
    safe = dict.fromkeys(sorted(taxonomy.rules), False)
    verdict, rule = fields.get("verdict"), fields.get("rule")
    if verdict in (None, ""):
        if fields.get("hazard"):
            # One code can stand for several of our rules; it says that one of them is violated, so only a single one is sure.
            rules = taxonomy.hazards.get(str(fields["hazard"]), ())
            return {rules[0]: True} if len(rules) == 1 else {}
        return safe if fields.get("label") == "safe" else {}
    if verdict not in ("violates", "allowed"):
        return f"`verdict` is {verdict!r}; write violates or allowed"
    if not rule:
        return safe if verdict == "allowed" else "`verdict: violates` needs a `rule`"
    if not isinstance(rule, str) or rule not in taxonomy.rules:
        return f"`rule` names the unknown rule {rule!r}"
    return {str(rule): verdict == "violates"}


def _complete(violates: Any, unsure: Any, taxonomy: _Taxonomy) -> dict[str, bool] | str:
    """The labels of a row that lists all rules it violates, and those on which fair reviewers could differ."""
    for name, rules in (("violates", violates), ("unsure", unsure)):
        if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
            return f"`{name}` must be a list of rule ids"
        if unknown := sorted(set(rules) - taxonomy.rules):
            return f"`{name}` names the unknown rule {unknown[0]!r}"
    return {rule: rule in violates for rule in sorted(taxonomy.rules - set(unsure) | set(violates))}
