"""What reviewers said is kept whole: a majority resolves, a tie waits, a broken line stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.records.errors import InputError
from fairlead.review.reviewed import alpha, read_reviewed, settled

ROW = '{{"id": "{0}", "text": "x", "rule": "a.b", "verdicts": [{1}]}}'


def said(*verdicts: str) -> str:
    return ", ".join(f'{{"by": "r{i}", "verdict": "{v}"}}' for i, v in enumerate(verdicts))


def test_majority_resolves_and_a_tie_waits(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    rows = [
        said("violates", "violates"),
        said("allowed"),
        said("violates", "allowed"),
        said("allowed", "allowed", "violates"),
        said(),
    ]
    path.write_text("\n".join(ROW.format(i, row) for i, row in enumerate(rows)))
    read = read_reviewed(path)
    assert [row.resolved for row in read] == [True, False, None, False, None]
    assert alpha(read) is not None
    assert [(e.id, e.labels) for e in settled(read)] == [("0", {"a.b": True}), ("1", {"a.b": False}), ("3", {"a.b": False})]


@pytest.mark.parametrize("line", ["{broken", ROW.format("z", '{"by": "a", "verdict": "maybe"}'), '{"id": "only"}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(ROW.format("a", said("violates")) + "\n" + line)
    with pytest.raises(InputError, match=r"r\.jsonl:2: "):
        read_reviewed(path)
