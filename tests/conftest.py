"""For every test: hypothesis has no deadlines, since the machine is shared, and draws the same examples each time in CI."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fairlead", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("fairlead")
