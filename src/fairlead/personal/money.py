"""Cards, accounts and wallets."""

from __future__ import annotations

from stdnum import bitcoin, iban, luhn

from fairlead.personal.keccak import keccak_256
from fairlead.personal.recogniser import LONG, NUMBER, Recogniser, digits, label, labelled

_CARD = r"\d{14,16}|\d{4}[ \-]\d{4}[ \-]\d{4}[ \-]\d{4}|\d{4}[ \-]\d{6}[ \-]\d{4,5}"
_IBAN = r"(?i:[A-Z]{2}\d{2} ?[0-9A-Z]{4})"
_CARD_WORDS = r"(?i:(?:credit|debit|bank|payment)? ?cards?|visa|mastercard|maestro|amex|discover|diners|jcb|pan|cc)"
_ACCOUNT = (
    r"(?i:(?:bank )?(?:account|acct|a/c)[ _\-]?(?:number|no|num|nr)|kontonummer|konto-?nr|num\xe9ro de compte|routing"
    r"(?: (?:number|no))?|aba|sort[ _\-]?code|bsb)"
)

# Leading digits of each network, with the length it gives out.
_NETWORKS = (
    (("4", "35", "50", "56", "57", "58", "60", "62", "63", "65", "67", "81", "82", "9792"), 16),
    (tuple(str(n) for n in (*range(51, 56), *range(644, 650), *range(2200, 2205), *range(2221, 2721))), 16),
    (("34", "37", "1800", "2131"), 15),
    (("36", "38", "39", *(str(n) for n in range(300, 306))), 14),
)


def _card(datum: str) -> bool:
    number = digits(datum)
    known = any(number.startswith(starts) and len(number) == length for starts, length in _NETWORKS)
    return known and len(set(number)) > 1 and luhn.is_valid(number)


def _iban(datum: str) -> bool:
    """Length and form of its country, and the check digits; the country's own check digits are left to its banks."""
    return iban.is_valid(datum, check_country=False)


_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3  # BIP 350: what the checksum leaves over for addresses of version 1 and later; of version 0 it is 1


def _bitcoin(datum: str) -> bool:
    """By check digits; `stdnum` knows base58 and version 0 of the addresses that begin with bc1."""
    lower = datum.lower()
    if not lower.startswith("bc1") or lower[3:4] == "q":
        return bitcoin.is_valid(datum)
    values = [_BECH32.find(letter) for letter in lower[3:]]
    return -1 not in values and bitcoin.bech32_checksum([3, 3, 0, 2, 3, *values]) == _BECH32M


def _ethereum(datum: str) -> bool:
    """Small and capital letters together are a checksum (EIP-55); one case alone has none."""
    letters = datum[2:]
    if letters in (letters.lower(), letters.upper()):
        return True
    digest = keccak_256(letters.lower().encode()).hex()
    return all(c == (c.upper() if int(d, 16) >= 8 else c.lower()) for c, d in zip(letters, digest, strict=False))


RECOGNISERS = (
    Recogniser("iban", r"(?i:[A-Z]{2}\d{2}[0-9A-Z]{11,30})", _iban, _IBAN),
    # Of every length, since what follows may look like one more group.
    *(
        Recogniser("iban", rf"(?i:[A-Z]{{2}}\d{{2}}(?: [0-9A-Z]{{4}}){{{n}}}(?: [0-9A-Z]{{1,3}})?)", _iban, _IBAN)
        for n in range(2, 8)
    ),
    Recogniser("card", _CARD, _card, NUMBER),
    Recogniser("card", labelled(_CARD_WORDS, r"\d{12,19}"), luhn.is_valid, NUMBER),
    Recogniser("bank_account", labelled(_ACCOUNT, r"\d[\d \-]{4,20}\d"), needs=label(_ACCOUNT)),
    Recogniser(
        "wallet", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc|BC)1[0-9A-Za-z]{11,71}", _bitcoin,
        r"[13][1-9A-HJ-NP-Za-km-z]{8}|(?:bc|BC)1",
    ),
    Recogniser("wallet", r"0x[0-9a-fA-F]{40}", _ethereum, LONG),
    Recogniser("wallet", r"4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}", needs=LONG),  # Monero
)  # fmt: skip
