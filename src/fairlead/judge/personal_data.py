"""Personal data and secrets as a signal: what `fairlead.personal` finds, for the rules that name its kind."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from fairlead.personal.find import find
from fairlead.policy.document import Rule


class Datum(Struct, frozen=True):
    """Something was found: the rule that names its kind, and the kind. It never holds the datum."""

    rule: str
    kind: str


class PersonalData:
    """The kinds that `detect.personal` of the rules names. A text is not read when no rule names one."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._named = [Datum(rule.id, kind) for rule in rules if rule.detect for kind in rule.detect.personal]

    def hits(self, text: str) -> list[Datum]:
        """What is found anywhere in `text`, in the policy's order, each kind once for a rule."""
        if not self._named:
            return []
        found = {span.kind for span in find(text)}
        return [named for named in self._named if named.kind in found]
