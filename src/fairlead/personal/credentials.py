"""Whatever stands where a secret is written: after a name such as `password`, in a header, in a URL."""

from __future__ import annotations

import math
from collections import Counter

import re2

from fairlead.personal.recogniser import LONG, Recogniser

# The secret half of a cloud's key has no mark of its own: it is known by the name before it.
_CLOUD = (
    r"(?i:aws_?secret(?:_?access)?_?key|secret_?access_?key|aws_?session_?token|account_?key|shared_?access_?(?:key|signature))"
    r"[\"']?[ \t]{0,4}(?:[:=]|=>)[ \t]{0,4}[\"']?([0-9A-Za-z+/=%_\-]{40,1000})"
)
_SCHEME = r"(?i:bearer|basic|digest|negotiate|token|apikey|aws4-hmac-sha256|sharedkey|hawk|oauth)"
_QUOTED = r"\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|`[^`\n]{1,400}`"
_IS = r"[\"'`]?\)?[ \t]{0,8}(?::=|=>|==?|:|<-)[ \t]{0,8}"
# After the first words any value is a secret, after the second only one that looks like it.
_MUST_HIDE = r"(?i:pass(?:word|wd|phrase|code)?|passwort|contrase[n\xf1]a|mot de passe|pwd|pin(?: code)?|secret)"
_MAY_HIDE = (
    r"(?i:(?:api|access|auth|secret|private|encryption|signing|client|service|master|session|refresh|bearer|bot|id|csrf|app)"
    r"[ _\-]?(?:key|token|secret)s?|token|credentials?|webhook[ _\-]?secret|connection[ _\-]?string|x-api-key|jwt)"
)
_KEY_LIKE = r"(?i:key|token|secret|credential|auth|bearer|signature|session|password|passwd)"
_HEADER = rf"(?i:authorization){_IS}[\"'`]?({_SCHEME} [^\s\"'`\[]{{6,}}(?:,? [a-zA-Z]+=[^\s\[]+){{0,8}})"
_IN_URL = (
    r"(?i:[?&](?:x-amz-signature|x-amz-security-token|x-goog-signature|sig|signature|access_token|api_?key|token|code|key)=)"
    r"([0-9A-Za-z%+/=._~\-]{12,})"
)
_SEED = (
    r"\b(?i:(?:seed|recovery|secret|backup) (?:phrase|words)|mnemonic(?: phrase)?)\b[^0-9\n\[\]]{0,12}?"
    r"\b((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})\b"
)
_PLACEHOLDER = re2.compile(
    r"(?i)[\W_]*|[<{\[$%].*|.*\.\.\.|x+|\*+|(?:none|null|nil|true|false|undefined|str|string|int|bytes|bool|optional|any|text"
    r"|varchar|required|missing|empty|invalid|wrong|incorrect|expired|changeme|redacted|hidden|key|token|secret|password)\W*"
)
_CODE = re2.compile(r"[A-Za-z_][\w.]*[(\[].*|(?:self|os|args|config|settings|env|process|request|cls|this|app|ctx)[.\[].*")
_VARIABLE = re2.compile(r"(?i)[a-z_.]*(?:pass|pwd|secret|pin)[a-z_.]*")
_MARKED = re2.compile(r"[0-9!@#$%^&*]")
_SPOKEN = re2.compile(r"[a-z]{7}|/.*/.*/")  # a word, a path


def _password(datum: str) -> bool:
    """Not a placeholder, a type, a call or a variable of the same name."""
    bare = datum.strip("\"'`,;)")
    if len(bare) < 3 or (len(bare) == 3 and bare.islower() and bare.isalpha()) or _PLACEHOLDER.fullmatch(bare):
        return False
    quoted = datum[0] in "\"'`"
    return quoted or not (_CODE.fullmatch(bare) or _VARIABLE.fullmatch(bare))


def _token(datum: str) -> bool:
    """A password that also has letters and digits, or is a long word that no program would name a variable."""
    bare = datum.strip("\"'`,;)")
    mixed = any(c.isdigit() for c in bare) and any(c.isalpha() for c in bare)
    return len(bare) >= 8 and mixed and _password(datum)


def _said(datum: str) -> bool:
    """After `is`, which prose uses too, a secret must look like one."""
    return len(datum) >= 5 and bool(_MARKED.search(datum.rstrip("!.,;:)"))) and _password(datum)


def _random(datum: str) -> bool:
    """Drawn at random, by its look: capitals, small letters and digits, spread evenly. Hexadecimal digests are not."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(map(kind, datum)) for kind in kinds) and _entropy(datum) >= 3.8 and not _SPOKEN.search(datum)


def _entropy(datum: str) -> float:
    """Bits a character."""
    return -sum(n / len(datum) * math.log2(n / len(datum)) for n in Counter(datum).values())


RECOGNISERS = (
    Recogniser("cloud_key", _CLOUD, needs=r"(?i:aws_?secret|secret_?access|session_?token|account_?key|shared_?access)"),
    Recogniser("authorization", _HEADER, needs=r"(?i:authorization)"),
    Recogniser("authorization", r"\b(?i:bearer) ([0-9A-Za-z+/=._~\-]{16,})", needs=r"(?i:bearer) "),
    Recogniser("authorization", r"\bBasic ([0-9A-Za-z+/]{8,}={1,2})", needs=r"Basic "),
    Recogniser("cookie", r"(?i:cookie):[ \t]{0,4}([0-9A-Za-z_.\-]{1,64}=[^\r\n]{4,})", needs=r"(?i:cookie):"),
    Recogniser(
        "url_credentials",
        r"[a-zA-Z][0-9a-zA-Z+.\-]{1,20}://([^\s/:@\[\]]{0,64}:[^\s/\[\]]{1,256})@",
        needs=r"://[^\s/:@\[\]]*:",
    ),
    Recogniser("secret", _IN_URL, needs=r"[?&][0-9A-Za-z_\-]{1,20}="),
    Recogniser("secret", rf"(?:\b|_){_MAY_HIDE}{_IS}({_QUOTED}|[^\s\"'`]{{8,}})", _token, rf"(?:\b|_){_MAY_HIDE}{_IS}"),
    Recogniser("password", rf"(?:\b|_){_MUST_HIDE}{_IS}({_QUOTED}|[^\s\"'`]{{3,}})", _password, rf"(?:\b|_){_MUST_HIDE}{_IS}"),
    Recogniser(
        "password",
        rf"\b{_MUST_HIDE} (?i:is|was)[: ]{{1,2}}({_QUOTED}|[^\s\"'`]{{5,}})",
        _said,
        rf"\b{_MUST_HIDE} (?i:is|was)[: ]",
    ),
    Recogniser("secret", rf"{_KEY_LIKE}[^\n\[\]]{{0,40}}?\b([0-9A-Za-z+/_\-]{{20,200}}={{0,2}})", _random, LONG),
    Recogniser("seed_phrase", _SEED, needs=r"(?i:(?:seed|recovery|secret|backup) (?:phrase|words)|mnemonic)"),
)
