"""Canaries: for each kind that `fairlead.personal` recognises, texts that hold one, drawn at random and belonging to nobody.

A canary is a text as people write it, with the label that its datum needs, if it needs one. The datum is what must never be
seen again:

    canary = CANARIES["card"](random.Random(1))
    assert canary.datum in canary
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable
from typing import Self

from stdnum import luhn
from stdnum.es import dni
from stdnum.fi import hetu
from stdnum.iso7064 import mod_97_10

Draw = random.Random

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
_LOWER, _UPPER, _LETTERS = string.ascii_lowercase, string.ascii_uppercase, string.ascii_letters
_WORDS = "able acid apple beach brick candle cloud daring eagle fabric garden hammer island jacket kitten ladder mango".split()


class Canary(str):
    """The text to plant."""

    __slots__ = ("datum",)
    datum: str

    def __new__(cls, text: str, datum: str) -> Self:
        made = super().__new__(cls, text)
        made.datum = datum
        return made


def planted(draw: Draw, datum: str, *forms: str) -> Canary:
    """The datum in the place of `@@` in one of the forms."""
    return Canary(draw.choice(forms).replace("@@", datum), datum)


def some(draw: Draw, alphabet: str, n: int) -> str:
    return "".join(draw.choices(alphabet, k=n))


def number(draw: Draw, n: int) -> str:
    return some(draw, string.digits, n)


def mixed(draw: Draw, n: int) -> str:
    """Letters and digits as a random token has them: some of each."""
    return draw.choice("Qk") + draw.choice("7492") + draw.choice("xZ") + some(draw, _LETTERS + string.digits, n - 3)


def groups(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(0, len(text), n)]


def email(draw: Draw) -> Canary:
    name, host = some(draw, _LOWER, 7), some(draw, _LOWER, 9)
    written = [f"{name}@{host}.com", f"{name}.{host}+tag@mail.{host}.co.uk", f"{name.title()}_{number(draw, 2)}@{host}.de"]
    return planted(draw, draw.choice(written), "@@", "write to <@@>.", "mailto:@@", '{"user": "@@"}')


def phone(draw: Draw) -> Canary:
    american = f"{draw.randint(201, 989)}-{draw.randint(200, 999)}-{number(draw, 4)}"
    datum, form = draw.choice([
        (american, "please ring @@ today"),
        (f"+1 {american}", "@@"),
        (f"+44 20 7946 {number(draw, 4)}", "@@"),
        (f"0{draw.randint(30, 89)} {number(draw, 8)}", "Telefon: @@"),
        (f"555 {number(draw, 4)}", "my number is @@"),
        (" ".join(["01", *groups(number(draw, 8), 2)]), "@@"),
    ])  # fmt: skip
    return planted(draw, datum, form)


def card(draw: Draw) -> Canary:
    starts, n = draw.choice([("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("2345", 16), ("3052", 14)])
    body = starts + number(draw, n - len(starts) - 1)
    plain = body + luhn.calc_check_digit(body)
    datum = draw.choice([plain, " ".join(groups(plain, 4)), "-".join(groups(plain, 4))]) if n == 16 else plain
    return planted(draw, datum, "@@", "pay with @@, please")


def iban(draw: Draw) -> Canary:
    country, account = draw.choice([("DE", number(draw, 18)), ("GB", some(draw, _UPPER, 4) + number(draw, 14))])
    plain = country + mod_97_10.calc_check_digits(f"{account}{country}") + account
    return planted(draw, draw.choice([plain, " ".join(groups(plain, 4))]), "to @@ by Friday")


def bank_account(draw: Draw) -> Canary:
    return planted(draw, number(draw, draw.randint(8, 12)), "account number: @@", "routing @@", "my bank account no. @@")


def national_id(draw: Draw) -> Canary:
    body = number(draw, 8)
    born = f"{draw.randint(10, 28)}{draw.randint(10, 12)}{draw.randint(40, 99)}"
    person = str(draw.randint(100, 899))
    datum, form = draw.choice([
        (f"{draw.randint(100, 599)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}", "@@"),
        (body + dni.calc_check_digit(body), "@@"),
        (f"{born}-{person}{hetu._calc_checksum(born + person)}", "@@"),
        (number(draw, 10), "NHS no: @@"),
        (f"AB{number(draw, 6)}C", "my national insurance number is @@"),
        (number(draw, 11), "PESEL @@"),
    ])  # fmt: skip
    return planted(draw, datum, form)


def driver_licence(draw: Draw) -> Canary:
    return planted(draw, some(draw, _UPPER, 1) + number(draw, 8), "driver's license @@", "driving licence no. @@")


def passport(draw: Draw) -> Canary:
    machine = f"P<UTO{some(draw, _UPPER, 9)}<<{some(draw, _UPPER, 6)}".ljust(44, "<")
    labelled = planted(draw, draw.choice(["", "K"]) + number(draw, 8), "passport number: @@", "Reisepass @@")
    return draw.choice([Canary(machine, machine), labelled])


def birth_date(draw: Draw) -> Canary:
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1930, 2010)
    written = [f"{day:02}/{month:02}/{year}", f"{year}-{month:02}-{day:02}", f"{day} March {year}", f"March {day}, {year}"]
    return planted(draw, draw.choice(written), "born on @@", "DOB: @@", "date of birth @@")


def imei(draw: Draw) -> Canary:
    body = f"35{number(draw, 12)}"
    return planted(draw, body + luhn.calc_check_digit(body), "IMEI @@")


def address(draw: Draw) -> Canary:
    name, house = some(draw, _LOWER, 8).title(), draw.randint(2, 9998)
    written = [f"{house} {name} Street", f"{house} North {name} Ave, Apt 4", f"{name}straße {house}", f"P.O. Box {house}"]
    return planted(draw, draw.choice(written), "I live at @@")


def ip(draw: Draw) -> Canary:
    six = ":".join(["2a02", *(some(draw, _HEX[1:], 4) for _ in range(7))])
    four = ".".join(str(part) for part in (draw.choice([62, 81, 93, 185, 212]), *(draw.randint(1, 250) for _ in range(3))))
    return draw.choice([planted(draw, six, "@@", "from [@@]:443"), planted(draw, four, "@@", "from @@:443")])


def mac(draw: Draw) -> Canary:
    return planted(draw, draw.choice(":-").join(["5e", *(some(draw, _HEX, 2) for _ in range(5))]), "device @@")


def wallet(draw: Draw) -> Canary:
    paid = b"\0\x01" + draw.randbytes(19)  # each leading zero byte is written as a 1
    value = int.from_bytes(paid + hashlib.sha256(hashlib.sha256(paid).digest()).digest()[:4], "big")
    datum = ""
    while value:
        value, rest = divmod(value, 58)
        datum = _BASE58[rest] + datum
    return planted(draw, draw.choice([f"1{datum}", "0x" + some(draw, _HEX, 40)]), "@@", "send it to @@")


def cloud_key(draw: Draw) -> Canary:
    datum, form = draw.choice([
        (f"AKIA{some(draw, _UPPER + '234567', 16)}", "@@"),
        (f"AIza{mixed(draw, 35)}", "@@"),
        (mixed(draw, 40), "aws_secret_access_key = @@"),
        (f"{mixed(draw, 86)}==", "AccountKey=@@;EndpointSuffix=core.windows.net"),
        (f"aB38Q~{mixed(draw, 34)}", "@@"),
    ])  # fmt: skip
    return planted(draw, datum, form)


def api_token(draw: Draw) -> Canary:
    datum = draw.choice([
        f"ghp_{mixed(draw, 36)}", f"github_pat_{mixed(draw, 22)}_{mixed(draw, 59)}", f"glpat-{mixed(draw, 20)}",
        f"xoxb-{number(draw, 12)}-{number(draw, 12)}-{mixed(draw, 24)}", f"sk_live_{mixed(draw, 24)}",
        f"hf_{some(draw, _LETTERS, 34)}", f"sk-proj-{mixed(draw, 100)}", f"sk-ant-api03-{mixed(draw, 93)}AA",
        f"npm_{mixed(draw, 36)}", f"SG.{mixed(draw, 22)}.{mixed(draw, 43)}", f"{number(draw, 10)}:AA{mixed(draw, 33)}",
    ])  # fmt: skip
    return planted(draw, datum, "@@", "export KEY=@@", "I pasted @@ by mistake")


def fairlead_key(draw: Draw) -> Canary:
    return planted(draw, f"fl_{some(draw, _HEX, 8)}_{some(draw, _HEX, 48)}", "@@", "key @@ was refused")


def jwt(draw: Draw) -> Canary:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, {"sub": number(draw, 10)}))
    return planted(draw, ".".join([*(part.decode().rstrip("=") for part in parts), mixed(draw, 43)]), "@@")


def private_key(draw: Draw) -> Canary:
    lines = groups(base64.b64encode(draw.randbytes(200)).decode(), 64)
    kind, newline = draw.choice(["", "RSA ", "EC ", "OPENSSH "]), draw.choice(["\n", "\\n"])
    text = newline.join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])
    return Canary(text, lines[1])


def password(draw: Draw) -> Canary:
    datum = mixed(draw, 10) + draw.choice(["", "!", "#x"])
    return planted(draw, datum, "password=@@", "password: @@", '"passwd": "@@"', "my password is @@", "PWD='@@'")


def secret(draw: Draw) -> Canary:
    forms = ("token: @@", "api_key=@@", '"client_secret": "@@"', "x-api-key: @@", "/cb?state=1&access_token=@@")
    return planted(draw, mixed(draw, 28), *forms)


def authorization(draw: Draw) -> Canary:
    return planted(draw, mixed(draw, 32), "Authorization: Bearer @@", "'authorization': 'Basic @@='", "Bearer @@")


def cookie(draw: Draw) -> Canary:
    return planted(draw, mixed(draw, 24), "Cookie: sid=@@; theme=dark", "Set-Cookie: sid=@@; HttpOnly")


def url_credentials(draw: Draw) -> Canary:
    return planted(draw, mixed(draw, 12), "postgresql://app:@@@db.internal:5432/x")


def seed_phrase(draw: Draw) -> Canary:
    return planted(draw, " ".join(draw.choices(_WORDS, k=12)), "my seed phrase: @@")


CANARIES: dict[str, Callable[[Draw], Canary]] = {
    maker.__name__: maker
    for maker in (
        email, phone, card, iban, bank_account, national_id, driver_licence, passport, birth_date, imei, address, ip, mac,
        wallet, cloud_key, api_token, fairlead_key, jwt, private_key, password, secret, authorization, cookie,
        url_credentials, seed_phrase,
    )
}  # fmt: skip
