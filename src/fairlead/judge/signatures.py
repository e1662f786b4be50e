"""Signatures: the policy's patterns, compiled into one RE2 set, so that ten thousand cost little more than one."""

from __future__ import annotations

from collections.abc import Iterable

import re2
from msgspec import Struct

from fairlead.policy.document import Rule
from fairlead.records.errors import InputError

_MEMORY = 64 << 20  # bytes for the automaton; when RE2 runs out it reports no match, so the bound is far from our needs


class Hit(Struct, frozen=True):
    """A pattern that matched: the rule that holds it and the pattern's id."""

    rule: str
    pattern: str


class Signatures:
    """The compiled patterns of all rules, matched without regard to case."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises InputError with rule and pattern id for an expression that RE2 cannot read."""
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        self._hits: list[Hit] = []
        for rule in rules:
            for pattern in rule.detect.patterns if rule.detect else ():
                try:
                    self._set.Add(pattern.match)
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
        return [self._hits[index] for index in sorted(self._set.Match(text) or ())]  # None when there is no match
