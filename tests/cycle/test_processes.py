"""A server that a turn started ends with it, however the turn ends; a stage that ends badly says so in the ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairlead.cycle.processes import running
from fairlead.cycle.settings import Settings
from fairlead.cycle.wheel import Wheel
from fairlead.ledger.log import Ledger, read
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.entry import StageEnded
from fairlead.records.errors import FairleadError, LedgerCorrupt, LedgerLocked

PARENT = """
import sys, time
from pathlib import Path
from fairlead.cycle.processes import running
from fairlead.policy.core import CORE
options = ["--policy", str(CORE), "--ledger", sys.argv[1], "--upstream", "http://127.0.0.1:9", "--port", "0"]
with running(["gateway", *options], Path(sys.argv[2])) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_a_killed_turn(tmp_path: Path, sign: signal.Signals) -> None:
    ledger = tmp_path / "l.db"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, ledger, tmp_path / "log"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert "http://127.0.0.1" in parent.stdout.readline()
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 1
    server = Path(f"/proc/{children[0]}")
    assert server.exists()
    parent.send_signal(sign)
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not server.exists():
            break
        time.sleep(0.1)
    else:
        os.kill(int(children[0]), signal.SIGKILL)
        pytest.fail("the gateway outlived its parent")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(FairleadError, match="holds no model"),
        running(["serve", str(tmp_path), "--port", "0"], tmp_path / "log"),
    ):
        pass


def test_a_stage_that_ends_badly_says_so_in_the_ledger(tmp_path: Path) -> None:
    settings = Settings(tmp_path, CORE)
    with Wheel(settings, load(CORE), print) as wheel:
        for name, error in (("a", FairleadError("no room")), ("b", KeyboardInterrupt()), ("c", ValueError("a user's words"))):
            with pytest.raises(type(error)), wheel.stage(name):
                raise error
        with wheel.stage("d"):
            pass
    ended = [entry.payload for entry in read(settings.out / "ledger.db")]
    assert [(e.stage, e.error) for e in ended if isinstance(e, StageEnded)] == [
        ("a", "FairleadError: no room"),
        ("b", "KeyboardInterrupt"),
        ("c", "ValueError"),
        ("d", None),
    ]


def test_a_second_turn_in_the_same_folder_is_refused_and_a_gateway_may_write_beside_the_first(tmp_path: Path) -> None:
    with Wheel(Settings(tmp_path, CORE), load(CORE), print) as wheel:
        with pytest.raises(LedgerLocked, match="another turn is at work"):
            Wheel(Settings(tmp_path, CORE), load(CORE), print)
        with Ledger(wheel.path, producer="gateway") as gateway:
            gateway.append(StageEnded("beside", 0.0))
        wheel.note([StageEnded("after", 0.0)])
    Wheel(Settings(tmp_path, CORE), load(CORE), print).close()


def test_a_turn_does_not_build_upon_a_ledger_that_was_changed(tmp_path: Path) -> None:
    with Wheel(Settings(tmp_path, CORE), load(CORE), print) as wheel:
        wheel.note([StageEnded("public", 1.0)])
    raw = (tmp_path / "ledger.db").read_bytes()
    (tmp_path / "ledger.db").write_bytes(raw.replace(b'"stage":"public"', b'"stage":"intern"'))
    with pytest.raises(LedgerCorrupt, match="entry 0 was changed"):
        Wheel(Settings(tmp_path, CORE), load(CORE), print)
