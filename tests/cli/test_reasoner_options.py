"""`fairlead policy test` with a reasoner behind the judge: gates are read on what both say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairlead.cli.main import app

SERVER = Path(__file__).parents[1] / "gateway" / "reasoner_server.py"
POLICY = """schema: 1
id: small
version: "1"
tiers: [public]
rules:
  - id: trolls
    definition: Asks for trolls.
    detect: {signal: harm.trolls, review: 0.5, block: 0.8}
    act: {public: [block]}
    examples:
      - {id: t1, text: indeed-trolls please, verdict: violates, why: w, split: test}
      - {id: t2, text: a bridge, verdict: allowed, why: w, split: test}
    gates: {recall: 0.1, false_positive: 0.9}
    state: enforce
"""


@pytest.fixture
def url() -> Iterator[str]:
    running = subprocess.Popen([sys.executable, str(SERVER), "good"], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
    finally:
        running.kill()
        running.communicate()


def test_the_gates_are_read_on_what_both_say(tmp_path: Path, url: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    alone = CliRunner().invoke(app, ["policy", "test", str(file)])
    assert "0.00 [0.00" in alone.output and alone.exit_code == 1
    both = CliRunner().invoke(app, ["policy", "test", str(file), "--reasoner", url, "--reasoner-model", "toy"])
    assert "1.00 [0.21, 1.00] n = 1" in " ".join(both.output.split()), both.output
    assert "+reasoner/native/toy" in both.output
