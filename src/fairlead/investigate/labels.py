"""What people said of an item under a rule, in one answer."""

from __future__ import annotations

from fairlead.ledger.rows import Labels

_REVIEWER, _REASONER = "reviewer:", "reasoner:"


def said(labels: Labels, rule: str) -> bool | None:
    """Whether the item violates the rule: the majority of its reviewers, each by their last word; without any, the last
    finding. A reasoner's label is a judge's word, and does not count. None on a tie, or when nobody said anything."""
    given = [label for label in labels.given if label.rule == rule and not label.by.startswith(_REASONER)]
    reviewers = {label.by: label.violates for label in given if label.by.startswith(_REVIEWER)}
    votes = list(reviewers.values()) or [label.violates for label in given[-1:]]
    return None if 2 * sum(votes) == len(votes) else 2 * sum(votes) > len(votes)
