"""Numbers and dates by which states and devices know a person.

A number that shows itself, by its form and a check digit, needs no label. Any other is taken for what its label says, whatever
its check digit: a mistyped one is as personal.
"""

from __future__ import annotations

from stdnum import cl, cz, imei, mx
from stdnum.ar import cuit
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.no import fodselsnummer
from stdnum.se import personnummer
from stdnum.us import itin, ssn

from fairlead.personal.recogniser import NUMBER, Recogniser, digits, label, labelled


def _enough(datum: str) -> bool:
    """Six digits at least, and no number with a fraction."""
    return len(digits(datum)) >= 6 and not datum.startswith("0.")


def _american(datum: str) -> bool:
    return ssn.is_valid(datum) or itin.is_valid(datum)


_SHOWN = (
    (r"\d{3}-\d{2}-\d{4}", _american),
    (r"[2-9]\d{3}[ \-]\d{4}[ \-]\d{4}", aadhaar.is_valid),
    (r"\d{8}-?[A-HJ-NP-TV-Z]", dni.is_valid),
    (r"[XYZ]-?\d{7}-?[A-Z]", nie.is_valid),
    (r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", nir.is_valid),
    (r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", nn.is_valid),
    (r"(?:\d{2})?\d{6}[\-+]\d{4}", personnummer.is_valid),
    (r"\d{6} \d{5}", fodselsnummer.is_valid),
    (r"\d{6}[\-+A-FU-Y]\d{3}[0-9A-Y]", hetu.is_valid),
    (r"\d{6}/\d{3,4}", cz.rc.is_valid),
    (r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf.is_valid),
    (r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]", cl.rut.is_valid),
    (r"\d{2}-\d{8}-\d", cuit.is_valid),
    (r"756\.\d{4}\.\d{4}\.\d{2}", ahv.is_valid),
    (r"[1-9]\d{16}[\dXx]", ric.is_valid),
    (r"\d{6}-\d{7}", rrn.is_valid),
    (r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", mx.curp.is_valid),
)

_NATIONAL = (
    r"My Number|SIN|TIN|PAN|NIR|NIE|NIF|DNI|RUT|CPR|TFN|CNP|EGN|AFM|RRN|BSN|NINO|NRIC|JMBG"  # in small letters these are words
    r"|(?i:ssn|social security|social insurance|national insurance|ni number|nhs|tax file|tax (?:payer )?(?:id|number)"
    r"|taxpayer (?:id|identification)|steuer-?(?:id|nummer|identifikationsnummer)|idnr|sozialversicherungsnummer"
    r"|burgerservicenummer|pesel|personnummer|f\xf8dselsnummer|henkil\xf6tunnus|cpf|curp|oib|amka|aadhaar|aadhar|emirates id"
    r"|kimlik(?: no)?|teudat zehut|c[e\xe9]dula|cuil|cuit|codice fiscale|s[e\xe9]curit[e\xe9] sociale"
    r"|(?:national|personal|citizen)[ _\-]?(?:id|identity|identification|number)"
    r"|(?:id|identity)[ _\-](?:card|number|document|no)"
    r"|medicare|medical record|mrn|patient (?:id|number)|health (?:card|insurance))"
)
_LICENCE = r"(?i:driv(?:er(?:'?s)?|ing)[ _\-]licen[cs]e|f\xfchrerschein|permis de conduire|permiso de conducir)|DL"
_PASSPORT = r"(?i:passport|reisepass|passeport|pasaporte|passaporto|paspoort)"
_BORN = (
    r"(?i:born(?: on)?|date[ _\-]of[ _\-]birth|birth[ _\-]?da(?:y|te)|d\.?o\.?b|geboren(?: am)?|geburtsdatum|n[e\xe9]e? le"
    r"|date de naissance|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento|nascid[oa] em"
    r"|geboortedatum)"
)
_MONTH = (
    r"(?i:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f\xe9vrier|mar(?:ch|s)?|m\xe4rz|apr(?:il)?|avril|may|mai|jun[ei]?|juin|jul[yi]?"
    r"|juillet|aug(?:ust)?|ao\xfbt|sep(?:t(?:ember|embre)?)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|d\xe9cembre)"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_DATE = (
    r"\d{4}[./\-]\d{1,2}[./\-]\d{1,2}|\d{1,2}[./\-]\d{1,2}[./\-]\d{4}|\d{1,2}[./\-]\d{1,2}[./\-]\d{2}"
    rf"|{_DAY} (?:of )?{_MONTH}\.?,? (?:19|20)\d{{2}}|{_MONTH}\.? {_DAY},? (?:19|20)\d{{2}}"
)

RECOGNISERS = (
    *(Recogniser("national_id", pattern, holds, NUMBER) for pattern, holds in _SHOWN),
    Recogniser("national_id", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", pan.is_valid, r"[A-Z]\d{4}[A-Z]"),
    Recogniser(
        "national_id", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", codicefiscale.is_valid, r"[A-Z]\d{2}[A-Z]\d{2}[A-Z]"
    ),
    Recogniser(
        "national_id", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d{2} \d{2} \d{2} [A-D]", needs=NUMBER
    ),  # British, as it is printed
    Recogniser("national_id", labelled(_NATIONAL, r"[A-Z]{0,4}[0-9](?:[ ./\-]?[0-9A-Za-z]){4,18}"), _enough, label(_NATIONAL)),
    Recogniser("driver_licence", labelled(_LICENCE, r"[A-Z]{0,5}[0-9][0-9A-Z\-]{4,18}"), needs=label(_LICENCE)),
    Recogniser("passport", labelled(_PASSPORT, r"[A-Z]{0,3}[0-9]{6,9}[A-Z]?"), needs=label(_PASSPORT)),
    # The machine-readable lines of a passport.
    Recogniser("passport", r"P[A-Z<][A-Z<]{3}[A-Z<]{39}(?:\s[0-9A-Z<]{44})?", needs=r"[A-Z<]{15}"),
    Recogniser("birth_date", labelled(_BORN, _DATE), needs=label(_BORN)),
    Recogniser("imei", labelled(r"(?i:imei|device id)", r"\d{2}[ \-]?\d{6}[ \-]?\d{6}[ \-]?\d"), imei.is_valid, NUMBER),
)
