"""How a person is reached: e-mail, phone, postal address, addresses of networks and devices."""

from __future__ import annotations

import ipaddress

import phonenumbers

from fairlead.personal.recogniser import NUMBER, Recogniser, digits, labelled

_LETTER = r"A-Za-z\xc0-\xff"
_EMAIL = (
    rf"[0-9{_LETTER}_][0-9{_LETTER}_.%+'\-]{{0,63}}(?:@|%40| ?[\[(] ?at ?[\])] ?)"
    rf"(?:[0-9{_LETTER}](?:[0-9{_LETTER}\-]{{0,62}})(?:\.| ?[\[(] ?dot ?[\])] ?)){{1,6}}[{_LETTER}]{{2,24}}"
)

_ABROAD = r"(?:\+|\b00)[1-9](?:[ ().\-/]{0,3}\d){6,14}"
_AMERICA = r"(?:1[ .\-])?(?:\(\d{3}\) ?|\d{3}[.\-])\d{3}[.\-]\d{4}"
_GROUPED = (
    r"\(0?\d{1,4}\) ?\d{3,5}[ \-]\d{3,5}(?:[ \-]\d{2,4})?"  # area code in brackets
    r"|0\d(?: \d{2}){4}|0\d(?:\.\d{2}){4}|0\d(?:-\d{2}){4}"  # France
    r"|0\d{4} \d{6}|0\d{4} \d{3} \d{3}|0\d{3} \d{3} \d{4}|0\d{3} \d{3} \d{3}|02\d \d{4} \d{4}"  # Britain, Australia
)
_PHONE_WORDS = (
    r"(?i:phone|telephone|tel|mobile|cell|cellphone|fax|whatsapp|viber|sms|pager|hotline"
    r"|(?:call|phone|ring|text|reach|contact|message|answering) (?:me|us|him|her|them|back|now|on|at)(?: (?:on|at))?"
    r"|(?:my|his|her|our|their|your) number|number to call|telefon|handy|t\xe9l|t\xe9l\xe9phone|portable|tel\xe9fono"
    r"|m\xf3vil|celular|telefone|cellulare)"
)
_LOCAL = r"\+?\(?\d(?:[ ().\-/]{0,2}\d){6,14}"

_STREET = (
    r"(?i:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|crescent"
    r"|highway|hwy|parkway|pkwy|circle|close|trail|gardens|mews|grove|way|alley|quay)"
)
_NAME = rf"[A-Z\xc0-\xde][0-9{_LETTER}'\-]{{0,24}}\.?"
_UNIT = r"(?:,? {1,2}(?i:apt|apartment|suite|ste|unit|flat|floor|fl|room|rm)\.? ?#?[0-9A-Za-z\-]{1,6})?"
_STATE = r"A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
# Each with what it needs.
_ADDRESSES = (
    (
        rf"\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?(?:{_NAME} ){{1,3}}{_STREET}\b\.?{_UNIT}",
        r"\d[A-Za-z]? (?:[NSEW]\.? )?[A-Z\xc0-\xde]",
    ),
    (
        rf"{_NAME}(?:(?i:stra\xdfe|strasse|str\.|weg|gasse|allee|platz|straat|laan|gatan|vej|vejen)) \d{{1,4}} ?[a-z]?\b",
        r"(?i:stra\xdfe|strasse|str\.|weg|gasse|allee|platz|straat|laan|gatan|vej|vejen) \d",
    ),
    (
        rf"\d{{1,4}}(?: ?(?:bis|ter))?,? (?i:rue|avenue|boulevard|place|chemin|quai|impasse) (?:d[eu]s? |de la |de l')?{_NAME}",
        r"\d(?: ?(?:bis|ter))?,? (?i:rue|avenue|boulevard|place|chemin|quai|impasse) ",
    ),
    (
        r"(?i:calle|avenida|rua|via|viale|piazza|plaza) (?:d[aeio]s? |de la |della? )?"
        rf"{_NAME}(?: {_NAME}){{0,2}},? \d{{1,5}}\b",
        r"(?i:calle|avenida|rua|via|viale|piazza|plaza) (?:d[aeio]s? |de la |della? )?[A-Z\xc0-\xde]",
    ),
    (rf"{_NAME}(?: {_NAME})?,? (?:{_STATE}),? \d{{5}}(?:-\d{{4}})?", NUMBER),
    (r"\b(?i:p\.? ?o\.? box) \d{1,7}", r"(?i:box) \d"),
    (r"\b(?:PSC|CMR|Unit) \d{1,5},? Box \d{1,5}(?:\s[ADF]PO A[AEP] \d{5})?", r"(?i:box) \d"),
    (
        r"\b(?:GIR 0AA|[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9]{1,2}|[0-9][A-HJKPSTUW]|[A-HK-Y][0-9][ABEHMNPRVWXY])"
        r" [0-9][ABD-HJLNP-UW-Z]{2})",
        r" [0-9][A-Z]{2}",
    ),
)
_BYTE = r"[0-9A-Fa-f]{2}"
# Six bytes: more are a fingerprint.
_MAC = rf"(?:^|[^0-9A-Fa-f:\-])({_BYTE}(?::{_BYTE}){{5}}|{_BYTE}(?:-{_BYTE}){{5}})(?:[:\-]?[^0-9A-Fa-f:\-]|[:\-]?$)"


def _email(datum: str) -> bool:
    """`git@host` names a machine's service, nobody's mailbox."""
    return not datum.lower().startswith("git@")


def _abroad(datum: str) -> bool:
    """Given out, by the tables of the world's numbers; or at least of a possible length, and grouped as people do."""
    try:
        number = phonenumbers.parse(datum if datum.startswith("+") else f"+{datum[2:]}")
    except phonenumbers.NumberParseException:
        return False
    grouped = " " in datum and len(digits(datum)) >= 10
    return phonenumbers.is_valid_number(number) or (grouped and phonenumbers.is_possible_number(number))


def _america(datum: str) -> bool:
    """Area code and exchange start with 2 to 9."""
    number = digits(datum)[-10:]
    return number[0] > "1" and number[3] > "1"


def _said_to_be_phone(datum: str) -> bool:
    """Not seconds or milliseconds since 1970, a date, or an address of a network."""
    count = digits(datum)
    since_1970 = count == datum and len(count) in (10, 13) and count[0] == "1"
    return not since_1970 and not (len(count) == 8 and datum[4:5] in ("-", "/")) and _address(datum) is None


def _address(datum: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(datum)
    except ValueError:
        return None


def _public(datum: str) -> bool:
    """Addresses of private networks, of the machine itself and of documentation name nobody."""
    found = _address(datum)
    if found is None or not found.is_global:
        return False
    if found.version == 4:
        return any(part >= 20 for part in found.packed)  # 1.0.2.4 is a version
    return int(found) >> 125 == 1  # only 2000::/3 is given out: `dead::beef` and `a::b` are somebody's code


def _device(datum: str) -> bool:
    """Not the broadcast address, nor all zero."""
    return len(set(datum) - {":", "-"}) > 1


RECOGNISERS = (
    Recogniser("email", _EMAIL, _email, r"@|%40|[\[(] ?at ?[\])]"),
    Recogniser("ip", r"\d{1,3}(?:\.\d{1,3}){3}", _public, r"\d\.\d{1,3}\.\d"),
    Recogniser("ip", r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{2,34}(?:\.\d{1,3}){0,3}", _public, r"[0-9A-Fa-f]:[0-9A-Fa-f:]{2}"),
    Recogniser("mac", _MAC, _device, r"[0-9A-Fa-f][:\-][0-9A-Fa-f]{2}[:\-]"),
    Recogniser("phone", _ABROAD, _abroad, NUMBER),
    Recogniser("phone", _AMERICA, _america, NUMBER),
    Recogniser("phone", _GROUPED, needs=NUMBER),
    Recogniser("phone", labelled(_PHONE_WORDS, _LOCAL), _said_to_be_phone, NUMBER),
    Recogniser("phone", rf"\b(?i:call|ring|dial)[: ]{{1,2}}({_LOCAL})", _said_to_be_phone, NUMBER),
    Recogniser("phone", rf"({_LOCAL})[ ,]?[ \-(]{{1,2}}(?i:office|fax|mobile|cell|phone|tel)\b", _said_to_be_phone, NUMBER),
    *(Recogniser("address", pattern, needs=needs) for pattern, needs in _ADDRESSES),
)
