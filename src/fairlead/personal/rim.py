"""The two rims where a process says something of itself, standard error and the log: what passes them is masked.

Standard output is not one of them: it holds the result that was asked for, and a new key must be readable there once. What a
library written in C prints by itself does not pass here either.
"""

from __future__ import annotations

import atexit
import io
import logging
import sys
import threading
import traceback
from typing import Any, TextIO

from fairlead.personal.find import mask

_MOST_HELD = 1 << 16  # characters that wait for the end of a line, or of a private key
_plain_record = logging.getLogRecordFactory()


def install() -> None:
    """From here on, standard error and every log record of this process are masked. A second call changes nothing."""
    if isinstance(sys.stderr, Masked):
        return
    masked = Masked(sys.stderr)
    atexit.register(masked.end)
    sys.stderr = masked
    logging.setLogRecordFactory(_masked_record)


class Masked(io.TextIOBase):
    """A text stream that passes on whole lines, masked. The lines of a private key wait for its end mark."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._held, self._lock = stream, "", threading.RLock()

    # click writes to a stream's bytes where it does not trust its encoding; these two are what it looks at.
    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The stream's own."""
        return self._stream.errors

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether somebody reads along."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's own, for a child process: what that writes is its own affair."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Holds what is no whole line yet."""
        with self._lock:
            self._held += text
            if "\n" in text and not self._in_key():
                cut = self._held.rindex("\n") + 1
                self._pass_on(cut)
            elif len(self._held) > _MOST_HELD:
                self._pass_on(len(self._held))
        return len(text)

    def flush(self) -> None:
        """Passes on a line that has not ended, such as a question."""
        with self._lock:
            if not self._in_key():
                self._pass_on(len(self._held))
            self._stream.flush()

    def end(self) -> None:
        """Passes on everything."""
        with self._lock:
            if not self._stream.closed:
                self._pass_on(len(self._held))
                self._stream.flush()

    def _in_key(self) -> bool:
        return self._held.count("-----BEGIN ") > self._held.count("-----END ") and len(self._held) <= _MOST_HELD

    def _pass_on(self, cut: int) -> None:
        ready, self._held = self._held[:cut], self._held[cut:]
        if ready:
            self._stream.write(mask(ready))


def _masked_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    """A record whose message, traceback and stack are masked; handlers get no exception object to print for themselves."""
    record = _plain_record(*args, **kwargs)
    try:
        record.msg, record.args = mask(record.getMessage()), ()
    except Exception as error:
        record.msg, record.args = f"a log line could not be formatted: {type(error).__name__}", ()
    if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
        record.exc_text = mask("".join(traceback.format_exception(*record.exc_info)).rstrip())
    record.exc_info = None
    if record.stack_info:
        record.stack_info = mask(record.stack_info)
    return record
