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
    server = int((tmp_path / "l.db.lock").read_text())
    assert server != parent.pid
    parent.send_signal(sign)
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        try:
            Ledger(ledger, producer="next turn").close()
            break
        except LedgerLocked:
            time.sleep(0.1)
    else:
        os.kill(server, signal.SIGKILL)
        pytest.fail("the gateway outlived its parent and kept the ledger")


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


def test_a_ledger_that_another_took_while_it_was_lent_is_a_clear_error(tmp_path: Path) -> None:
    thieves = []
    wheel = Wheel(Settings(tmp_path, CORE), load(CORE), print)
    with pytest.raises(LedgerLocked), wheel.stage("guard"), wheel.lent_ledger():
        thieves.append(Ledger(wheel.path, producer="thief"))
    wheel.close()
    thieves[0].close()


def test_a_turn_does_not_build_upon_a_ledger_that_was_changed(tmp_path: Path) -> None:
    with Wheel(Settings(tmp_path, CORE), load(CORE), print) as wheel:
        wheel.note([StageEnded("public", 1.0)])
    raw = (tmp_path / "ledger.db").read_bytes()
    (tmp_path / "ledger.db").write_bytes(raw.replace(b'"stage":"public"', b'"stage":"intern"'))
    with pytest.raises(LedgerCorrupt, match="entry 0 was changed"):
        Wheel(Settings(tmp_path, CORE), load(CORE), print)
