"""Texts written as numbers: the bytes of their UTF-8 in base 64, 32, 16, 8 or 2, or their code points in base 10.

The decoders take white space between digits, missing padding, and for hexadecimal, octal, decimal and binary numbers also
commas and the other marks people put between numbers. Bytes must be UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from fairlead.encodings.pair import Encoding, changed

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BASE32 = re.compile(r"[A-Za-z2-7]+={0,6}")
_BETWEEN = re.compile(r"[\s,;:|._-]+")
_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)")
_MOST_POINT = 0x10FFFF


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8") or None
    except UnicodeDecodeError:
        return None


def _to_base64(text: str) -> str:
    return base64.b64encode(_bytes(text)).decode("ascii")


def _to_base64_url(text: str) -> str:
    return base64.urlsafe_b64encode(_bytes(text)).decode("ascii").rstrip("=")


def _from_base64(text: str) -> str | None:
    """Both alphabets, wrapped lines and missing padding are read."""
    compact = "".join(text.split())
    if not _BASE64.fullmatch(compact):
        return None
    digits = compact.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return changed(text, _text(base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)))
    except binascii.Error:
        return None


def _to_base32(text: str) -> str:
    return base64.b32encode(_bytes(text)).decode("ascii")


def _from_base32(text: str) -> str | None:
    compact = "".join(text.split())
    if not _BASE32.fullmatch(compact):
        return None
    digits = compact.rstrip("=").upper()
    try:
        return changed(text, _text(base64.b32decode(digits + "=" * (-len(digits) % 8))))
    except binascii.Error:
        return None


def _from_hex(text: str) -> str | None:
    groups = _BETWEEN.sub(" ", text).split()
    found = [_HEX.fullmatch(group) for group in groups]
    digits = "".join(match[1] for match in found if match)
    if not all(found) or len(digits) % 2:
        return None
    return changed(text, _text(bytes.fromhex(digits)))


def _numbers(text: str, base: int, most: int) -> list[int] | None:
    """The numbers of `text` when it holds nothing else and none is above `most`."""
    groups = _BETWEEN.sub(" ", text).split()
    longest = 8  # digits of a byte in base 2; a code point has seven in base 10
    if not groups or not text.isascii() or any(len(group) > longest or not group.isdigit() for group in groups):
        return None
    try:
        numbers = [int(group, base) for group in groups]
    except ValueError:
        return None
    return numbers if max(numbers) <= most else None


def _from_binary(text: str) -> str | None:
    """Groups of seven or eight, or one long row of eights."""
    digits = "".join(_BETWEEN.sub(" ", text).split())
    if not digits or digits.strip("01"):
        return None
    numbers = _numbers(text, 2, 255)
    if numbers is None and len(digits) % 8 == 0:
        numbers = [int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)]
    return changed(text, _text(bytes(numbers))) if numbers else None


def _from_octal(text: str) -> str | None:
    numbers = _numbers(text, 8, 255)
    return changed(text, _text(bytes(numbers))) if numbers else None


def _from_decimal(text: str) -> str | None:
    numbers = _numbers(text, 10, _MOST_POINT)
    if numbers is None or any(0xD800 <= number < 0xE000 for number in numbers):
        return None
    return changed(text, "".join(map(chr, numbers)))


def _each(form: str) -> Callable[[str], str]:
    return lambda text: " ".join(format(byte, form) for byte in _bytes(text))


BASE64 = Encoding("base64", _to_base64, _from_base64)
BASE64_URL = Encoding("base64url", _to_base64_url, _from_base64)
BASE32 = Encoding("base32", _to_base32, _from_base32)
HEX = Encoding("hex", lambda text: _bytes(text).hex(), _from_hex)
HEX_SPACED = Encoding("hex-spaced", _each("02x"), _from_hex)
BINARY = Encoding("binary", _each("08b"), _from_binary)
BINARY_UNSPACED = Encoding("binary-unspaced", lambda text: _each("08b")(text).replace(" ", ""), _from_binary)
OCTAL = Encoding("octal", _each("03o"), _from_octal)
DECIMAL = Encoding("decimal", lambda text: " ".join(str(byte) for byte in map(ord, text)), _from_decimal)
