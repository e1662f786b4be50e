"""A disk that keeps what was synced, fed with the system calls that a program made. Whatever else it may keep is drawn.

What is assumed of a real disk: a sync returns when the bytes of that file, or the names in that folder, are there; of what was
not synced any part may be there, in any order, down to sectors of 512 bytes, and nothing else changes.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

SECTOR = 512
# All by which a file can change. Those of the second line are here to be noticed: `Disk` refuses them.
CALLS = "openat,write,pwrite64,ftruncate,unlink,mkdir,fsync,fdatasync,mmap," + (
    "writev,pwritev,pwritev2,sendfile,copy_file_range,splice,fallocate,truncate,rename,renameat,renameat2,link,linkat,unlinkat,creat"
)
_CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|0x\w+)")
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|0x\w+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPEN_FILE = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")


class Call(Struct):
    """One system call: on what file, with what bytes, at what offset. `begun` and `ended` are lines of the trace."""

    name: str
    file: str
    data: bytes
    at: int
    text: str
    begun: int
    ended: int


def traceable() -> bool:
    """Whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def calls(trace: Path) -> Iterator[Call]:
    """The calls that succeeded, in the order in which they returned."""
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace.read_text().splitlines()):
        if found := _BEGUN.match(line):
            begun[found[1]] = (number, found[3])
            continue
        if found := _ENDED.match(line):
            start, text = begun.pop(found[1])
            text += found[3]
        elif found := _CALL.match(line):
            start, text = number, found[3]
        else:
            continue
        if not found[4].startswith("-"):
            yield _call(found[2], text, start, number)


def _call(name: str, text: str, begun: int, ended: int) -> Call:
    opened = _OPEN_FILE.match(text.split(", ")[4] if name == "mmap" and text.count(", ") > 4 else text)
    strings = [_bytes(found) for found in _TEXT.findall(text)]
    file = _bytes(opened[2]).decode() if opened else strings[0].decode() if strings and name not in ("write", "mmap") else ""
    last = text.rsplit(", ", 1)[-1]
    return Call(name, file, strings[-1] if strings else b"", int(last) if last.isdigit() else 0, text, begun, ended)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class _File:
    """What is on disk for sure, and what was done since: (where in the trace, offset, bytes); no bytes: cut to `offset`."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.since: list[tuple[int, int, bytes]] = []

    def sync(self, begun: int) -> None:
        for when, at, data in self.since:
            if when < begun:
                _put(self.kept, at, data)
        self.since = [change for change in self.since if change[0] >= begun]

    def drawn(self, draw: random.Random) -> bytes:
        content = bytearray(self.kept)
        for _, at, data in self.since:
            if not data:
                _put(content, at, data) if draw.random() < 0.5 else None
            for start in range(0, len(data), SECTOR):
                if draw.random() < 0.5:
                    _put(content, at + start, data[start : start + SECTOR])
        return bytes(content)


def _put(content: bytearray, at: int, data: bytes) -> None:
    if not data:
        del content[at:]
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


class Disk:
    """The files of one folder, the names of which begin with `stem`."""

    def __init__(self, stem: Path, without: Sequence[str]) -> None:
        """`without` are endings of names whose files no recovery needs."""
        self._stem, self._without = str(stem), tuple(without)
        self._names: dict[str, _File] = {}
        self._kept: dict[str, _File] = {}

    def take(self, call: Call) -> None:
        """Whatever the call did to these files."""
        folder = str(Path(self._stem).parent)
        if call.name in ("fsync", "fdatasync") and call.file == folder:
            self._kept = dict(self._names)
        if not call.file.startswith(self._stem) or call.file.endswith(self._without):
            return
        match call.name:
            case "openat":
                if "O_CREAT" in call.text and call.file not in self._names:
                    self._names[call.file] = _File()
            case "pwrite64":
                self._names[call.file].since.append((call.ended, call.at, call.data))
            case "ftruncate":
                self._names[call.file].since.append((call.ended, call.at, b""))
            case "fsync" | "fdatasync":
                self._names[call.file].sync(call.begun)
            case "unlink":
                del self._names[call.file]
            case "mmap" if "PROT_WRITE" not in call.text or "MAP_SHARED" not in call.text:
                pass
            case other:
                raise AssertionError(f"{other} on {call.file}: this disk does not know what that does")

    def unsynced(self) -> list[str]:
        """The files of which something is not on disk for sure, and names that are not."""
        changed = [name for name, file in self._names.items() if file.since]
        return changed + [name for name, file in self._names.items() if self._kept.get(name) is not file]

    def image(self, folder: Path, draw: random.Random | None) -> Path:
        """What could be found after the power went: only what is there for sure, or with a draw from the rest."""
        names = dict(self._kept)
        for name in sorted(self._names.keys() | self._kept.keys()):
            now = self._names.get(name)
            if draw is not None and draw.random() < 0.5:
                names.pop(name, None)
                if now is not None:
                    names[name] = now
        folder.mkdir()
        for name, file in names.items():
            (folder / Path(name).name).write_bytes(file.drawn(draw) if draw else bytes(file.kept))
        return folder / Path(self._stem).name
