"""Read a policy file, what it extends and its files of examples. Every error says file, line, what was wrong and the nearest
right key; nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.policy.check import problems
from fairlead.policy.core import CORE, NAME, named
from fairlead.policy.document import Policy
from fairlead.policy.example_file import with_examples
from fairlead.policy.inherit import Override, inherit, misnamed, overridden
from fairlead.policy.mistake import convert, mistakes
from fairlead.policy.problem import Problem
from fairlead.policy.source import Node, read_yaml
from fairlead.policy.weaker import weaker
from fairlead.records.errors import InputError, PolicyError


class Loaded(Struct, frozen=True):
    """A policy that was read: what is wrong with it, and, where it extends another, that one and what it changes of it."""

    policy: Policy
    source: Node
    problems: tuple[Problem, ...] = ()
    extends: Policy | None = None
    overrides: tuple[Override, ...] = ()

    def error(self, problem: Problem) -> PolicyError:
        """The error that names file and line."""
        return self.source.error(problem.path, problem.text)

    def right(self) -> Policy:
        """The policy. Raises PolicyError for the first problem."""
        for problem in self.problems:
            raise self.error(problem)
        return self.policy


def load(path: Path) -> Policy:
    """The policy in a file. Raises InputError when it cannot be read, PolicyError with file and line when it is wrong."""
    return read(path).right()


def parse(text: str, *, file: str = "<policy>") -> Policy:
    """The policy in a text. `file` is what errors call it, and what it extends is looked for beside. Raises PolicyError."""
    return _loaded(text, file, ()).right()


def read(path: Path) -> Loaded:
    """The policy in a file, with what is wrong across it. Raises as `load` for what cannot be read as a policy at all: the
    first mistake, and in its `more` the others that the schema finds."""
    path = named(path)
    return _loaded(_text(path), str(path), ())


def _loaded(text: str, file: str, above: tuple[Path, ...]) -> Loaded:
    source = written = read_yaml(text, file)
    below: Loaded | None = None
    overrides: tuple[Override, ...] = ()
    if "extends" in source.value:
        below = _below(source, (*above, Path(file).resolve()))
        source, overrides = inherit(below.source, source)
    strangers = list(misnamed(below.source, written)) if below else []
    source = with_examples(source)
    try:
        policy = convert(source.plain())
    except msgspec.ValidationError as error:
        raise _together([*mistakes(source, error), *strangers]) from error
    if strangers:
        raise _together(strangers)
    wrong = [*problems(policy), *(_upon(below, written, policy) if below else ())]
    return Loaded(policy, source, tuple(wrong), below.policy if below else None, overrides)


def _together(errors: list[PolicyError]) -> PolicyError:
    """One error for each line, in the order of the file: the first holds the others. Of two on a line the later holds."""
    first, *more = sorted(
        {(error.file, error.line): error for error in errors}.values(), key=lambda error: (error.file, error.line)
    )
    first.more = tuple(more)
    return first


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the policy {path}: {error.strerror}; name a file, or `core`") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"is not UTF-8 at byte {error.start}; save it as UTF-8", file=str(path)) from error


def _below(source: Node, above: tuple[Path, ...]) -> Loaded:
    """The policy that a file extends, which must be right by itself."""
    wanted = source.at("$.extends").plain()
    if not isinstance(wanted, str):
        raise source.error("$.extends", "`extends` names one policy: `core`, or the path of a file")
    path = CORE if wanted == NAME else Path(source.file).parent / wanted
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name may hold what no path does
        there = False
    if not there:
        raise source.error("$.extends", f"there is no policy at {path}; write `core`, or a path from this file's folder")
    if path.resolve() in above:
        raise source.error("$.extends", f"{wanted} extends this file in turn; take one of the two out")
    below = _loaded(_text(path), str(path), above)
    below.right()
    return below


def _upon(below: Loaded, above: Node, policy: Policy) -> Iterator[Problem]:
    """The name of the policy below, and overrides of rules with root authority that allow more, and do not say why."""
    if policy.id == below.policy.id:
        yield Problem("$.id", f"the id {policy.id!r} is that of the policy below; write one of your own")
    for id, node in overridden(below.source, above).items():
        before = below.policy.rule(id)
        if before.authority == "root" and not ("weakens" in node.value and str(node.value["weakens"].plain()).strip()):
            at = f"$.rules[{[rule.id for rule in policy.rules].index(id)}]"
            if how := "; ".join(weaker(before, policy.rule(id), policy.tiers)):
                yield Problem(at, f"rule {id!r} has root authority and would be weakened: {how}. Say why with `weakens: …`")
