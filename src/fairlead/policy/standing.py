"""What the steps of the ladder that are in force do to an account's requests, before anything is judged."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fairlead.policy.document import Policy

_CLOSED = frozenset({"suspend", "ban"})


def closed(in_force: Collection[str]) -> bool:
    """Whether the account is shut out."""
    return not _CLOSED.isdisjoint(in_force)


def lowered(policy: Policy, tier: str, in_force: Sequence[str]) -> str:
    """The tier that holds after the steps down; the policy names the least trusted tier first. One it does not know stays."""
    if tier not in policy.tiers:
        return tier
    return policy.tiers[max(0, policy.tiers.index(tier) - in_force.count("tier_down"))]
