"""The readings of a text that the judge looks at: as it stands, cleaned up, and decoded where it hides something.

A disguise is taken off only where the result reads more like language than what was there (`language.reading`), so that an
ordinary text has one view. What comes off is looked at again, for three rounds (digits within digits: three layers a round).
A disguise among other words gives two views:
the text with the hidden words in their place (so that "how do I make a <one encoded word>" is read as one request), and the
hidden words alone (which is what classifiers were trained on, and which no padding dilutes).

Everything here is total, linear in the text, and bounded: at most `MAX_CHARACTERS` of the text are read, at most `MAX_VIEWS`
views come out, none longer than that, and as many texts are looked at again. Before any decoder runs, one regular expression
without backtracking, the likelihoods of the letters and the order of the words say whether it could find anything.

Not covered: see "Not covered" in docs/judge.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import re2
from msgspec import Struct, structs

from fairlead.encodings.carriers import COMMENT, JSON, SPLIT
from fairlead.encodings.ciphers import REVERSED, REVERSED_LETTERS
from fairlead.judge.decipher import decipher, line_of, strange
from fairlead.judge.decode import pig_latin, written_out
from fairlead.judge.language import reading
from fairlead.judge.normalise import clean, smuggled, unadorned, undisguise
from fairlead.judge.order import backward
from fairlead.judge.span import Span, Undone, undo

MAX_CHARACTERS = 65_536
MAX_VIEWS = 8
_LAYERS = 3
_CARRIED_GAIN = 0.15  # nats a character
_SPLIT_WORDS, _CARRIED_WORDS = 2, 4

_WRITTEN = (
    r"[A-Za-z0-9+/_-]{12,}|[A-Za-z0-9+/]{3,}=|[A-Za-z]\d+[A-Za-z]\w{4,}|%[0-9A-Fa-f]{2}|&#?[0-9A-Za-z]+;|\\[xuU0-7]|[Uu]\+[0-9A-Fa-f]{4}"
    r"|(?:[0-9A-Fa-f]{2,8}[\s,;:|._-]{1,3}){3}[0-9A-Fa-f]{2}"
)
_PIG = r"(?i)(?:[a-z]ay\b[^a-z\n]{1,9}[a-z'’]+){2}ay\b"
_CODE = r"[\"'`”]\s*(?:[+,:;})\n]|\.\.|$)|(?:^|[\s;{})])(?:#+|//+|--|;;+|/\*)[ \t]|/\*|<!--"


def _searcher(pattern: str) -> re2._Regexp[str]:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


_IS_WRITTEN, _IS_PIG, _IS_CODE = _searcher(_WRITTEN), _searcher(_PIG), _searcher(_CODE)


class View(Struct, frozen=True):
    """One reading: `plain`, `normalised`, or the names of what was undone, outermost first, joined by `+`."""

    name: str
    text: str


def views(text: str) -> list[View]:
    """The readings of `text`, plain first. Only the first `MAX_CHARACTERS` are read: the caller says so when there are more."""
    plain = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    found = {plain: "plain"}
    cleaned = clean(plain, MAX_CHARACTERS)
    normal = undisguise(cleaned)
    if normal != unadorned(plain):
        found.setdefault(normal, "normalised")
    waiting = deque([("", base, 0) for base in dict.fromkeys((cleaned, normal))])
    hidden = smuggled(plain)
    if hidden:
        found.setdefault(hidden.alone, hidden.name)
        waiting.append((hidden.name, hidden.alone, 1))
    seen = {*found, cleaned, normal}
    for _ in range(MAX_VIEWS):
        if not waiting:
            break
        name, current, layer = waiting.popleft()
        for step in _steps(current):
            for suffix, decoded in (("", step.alone), (" in place", step.in_place)):
                again = undisguise(clean(decoded[:MAX_CHARACTERS], MAX_CHARACTERS))
                if again in seen or not again.strip():
                    continue
                seen.add(again)
                called = f"{name}+{step.name}".lstrip("+")
                found[again] = called + suffix
                if layer + 1 < _LAYERS:
                    waiting.append((called, again, layer + 1))
    return _bounded(found)


def _bounded(found: dict[str, str]) -> list[View]:
    """The first views, each name once."""
    names: dict[str, int] = {}
    listed: list[View] = []
    for text, name in found.items():
        if not text and listed:
            continue
        names[name] = names.get(name, 0) + 1
        listed.append(View(name if names[name] == 1 else f"{name} ({names[name]})", text))
    return listed[:MAX_VIEWS]


def _steps(text: str) -> Iterator[Undone]:
    """Each way in which `text` can be undone by one layer."""
    if _IS_WRITTEN.search(text):
        yield from _some(undo(text, written_out(text)))
    if _IS_CODE.search(text):
        yield from _carried(text)
    line = line_of(text)
    regions = strange(line)
    if regions:
        yield from _deciphered(text, decipher(text, line, regions))
    if _IS_PIG.search(text):
        yield from _some(undo(text, pig_latin(text)))
    yield from _some(undo(text, backward(text)))


def _some(undone: Undone | None) -> Iterator[Undone]:
    if undone:
        yield undone


def _deciphered(text: str, spans: list[Span]) -> Iterator[Undone]:
    """Letters backwards may be the whole text backwards, or each word in its place: the letters do not tell, so both."""
    yield from _some(undo(text, spans))
    turned = [structs.replace(span, name=f"{span.name}-letters", decoded=_by_word(span.decoded)) for span in spans]
    if any(span.name.endswith(REVERSED.name) for span in spans):
        yield from _some(undo(text, turned))


def _by_word(decoded: str) -> str:
    return REVERSED_LETTERS.encode(decoded[::-1])


def _carried(text: str) -> Iterator[Undone]:
    """What code or data carries, when it is a few words at least and reads better than its carrier."""
    for encoding in (SPLIT, COMMENT, JSON):
        carried = encoding.decode(text)
        if carried is None:
            continue
        written = encoding is SPLIT and _IS_WRITTEN.search(carried)
        enough = len(carried.split()) >= (_SPLIT_WORDS if encoding is SPLIT else _CARRIED_WORDS)
        if written or (enough and reading(carried) > reading(text) + _CARRIED_GAIN):
            yield Undone(encoding.name, carried, carried)
