"""The gateway as a process: it says when it listens, ends cleanly, and stays light."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from house import POLICY, Stub
from test_reasoner_behind import process as reasoner

from fairlead.cli.gateway import gateway
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.verify import verify
from fairlead.records.entry import Decided, KeyIssued, PolicyLoaded
from fairlead.records.errors import InputError, PolicyError

HEAVY = {"torch", "transformers", "sklearn", "onnx", "scipy", "pandas"}
# Tells its modules when it ends.
RUN = """
import atexit, sys
atexit.register(lambda: print("modules", *sorted({name.split(".")[0] for name in sys.modules}), flush=True))
from fairlead.cli.gateway import app
app()
"""
ADD = "from fairlead.cli.keys import app; app()"


def cli(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


def added(ledger: Path, *more: str) -> str:
    command = cli(ADD, "add", "--ledger", str(ledger), "--tier", "public", *more)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_stops_when_told_and_never_loads_what_is_heavy(tmp_path: Path, sign: signal.Signals) -> None:
    policy, ledger = tmp_path / "policy.yaml", tmp_path / "ledger.db"
    policy.write_text(POLICY)
    key = added(ledger, "--account", "ann")
    args = ["--policy", str(policy), "--ledger", str(ledger), "--upstream", "http://127.0.0.1:1", "--port", "0"]
    process = subprocess.Popen(cli(RUN, *args), stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("gateway ready on http://127.0.0.1:")
        url = ready.split()[-1] + "/v1"
        with (
            openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=10) as client,
            pytest.raises(openai.BadRequestError) as withheld,
        ):
            client.chat.completions.create(model="toy", messages=[{"role": "user", "content": "hi"}])
        # Without heads no rule can be told: nothing is delivered.
        assert withheld.value.code == "withheld_for_review"
        process.send_signal(sign)
        rest = process.communicate(timeout=20)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    modules = set(rest.split()[1:])
    assert "uvicorn" in modules
    assert modules & HEAVY == set()
    assert verify(ledger).whole
    assert [e.payload.action for e in read(ledger) if isinstance(e.payload, Decided)] == ["review"]
    Ledger(ledger, producer="test/1").close()  # its lock is free again


def test_the_option_puts_a_reasoner_behind_the_judge(tmp_path: Path) -> None:
    """Without heads every rule is open: the reasoner at the URL decides each, and the caller gets the model's answer."""
    policy, ledger = tmp_path / "policy.yaml", tmp_path / "ledger.db"
    policy.write_text(POLICY)
    key, stub = added(ledger), Stub()
    try:
        with reasoner("good") as (url, _):
            args = ["--policy", str(policy), "--ledger", str(ledger), "--upstream", stub.url, "--port", "0"]
            command = cli(RUN, *args, "--reasoner", url, "--reasoner-model", "toy")
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            try:
                assert process.stdout is not None
                address = process.stdout.readline().split()[-1] + "/v1"
                with openai.OpenAI(base_url=address, api_key=key, max_retries=0, timeout=60) as client:
                    ask = client.chat.completions.create
                    answer = ask(model="toy", messages=[{"role": "user", "content": "hi"}])
                    assert answer.choices[0].message.content == "hello"
                    with pytest.raises(openai.BadRequestError, match="goblins"):
                        ask(model="toy", messages=[{"role": "user", "content": "indeed-goblins"}])
                process.send_signal(signal.SIGTERM)
                rest = process.communicate(timeout=20)[0]
            finally:
                process.kill()
                process.wait()
        assert set(rest.split()[1:]) & HEAVY == set()
        decided = [e.payload for e in read(ledger) if isinstance(e.payload, Decided)]
        assert [(d.action, d.judge.partition("+")[2]) for d in decided] == [
            ("allow", "reasoner/native/toy"),
            ("block", "reasoner/native/toy"),
        ]
    finally:
        stub.close()


def test_a_reasoner_without_a_name_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with pytest.raises(InputError, match="name it with --reasoner-model"):
        gateway(policy, str(tmp_path / "l.db"), "http://127.0.0.1:1", port=0, timeout=1.0, reasoner="http://127.0.0.1:1")


def test_a_key_is_shown_once_and_stored_as_a_digest(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    key = added(ledger)
    (entry,) = read(ledger)
    assert isinstance(entry.payload, KeyIssued)
    assert entry.payload.tier == "public"
    assert entry.payload.account.startswith("acct_")
    assert key.startswith(entry.payload.prefix)
    secret = key.removeprefix(entry.payload.prefix)
    assert secret not in str(entry)
    assert secret.encode() not in ledger.read_bytes()


def test_a_port_that_is_taken_is_told_before_anything_is_written(tmp_path: Path) -> None:
    policy, ledger = tmp_path / "policy.yaml", tmp_path / "ledger.db"
    policy.write_text(POLICY)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} on 127.0.0.1 cannot be taken.* --port"):
            gateway(policy, str(ledger), "http://127.0.0.1:1", port=port, timeout=1.0)
    assert not ledger.exists()


def test_a_policy_that_gives_an_old_id_to_another_rule_is_not_served(tmp_path: Path) -> None:
    policy, ledger = tmp_path / "policy.yaml", tmp_path / "ledger.db"
    policy.write_text(POLICY)
    with Ledger(ledger, producer="test/1") as opened:
        old = PolicyLoaded("d1", "test", "0", {"goblins": "another rule"})
        opened.append(old, PolicyLoaded("d2", "test", "0.5", {"sorrow": "a rule"}))
    with pytest.raises(PolicyError, match=r"rule id 'goblins' was left out of test 0\.5 and cannot come back"):
        gateway(policy, str(ledger), "http://127.0.0.1:1", port=0, timeout=1.0)
