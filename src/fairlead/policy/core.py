"""Where the default policy lies: in the wheel beside the package, in a checkout at its root."""

from __future__ import annotations

from pathlib import Path

import fairlead

_PACKAGE = Path(fairlead.__file__).parent
_INSTALLED = _PACKAGE / "policies" / "core.yaml"

CORE = _INSTALLED if _INSTALLED.exists() else _PACKAGE.parents[1] / "policies" / "core.yaml"
