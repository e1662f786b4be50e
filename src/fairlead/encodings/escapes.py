r"""Characters written as escapes within a text: `%68`, `&#104;`, `&#x68;`, `&amp;`, `\x68`, `\u0068`, `\150`.

The decoders read the escapes wherever they stand and leave the rest as it is; None when there is none. What is no character
(an invalid byte, half of a surrogate pair) stays written out.
"""

from __future__ import annotations

import re
from html.entities import html5

from fairlead.encodings.pair import Encoding, changed

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));?")
_BYTES = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_POINTS = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8}|[Uu]\+[0-9A-Fa-f]{4,6}\b[ ,]?)+")
_POINT = re.compile(r"[0-9A-Fa-f]{4,8}|\{[0-9A-Fa-f]{1,6}\}")
_OCTAL = re.compile(r"(?:\\[0-3]?[0-7]{2})+")
_NAMES = {sign: "&" + name for name, sign in html5.items() if name.endswith(";") and len(sign) == 1}


def _bytes_or(raw: bytes, otherwise: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return otherwise


def _point_or(point: int, otherwise: str) -> str:
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point < 0xE000 else otherwise


def _to_percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))


def _to_quoted(text: str) -> str:
    """As in the address of a page: letters and digits stay."""
    return "".join(c if c.isascii() and c.isalnum() else _to_percent(c) for c in text)


def _from_percent(text: str) -> str | None:
    return changed(text, _PERCENT.sub(lambda match: _bytes_or(bytes.fromhex(match[0].replace("%", "")), match[0]), text))


def _to_bytes(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "replace"))


def _from_bytes(text: str) -> str | None:
    return changed(text, _BYTES.sub(lambda match: _bytes_or(bytes.fromhex(match[0].replace("\\x", "")), match[0]), text))


def _to_octal(text: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in text.encode("utf-8", "replace"))


def _octal(match: re.Match[str]) -> str:
    return _bytes_or(bytes(int(digits, 8) for digits in match[0].split("\\")[1:]), match[0])


def _from_octal(text: str) -> str | None:
    return changed(text, _OCTAL.sub(_octal, text))


def _to_points(text: str) -> str:
    """As JSON and Java write them: UTF-16, so that a character beyond the basic plane is two."""
    raw = text.encode("utf-16-be", "replace")
    return "".join(f"\\u{raw[at]:02x}{raw[at + 1]:02x}" for at in range(0, len(raw), 2))


def _points(match: re.Match[str]) -> str:
    units = [int(digits.strip("{}"), 16) for digits in _POINT.findall(match[0])]
    if max(units) > 0x10FFFF:
        return match[0]
    try:
        return "".join(map(chr, units)).encode("utf-16-be", "surrogatepass").decode("utf-16-be")
    except UnicodeDecodeError:
        return match[0]


def _from_points(text: str) -> str | None:
    return changed(text, _POINTS.sub(_points, text))


def _entity(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return html5.get(name + ";", match[0])
    return _point_or(int(decimal) if decimal else int(hexadecimal, 16), match[0])


def _from_html(text: str) -> str | None:
    return changed(text, _ENTITY.sub(_entity, text))


def _to_html(text: str) -> str:
    return "".join(f"&#{ord(c)};" for c in text)


def _to_html_hex(text: str) -> str:
    return "".join(f"&#x{ord(c):x};" for c in text)


def _to_html_names(text: str) -> str:
    """By name where there is one, as for signs and accented letters; by number for the others."""
    return "".join(_NAMES.get(c) or f"&#{ord(c)};" for c in text)


PERCENT = Encoding("percent", _to_percent, _from_percent)
QUOTED = Encoding("percent-quoted", _to_quoted, _from_percent)
HTML = Encoding("html", _to_html, _from_html)
HTML_HEX = Encoding("html-hex", _to_html_hex, _from_html)
HTML_NAMES = Encoding("html-names", _to_html_names, _from_html)
BYTE_ESCAPES = Encoding("byte-escapes", _to_bytes, _from_bytes)
UNICODE_ESCAPES = Encoding("unicode-escapes", _to_points, _from_points)
OCTAL_ESCAPES = Encoding("octal-escapes", _to_octal, _from_octal)
