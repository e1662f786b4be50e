"""What a folder of files is, in one name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fairlead.records.canonical import digest


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files under `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest([(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
