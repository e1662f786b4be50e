"""The house of `house.py` as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house import POLICY, House, house

from fairlead.policy.document import Policy
from fairlead.policy.load import parse


@pytest.fixture
def policy() -> Policy:
    return parse(POLICY)


@pytest.fixture
def home(tmp_path: Path, policy: Policy) -> Iterator[House]:
    with house(tmp_path, policy) as running:
        yield running
