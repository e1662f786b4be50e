"""Canaries in requests and commands that go wrong: none may be seen in any sink. Unmasked, the same canaries are seen."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from canaries import CANARIES, Canary

from fairlead.cycle.settings import QUICK, Settings
from fairlead.cycle.wheel import Wheel
from fairlead.models.endpoint import Endpoint
from fairlead.policy.core import CORE
from fairlead.policy.load import load, parse
from fairlead.records.entry import Decided
from fairlead.records.errors import InputError, UpstreamError
from tests.gateway import house

PLANTED = [maker(random.Random(seed)) for seed, maker in enumerate(CANARIES.values())]


class Quoting(Endpoint):
    """A model's server whose errors quote the request."""

    async def complete(self, body: bytes) -> object:  # type: ignore[override]
        raise UpstreamError(f"the server says: cannot answer {json.loads(body)['messages'][0]['content']}")

    async def models(self) -> list[str]:
        raise UpstreamError("no models for " + " ".join(PLANTED))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[house.House]:
    monkeypatch.setattr(house, "Endpoint", Quoting)
    with house.house(tmp_path, parse(house.POLICY)) as running:
        yield running


def asked(home: house.House, method: str, path: str, body: object = b"", key: str = "") -> bytes:
    """All that comes back: status line, headers, body."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    with contextlib.closing(http.client.HTTPConnection(urlsplit(home.url).netloc, timeout=10)) as connection:
        connection.request(method, path, raw, {"authorization": f"Bearer {key or home.keys['public']}"})
        answer = connection.getresponse()
        return f"{answer.status} {answer.getheaders()}\n".encode() + answer.read()


def said(text: str, **more: object) -> dict[str, object]:
    return {"model": "toy", "messages": [{"role": "user", "content": text}], **more}


def all_that_goes_wrong(home: house.House, canary: Canary) -> Iterator[bytes]:
    chat, path = "/v1/chat/completions", "".join(c for c in canary if c.isalnum() or c in "-._~:@=+,;")
    yield asked(home, "GET", f"/{path}")
    yield asked(home, "DELETE", "/v1/models")
    yield asked(home, "GET", "/v1/models")
    yield asked(home, "POST", chat, said("hi"), key=re.sub(r"[^ -~]", "?", canary.datum))
    yield asked(home, "POST", chat, f'{{"model": "{canary}'.encode())
    yield asked(home, "POST", chat, said(canary))
    yield asked(home, "POST", chat, said(f"judge-raises {canary}"))
    yield asked(home, "POST", chat, said(f"judge-fails {canary}"))
    yield asked(home, "POST", chat, said("hi", **{canary: canary}))
    yield asked(home, "POST", chat, said("hi", n=canary))
    yield asked(home, "POST", chat, said("hi", response_format={"type": canary}))
    yield asked(home, "POST", chat, {"model": "toy", "messages": [{"role": canary, "content": "hi"}]})
    yield asked(home, "POST", chat, {"model": "toy", "messages": [{"role": "user", "content": "hi", canary: 1}]})
    yield asked(home, "POST", chat, {"model": "toy", "messages": [{"role": "user", "content": "hi", "name": canary}]})
    yield asked(home, "POST", chat, {**said("hi"), "model": canary})
    yield asked(home, "POST", "/v1/moderations", {"input": canary, "model": "x", canary: canary})


def sinks(home: house.House, answers: list[bytes], printed: str, logged: str) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in home.path.parent.iterdir() if path.is_file()}
    return {"answers": b"\n".join(answers), "printed": printed.encode(), "logged": logged.encode(), **files}


def seen(canary: Canary, sink: bytes) -> bool:
    """As it is, or as JSON writes it."""
    return any(form.encode() in sink for form in (canary.datum, json.dumps(canary.datum)[1:-1]))


def test_no_sink_of_the_gateway_shows_a_canary(
    home: house.House, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answers = [answer for canary in PLANTED for answer in all_that_goes_wrong(home, canary)]
    captured = capfd.readouterr()
    found = sinks(home, answers, captured.out + captured.err, caplog.text)
    assert "ledger.db-wal" in found
    assert not [(canary, name) for canary in PLANTED for name, sink in found.items() if seen(canary, sink)]
    assert {answer[:3] for answer in answers} == {b"400", b"401", b"404", b"405", b"502", b"503"}
    assert len(home.payloads(Decided)) == len(answers)


def test_unmasked_the_answers_and_the_ledger_show_every_canary(home: house.House, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("gateway.app", "gateway.wire"):
        monkeypatch.setattr(f"fairlead.{module}.mask", lambda text: text)
    answers = [answer for canary in PLANTED for answer in all_that_goes_wrong(home, canary)]
    found = sinks(home, answers, "", "")
    kept = found["ledger.db"] + found["ledger.db-wal"]
    assert [canary for canary in PLANTED if not seen(canary, found["answers"])] == []
    assert [canary for canary in PLANTED if not seen(canary, kept)] == []


def test_a_rules_own_words_are_told_as_they_are(tmp_path: Path) -> None:
    hotline = house.POLICY.replace("We do not serve goblins.", "Call 0800 123 4567.")
    with house.house(tmp_path, parse(hotline)) as home:
        assert b"Call 0800 123 4567." in asked(home, "POST", "/v1/chat/completions", said("goblins"))


# ── commands ───────────────────────────────────────────────────────────────────────────────────────────────────────────

# Runs `main` again and again in one process, so that starting Python is paid for once. Reads [[what, canary], …].
COMMANDS = """
import json, logging, sys, threading, warnings
from fairlead.cli import main as module
from fairlead.personal import rim
if "unmasked" in sys.argv:
    rim.install = lambda: None
    module.mask = lambda text: text
warnings.simplefilter("always")
def main(*arguments):
    sys.argv = ["fairlead", *arguments]
    try:
        module.main()
    except SystemExit as ended:
        return ended.code
def fails(canary, *, inside=ValueError):
    def fail(**_):
        logging.getLogger("uvicorn.error").error("refused: %s", canary)
        warnings.warn(canary)
        thread = threading.Thread(target=lambda: 1 / int("0") if not canary else (_ for _ in ()).throw(inside(canary)))
        thread.start(); thread.join()
        raise inside(canary)
    return fail
codes = set()
for canary in json.load(sys.stdin):
    codes.add(main(canary))
    codes.add(main("policy", "check", canary))
    codes.add(main("policy", "show", canary))
    codes.add(main("ledger", "verify", canary))
    codes.add(main("ledger", "show", "x", "--seq", canary))
    codes.add(main("judge", "text", "hi", "--surface", canary))
    whole, module.app = module.app, fails(canary)
    codes.add(main())
    module.app = whole
print(sorted(codes))
"""


def commands(tmp_path: Path, *arguments: str, traceback: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMANDS, *arguments],
        input=json.dumps(PLANTED), capture_output=True, text=True, timeout=200, cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path), "FAIRLEAD_TRACEBACK": traceback},
    )  # fmt: skip


@pytest.mark.parametrize("traceback", ["", "1"])
def test_no_command_that_fails_shows_a_canary(tmp_path: Path, traceback: str) -> None:
    done = commands(tmp_path, traceback=traceback)
    # 3: one of them is the address of a PostgreSQL server, and no such server answers.
    assert done.stdout.strip() == "[2, 3, 5]", done.stderr[-2000:]
    assert not [canary for canary in PLANTED if seen(canary, (done.stdout + done.stderr).encode())]
    assert "fairlead: internal error: ValueError: " in done.stderr
    assert "fairlead: No such command" in done.stderr
    shown = re.sub(r"Exception in thread.*?(?=^\S*Error)", "", done.stderr, flags=re.DOTALL | re.MULTILINE)
    assert ("in main" in shown) is (traceback == "1")


def test_unmasked_the_commands_show_every_canary(tmp_path: Path) -> None:
    done = commands(tmp_path, "unmasked", traceback="")
    assert [canary for canary in PLANTED if not seen(canary, done.stderr.encode())] == []


# ── a turn ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def turned(tmp_path: Path) -> bytes:
    """A turn whose stages say and raise a canary each: its lines of progress, and its ledger."""
    lines: list[str] = []
    with Wheel(Settings(tmp_path, CORE, 0, QUICK, (), None), load(CORE), lines.append) as wheel:
        for canary in PLANTED:
            with contextlib.suppress(InputError), wheel.stage("input"):
                wheel.say(f"line 1 is wrong: {canary}")
                raise InputError(f"cannot read {canary}")
    return "\n".join(lines).encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_turn_shows_no_canary(tmp_path: Path) -> None:
    sink = turned(tmp_path)
    assert not [canary for canary in PLANTED if seen(canary, sink)]
    assert b"InputError: cannot read" in sink


def test_an_unmasked_turn_shows_every_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.cycle.wheel.mask", lambda text: text)
    sink = turned(tmp_path)
    assert [canary for canary in PLANTED if not seen(canary, sink)] == []
