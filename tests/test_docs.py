"""The pages cannot drift: commands, kinds, keys, codes, names and links in them are those of the code."""

from __future__ import annotations

import contextlib
import inspect
import re
import shlex
import tempfile
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from fairlead.basin.disguises import DISGUISES
from fairlead.cli.main import EXIT, app
from fairlead.policy import document
from fairlead.policy.act import STRICTNESS
from fairlead.policy.core import CORE
from fairlead.policy.example_file import ExampleFile
from fairlead.policy.expression import compile_when
from fairlead.policy.load import load, parse
from fairlead.policy.mistake import RESOLVED
from fairlead.records.entry import AnyPayload
from fairlead.records.errors import PolicyError
from fairlead.redteam.transform import TRANSFORMS

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
COMMANDS: Any = typer.main.get_command(app)

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
SESSION = re.compile(r"^    \$ (fairlead policy (?:new|check|show|diff) (?:.*\\\n)*.*)$", re.MULTILINE)
CODE = re.compile(r'Refusal\(\s*(\d{3}),\s*"([a-z_]+)"')


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def prose(text: str) -> str:
    """The text without its blocks of code, in which a bracket is no link and a hash no heading."""
    return INDENTED.sub("\n", FENCE.sub("\n", text))


def commands_in(text: str) -> Iterator[str]:
    """Whatever stands in code and starts with our name; a line that ends in a backslash goes on."""
    blocks = [*FENCE.findall(text), *INDENTED.findall(FENCE.sub("\n", text))]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for snippet in [*lines, *INLINE.findall(FENCE.sub("\n", text))]:
        words = snippet.strip().removeprefix("$ ").removeprefix(".venv/bin/")
        if words.startswith("fairlead "):
            yield words


def followed(words: str) -> tuple[str, list[str]]:
    """The command that a line names, and what is wrong with its options."""
    at, path, wrong = COMMANDS, ["fairlead"], []
    for word in shlex.split(re.split(r" [|>&] ", words)[0], comments=True)[1:]:
        if word.startswith("-") and word != "-":
            known = {"--help", *(opt for param in at.params for opt in param.opts)}
            wrong += [] if word.partition("=")[0] in known else [f"{' '.join(path)} has no option {word}"]
        elif word in getattr(at, "commands", {}):
            at, path = at.commands[word], [*path, word]
        elif path == ["fairlead", "judge"]:
            at, path = at.commands["text"], [*path, "text"]
        elif at is COMMANDS and re.fullmatch(r"[a-z]+", word):
            wrong.append(f"there is no command {word}")
    return " ".join(path), wrong


def leaves(command: Any, path: str) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield path
    for name, sub in subcommands.items():
        yield from leaves(sub, f"{path} {name}")


def slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def anchors(file: Path) -> set[str]:
    """What a link may name after `#`; a link without one names the whole file."""
    headings = HEADING.findall(prose(file.read_text(encoding="utf-8"))) if file.suffix == ".md" else []
    return {"", *map(slug, headings)}


@pytest.mark.parametrize("file", PAGES, ids=lambda p: p.name)
def test_commands_in_the_pages_exist_with_their_options(file: Path) -> None:
    wrong = [(words, problem) for words in commands_in(file.read_text(encoding="utf-8")) for problem in followed(words)[1]]
    assert not wrong


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("fairlead polish check", "there is no command polish"),
        ("fairlead ledger show x --sequence 3", "fairlead ledger show has no option --sequence"),
        ('fairlead judge "a text" --depth 3', "fairlead judge text has no option --depth"),
    ],
)
def test_a_wrong_command_is_noticed(words: str, problem: str) -> None:
    assert problem in followed(words)[1]


def test_every_command_is_described() -> None:
    named = {followed(words)[0] for file in PAGES for words in commands_in(file.read_text(encoding="utf-8"))}
    assert set(leaves(COMMANDS, "fairlead")) <= named


def test_exit_statuses_are_described() -> None:
    for error, status in EXIT.items():
        assert re.search(rf"^\| {status} \|", page("start"), re.MULTILINE), error


def test_ledger_kinds_stand_in_the_table_in_the_words_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| (.+) \|$", page("ledger"), re.MULTILINE))
    said = {kind.__struct_config__.tag: inspect.getdoc(kind).split("\n\n")[0] for kind in get_args(AnyPayload)}
    assert rows == {tag: " ".join(text.split()) for tag, text in said.items()}


@pytest.mark.parametrize(
    "record",
    [
        r
        for r in vars(document).values()
        if getattr(r, "__module__", "") == document.__name__ and getattr(r, "__struct_fields__", ())
    ],
    ids=lambda r: r.__name__,
)
def test_every_key_of_the_policy_file_is_described(record: type[msgspec.Struct]) -> None:
    assert [key for key in record.__struct_fields__ if f"`{key}`" not in page("policy")] == []


def test_the_keys_that_are_resolved_on_reading_are_described() -> None:
    keys = {key for keys in RESOLVED.values() for key in keys} | set(ExampleFile.__struct_fields__)
    assert [key for key in keys if f"`{key}`" not in page("policy")] == []


def test_every_action_of_a_policy_is_described_in_order() -> None:
    listed = re.findall(r"^\| `([a-z_]+)` \| \d+ \|", page("policy"), re.MULTILINE)
    assert listed == sorted(STRICTNESS, key=STRICTNESS.__getitem__)


def test_the_small_policy_of_the_page_is_right_and_its_errors_are_what_the_page_says() -> None:
    text = textwrap.dedent(next(block for block in INDENTED.findall(page("policy")) if "schema: 1" in block))
    assert parse(text).rule("secrets.system_prompt").actions("staff") == ("flag",)
    changes = {
        "severity: medium": ["severty: medium", "severity: huge"],
        "review: 0.5": ["review: 0.9"],
        "strike(1)": ["strke(1)"],
        "staff: [flag]": ["stuff: [flag]", "staff: [block, strike(3)]"],
        "requests_per_minute: 60": ["requests_per_minute: 10", "requests_per_minute: 6000"],
        "do: suspend": ["do: suspnd"],
        "state: enforce": ["state: enforced", "state: canary", "state: canary(0.5)"],
        'window="24h"': ['window="1 day"', 'window="900d"'],
        'tier == "staff"': ['tier == "staf"', 'tier = "staff"'],
        " and not": [" && not"],
        "public: [case]": ["public: [allow, case]"],
        'rule="secrets.*"': ['rule="secret.*"'],
        ">= 3": ["< 0", ">= 2.5"],
        'count("block"': ['cuont("block"', 'signal.harm["system_promt"] > 0.5 and count("block"'],
        "id: secrets.repeat": ["id: secrets.system_prompt", "id: Asked again"],
        "    definition: >-": ["    definition: >-\n    definition: >-"],
    }
    given = set()
    for right, wrongs in changes.items():
        for wrong in wrongs:
            with pytest.raises(PolicyError) as caught:
                parse(text.replace(right, wrong), file="wrong.yaml")
            given.add(f"fairlead: {caught.value}")
    assert given == {line.strip() for line in page("policy").splitlines() if line.startswith("    fairlead: wrong.yaml:")}


def sessions(folder: Path) -> Iterator[tuple[str, str]]:
    """The commands of the policy page that need nothing but core, run one after the other in `folder`: how the page writes
    each, and what it must show of it."""
    (folder / "policies").symlink_to(ROOT / "policies")
    for written in SESSION.findall(page("policy")):
        words = shlex.split(written.replace("\\\n", " "))[1:]
        if "--ledger" not in words:
            with contextlib.chdir(folder):
                done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
            yield written, "" if words[1] == "new" else textwrap.indent(done.output, "    ")


def test_what_the_policy_page_shows_is_what_the_commands_print(tmp_path: Path) -> None:
    """`python tests/test_docs.py` prints what the page must show, with version and digest of core."""
    shown = list(sessions(tmp_path))
    assert len(shown) == 5
    wrong = [f"    $ {command}\n{said}" for command, said in shown if f"    $ {command}\n{said}" not in page("policy")]
    assert not wrong, "docs/policy.md must show:\n" + "\n".join(wrong)
    assert set(re.findall(r"\bcore (\d+\.\d+\.\d+)", page("policy"))) == {load(CORE).version}
    rules = next(block for block in INDENTED.findall(page("policy")) if block.startswith("    rules:\n    - id: privacy"))
    assert (tmp_path / "helpdesk.yaml").read_text(encoding="utf-8").endswith(textwrap.dedent(rules))


def test_the_conditions_of_the_page_are_in_the_language() -> None:
    block = next(b for b in INDENTED.findall(page("policy")) if 'count("flag"' in b)
    for line in block.splitlines():
        assert compile_when(line.strip()) is not None


def test_every_refusal_of_the_gateway_is_described() -> None:
    source = "\n".join(f.read_text(encoding="utf-8") for f in sorted((ROOT / "src/fairlead/gateway").glob("*.py")))
    given = {(status, code) for status, code in CODE.findall(source)}
    listed = set(re.findall(r"^\| (\d{3}) \| `([a-z_]+)` \|", page("gateway"), re.MULTILINE))
    assert given == listed


def test_every_transform_is_described() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| ([a-z0-9 -]+) \| (yes|no) \|", page("redteam"), re.MULTILINE)
    assert rows == [(t.family, t.member, "yes" if t.held_out else "no") for t in TRANSFORMS]


def test_every_disguise_of_the_basin_is_described() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| ([a-z-]+) \| (yes|no) \|", page("basin"), re.MULTILINE)
    assert rows == [(d.family, d.name, "no" if d.seen else "yes") for d in DISGUISES]


def test_every_benchmark_and_every_bar_is_described() -> None:
    modules = {f.stem for f in (ROOT / "bench").glob("*.py")} - {"__init__", "report"}
    assert modules == set(re.findall(r"^\| `([a-z]+)` \|", page("bench"), re.MULTILINE))
    assert set(tomllib.loads((ROOT / "bench/bars.toml").read_text(encoding="utf-8"))) <= modules


@pytest.mark.parametrize("file", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_links_inside_the_repository_resolve(file: Path) -> None:
    broken = []
    for target in LINK.findall(INLINE.sub("", prose(file.read_text(encoding="utf-8")))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = file.parent / name if name else file
        known = anchors(there) if there.exists() else set()
        broken += [] if anchor in known else [target]
    assert not broken


def test_every_page_stands_in_the_navigation_once() -> None:
    def files(nav: Any) -> Iterator[str]:
        if isinstance(nav, str):
            yield nav
        else:
            for part in nav.values() if isinstance(nav, dict) else nav:
                yield from files(part)

    listed = list(files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(listed) == [file.name for file in DOCS]


def test_the_house_tree_names_every_folder_and_no_other() -> None:
    house = (ROOT / "README.md").read_text(encoding="utf-8").split("## The house")[1].split("\n## ")[0]
    named = re.findall(r"^      (\w+)/ ", house, re.MULTILINE)
    # A folder that holds nothing but compiled files was left behind by a change of branch.
    there = [f.name for f in (ROOT / "src/fairlead").iterdir() if any(p.is_file() and p.suffix != ".pyc" for p in f.rglob("*"))]
    assert sorted(named) == sorted(there)


def test_the_terms_of_the_glossary_are_unique() -> None:
    glossary = (ROOT / "README.md").read_text(encoding="utf-8").split("## Glossary")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", glossary, re.MULTILINE)[2:]
    terms = Counter(term.strip().lower() for row in rows for term in row.split(","))
    assert len(terms) > 10
    assert [term for term, times in terms.items() if times > 1] == []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for command, said in sessions(Path(folder)):
            print(f"    $ {command}\n{said}")
