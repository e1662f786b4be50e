r"""Texts that are carried within code or data: string literals put together, comments, the strings of JSON.

The decoders give what is carried and leave the carrier out. They read quotes, names and signs as most programming languages
write them and understand none: what is put together otherwise than by `+`, `..`, fields in braces, `join` or `print` is not
seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from fairlead.encodings.pair import Encoding, changed

_LITERAL = r"(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`\n]*`|“[^”\n]*”)"
_NAME = r"[$@]?\b[A-Za-z_]\w{0,40}\b"
_TERM = f"(?:{_LITERAL}|{_NAME})"
_TERMS = re.compile(_TERM)
_SUM = re.compile(rf"(?:({_NAME})\s{{0,9}}:?=\s{{0,9}})?({_TERM}(?:\s{{0,9}}(?:\+|\.\.)\s{{0,9}}{_TERM})*)")
_LIST = re.compile(rf"\b(?:join|print|concat|echo|log)\b[\s(\[]{{1,9}}({_TERM}(?:\s{{0,9}},\s{{0,9}}{_TERM})+)")
_FIELDS = re.compile(rf"(?:[$#]?\{{{{?\s?{_NAME}\s?\}}?\}}[^\S\n]?){{2,}}")
_NAMES = re.compile(_NAME)
_QUOTES = "\"'`“"

_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"(\s{0,9}:)?", re.S)
_LINE = re.compile(r"(?:^|(?<=[\s;{})]))(?:#+|//+|--|;;+)[ \t]([^\n]*)", re.M)
_BLOCKS = (("/*", "*/"), ("<!--", "-->"))
_MARGIN = re.compile(r"^[ \t]*\*?[ \t]*|[ \t]+$", re.M)


def _value(term: str, known: dict[str, str]) -> str | None:
    if term[0] not in _QUOTES:
        return known.get(term)
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), term[1:-1])


def _sums(text: str) -> Iterator[str]:
    """What is put together from two or more literals, or names that were given one, in the order in which it is written."""
    known: dict[str, str] = {}
    room = 4 * len(text)  # a name can hold twice what another holds, line after line
    for match in _SUM.finditer(text):
        values = [_value(term, known) for term in _TERMS.findall(match[2])]
        if None in values:
            continue
        value = "".join(value for value in values if value)[: min(room, len(text))]
        room -= len(value)
        if match[1]:
            known[match[1]] = value
        if len(values) > 1:
            yield value
    for pattern, names in ((_LIST, _TERMS), (_FIELDS, _NAMES)):
        for match in pattern.finditer(text):
            values = [_value(term, known) for term in names.findall(match[match.lastindex or 0])]
            if len(values) > 1 and None not in values:
                value = "".join(value for value in values if value)[: min(room, len(text))]
                room -= len(value)
                yield value


def _to_split(text: str) -> str:
    """Three pieces in three variables."""
    cuts = (0, len(text) // 3, 2 * len(text) // 3, len(text))
    pieces = [json.dumps(text[a:b], ensure_ascii=False) for a, b in pairwise(cuts)]
    lines = [f"{name} = {piece}" for name, piece in zip("abc", pieces, strict=True)]
    return "\n".join([*lines, "print(a + b + c)"])


def _from_split(text: str) -> str | None:
    """The sums that are not part of a later one, each on a line of its own; never more than the text itself is long."""
    found: list[str] = []
    room = len(text)
    for value in _sums(text):
        if found and value.startswith(found[-1]):
            room += len(found.pop())
        if len(value) < room and value.strip():
            found.append(value)
            room -= len(value) + 1
    return changed(text, "\n".join(found))


def _to_comment(text: str) -> str:
    lines = "\n".join(f"    # {line}" for line in text.splitlines())
    return f"def run(value):\n{lines}\n    return value"


def _between(text: str, opening: str, closing: str) -> Iterator[str]:
    start = text.find(opening)
    while start >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            return
        yield text[start + len(opening) : end]
        start = text.find(opening, end)


def _from_comment(text: str) -> str | None:
    """Comments to the end of a line, then those between marks, each line without its margin."""
    parts = [*_LINE.findall(text), *(part for marks in _BLOCKS for part in _between(text, *marks))]
    bare = "\n".join(part for part in (_MARGIN.sub("", part) for part in parts) if part)
    return changed(text, bare) if len(bare) <= len(text) else None


def _to_json(text: str) -> str:
    return json.dumps({"id": 7, "note": {"body": text}})


def _unescaped(inner: str) -> str:
    if "\\" not in inner:
        return inner
    try:
        return str(json.loads(f'"{inner}"', strict=False)).encode("utf-8", "replace").decode("utf-8")
    except ValueError:
        return inner


def _from_json(text: str) -> str | None:
    """The strings that are not keys, each on a line of its own; None where nothing is written as a key."""
    found = _STRING.findall(text)
    if not any(colon for _, colon in found):
        return None
    return changed(text, "\n".join(_unescaped(inner) for inner, colon in found if inner and not colon))


SPLIT = Encoding("split", _to_split, _from_split)
COMMENT = Encoding("comment", _to_comment, _from_comment)
JSON = Encoding("json", _to_json, _from_json)
