"""Cards, accounts and wallets."""

from __future__ import annotations

from stdnum import bitcoin, iban, luhn

from fairlead.personal.recogniser import Recogniser, digits, labelled

_CARD = r"\d{14,16}|\d{4}[ \-]\d{4}[ \-]\d{4}[ \-]\d{4}|\d{4}[ \-]\d{6}[ \-]\d{4,5}"
_CARD_WORDS = r"(?i:(?:credit|debit|bank|payment)? ?cards?|visa|mastercard|maestro|amex|discover|diners|jcb|pan|cc)"

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


RECOGNISERS = (
    Recogniser("iban", r"(?i:[A-Z]{2}\d{2}[0-9A-Z]{11,30})", _iban),
    # Of every length, since what follows may look like one more group.
    *(Recogniser("iban", rf"(?i:[A-Z]{{2}}\d{{2}}(?: [0-9A-Z]{{4}}){{{n}}}(?: [0-9A-Z]{{1,3}})?)", _iban) for n in range(2, 8)),
    Recogniser("card", _CARD, _card),
    Recogniser("card", labelled(_CARD_WORDS, r"\d{12,19}"), luhn.is_valid),
    Recogniser("bank_account", labelled(
        r"(?i:(?:bank )?(?:account|acct|a/c)[ _\-]?(?:number|no|num|nr)|kontonummer|konto-?nr|num\xe9ro de compte|routing"
        r"(?: (?:number|no))?|aba|sort[ _\-]?code|bsb)", r"\d[\d \-]{4,20}\d")),
    Recogniser("wallet", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|(?:bc|BC)1[0-9A-Za-z]{11,71}", bitcoin.is_valid),
    Recogniser("wallet", r"0x[0-9a-fA-F]{40}|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}"),
)  # fmt: skip
