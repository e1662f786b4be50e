"""Standard error and the log, as a stream and as records."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import sys
from collections.abc import Iterator

import pytest
from canaries import CANARIES
from hypothesis import given
from hypothesis import strategies as st

from fairlead.personal import rim
from fairlead.personal.find import KINDS, mask
from fairlead.personal.rim import Masked


@contextlib.contextmanager
def installed() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger after `install`; what was there before is put back at the end."""
    factory, stderr, written = logging.getLogRecordFactory(), sys.stderr, io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(written))
    try:
        rim.install()
        yield logger, written
    finally:
        logging.setLogRecordFactory(factory)
        sys.stderr = stderr


@given(st.lists(st.text(alphabet="ab:\n -", max_size=9)))
def test_harmless_text_passes_whole(pieces: list[str]) -> None:
    behind = io.StringIO()
    stream = Masked(behind)
    for piece in pieces:
        stream.write(piece)
    stream.end()
    assert behind.getvalue() == "".join(pieces)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, 200))
def test_a_line_written_in_pieces_is_masked_whole(kind: str, seed: int, cut: int) -> None:
    canary = CANARIES[kind](random.Random(seed))
    behind = io.StringIO()
    print(canary[:cut], canary[cut:], sep="", file=Masked(behind))
    assert canary.datum not in behind.getvalue()
    assert f"[{kind}]" in behind.getvalue()


def test_the_lines_of_a_private_key_wait_for_its_end() -> None:
    behind = io.StringIO()
    stream = Masked(behind)
    for line in CANARIES["private_key"](random.Random(2)).replace("\\n", "\n").splitlines(keepends=True):
        stream.write(line)
        stream.flush()
    stream.write("\nnext\n")
    assert behind.getvalue() == "[private_key]\nnext\n"


def test_a_private_key_without_end_is_masked_at_the_end() -> None:
    behind = io.StringIO()
    stream = Masked(behind)
    stream.write("-----BEGIN PRIVATE KEY-----\nMIIEabcdefgh\n")
    stream.flush()
    assert behind.getvalue() == ""
    stream.end()
    assert behind.getvalue() == "[private_key]"


def test_a_line_that_has_not_ended_is_passed_on_when_flushed() -> None:
    behind = io.StringIO()
    stream = Masked(behind)
    stream.write("go on? ")
    stream.flush()
    assert behind.getvalue() == "go on? "


def test_the_log_is_masked_with_its_traceback() -> None:
    canary = CANARIES["email"](random.Random(0))
    with installed() as (logger, written):
        logger.error("from %s in %s", canary, {"of": canary}, stack_info=True)
        try:
            raise ValueError(canary)
        except ValueError:
            logger.exception("it failed")
        logger.error("%d", "no number")
    assert canary.datum not in written.getvalue()
    assert f"from {mask(canary)}" in written.getvalue()
    assert f"ValueError: {mask(canary)}" in written.getvalue()
    assert "Traceback" in written.getvalue()
    assert "could not be formatted: TypeError" in written.getvalue()


def test_without_masking_the_log_shows_the_canary() -> None:
    canary, written = CANARIES["email"](random.Random(0)), io.StringIO()
    logger = logging.Logger("bare")
    logger.addHandler(logging.StreamHandler(written))
    logger.error("from %s", canary)
    assert canary.datum in written.getvalue()


def test_installing_twice_wraps_once() -> None:
    with installed():
        first = sys.stderr
        rim.install()
        assert sys.stderr is first
