"""Where the default policy lies: in the wheel beside the package, in a checkout at its root."""

from __future__ import annotations

from pathlib import Path

import fairlead

_PACKAGE = Path(fairlead.__file__).parent
_INSTALLED = _PACKAGE / "policies" / "core.yaml"

#: The word that names it, in `extends` and wherever a policy file is named.
NAME = "core"
#: The default policy.
CORE = _INSTALLED if _INSTALLED.exists() else _PACKAGE.parents[1] / "policies" / "core.yaml"

#: Labelled texts in our own words, a file for each rule and author: RULE.AUTHOR.jsonl.
CORPUS = CORE.parent / "corpus"
#: The heads that were trained on them and on public sets, and the encoder whose embeddings they read.
HEADS, ENCODER = CORE.parent / "heads", CORE.parent / "encoder"


def named(path: Path) -> Path:
    """The file that is meant: the default policy by the word `core`, unless a file of that name is there."""
    return CORE if str(path) == NAME and not path.is_file() else path


def named_heads(heads: Path | None, encoder: Path | None) -> tuple[Path | None, Path | None]:
    """The folders that are meant: the shipped ones by the word `core`, unless a folder of that name is there."""
    if heads is None or str(heads) != NAME or heads.is_dir():
        return heads, encoder
    return HEADS, encoder or ENCODER
