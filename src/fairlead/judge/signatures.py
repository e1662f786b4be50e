"""Signatures: the policy's patterns, looked for all at once.

One RE2 set holds the `needs` of every pattern, or its whole expression where it has none, so that a text is read once however
many there are. A pattern whose part was found is then looked for by itself. A set has a state for each combination of
expressions that have begun, so those that often begin and seldom end make it slow: `needs` keeps them out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2
from msgspec import Struct

from fairlead.policy.document import Rule
from fairlead.records.errors import InputError

# Bytes for the set's automaton, which is built from the texts that it reads, and anew when full. A set that cannot hold even
# one state says that nothing matched, so the bound is far from our needs.
_MEMORY = 32 << 20
_ALONE = 4 << 20  # bytes for a pattern by itself: there are many, and one that runs out goes on without an automaton


class Hit(Struct, frozen=True):
    """A pattern that matched: the rule that holds it and the pattern's id."""

    rule: str
    pattern: str


class Signatures:
    """The compiled patterns of all rules, matched without regard to case, in time linear in the text."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises InputError with rule and pattern id for an expression that RE2 cannot read."""
        self._set = re2.Set.SearchSet(_options(_MEMORY))
        self._hits: list[Hit] = []
        self._whole: list[Any] = []  # None where the set holds the whole expression
        for rule in rules:
            for pattern in rule.detect.patterns if rule.detect else ():
                try:
                    self._set.Add((pattern.needs or pattern.match).encode())
                    self._whole.append(re2.compile(pattern.match.encode(), _options(_ALONE)) if pattern.needs else None)
                except re2.error as error:
                    raise InputError(
                        f"rule `{rule.id}`: pattern `{pattern.id}` is not an RE2 expression ({error}); "
                        "RE2 has neither look-around nor back-references"
                    ) from None
                self._hits.append(Hit(rule.id, pattern.id))
        try:
            self._set.Compile()
        except re2.error:
            raise InputError(
                f"the {len(self._hits)} patterns together are too large for RE2; simplify counted repetitions"
            ) from None

    def __len__(self) -> int:
        return len(self._hits)

    def hits(self, text: str) -> list[Hit]:
        """The patterns found anywhere in `text`, in the policy's order."""
        if not self._hits:
            return []
        raw = text.encode("utf-8", "replace")
        found = sorted(self._set.Match(raw) or ())  # None when there is no match
        return [self._hits[index] for index in found if self._whole[index] is None or self._whole[index].search(raw)]


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    return options
