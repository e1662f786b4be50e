"""Rules that name kinds of personal data are told the kind that was found, and never the datum."""

from __future__ import annotations

import msgspec
import pytest
from judge_toys import rule
from msgspec import structs

from fairlead.judge.personal_data import Datum, PersonalData
from fairlead.personal.find import KINDS
from fairlead.policy.document import Rule

DATA = {
    "email": "ann.lee@example.com",
    "card": "4111 1111 1111 1111",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "ip": "81.2.69.142",
    "password": "my password is hunter2!",
}


def naming(id: str, *kinds: str) -> Rule:
    plain = rule(id)
    return structs.replace(plain, detect=structs.replace(plain.detect, personal=kinds))


@pytest.mark.parametrize("kind", DATA)
def test_a_kind_that_is_named_is_found_and_one_that_is_not_is_not(kind: str) -> None:
    others = [other for other in KINDS if other != kind]
    found = PersonalData([naming("one", kind), naming("others", *others)]).hits(f"so: {DATA[kind]}\nand no more")
    assert Datum("one", kind) in found
    assert Datum("others", kind) not in found
    assert DATA[kind] not in msgspec.json.encode(found).decode()


def test_hits_stand_in_the_order_of_the_policy_and_once() -> None:
    text = "write to ann.lee@example.com or bob.lee@example.com, pay with 4111 1111 1111 1111"
    rules = [naming("b", "card", "email"), naming("none"), naming("a", "email", "iban")]
    assert PersonalData(rules).hits(text) == [Datum("b", "card"), Datum("b", "email"), Datum("a", "email")]


def test_without_rules_that_name_a_kind_nothing_is_found() -> None:
    assert PersonalData([rule("none")]).hits("ann.lee@example.com") == []
