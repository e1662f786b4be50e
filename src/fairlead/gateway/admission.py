"""May they ask: account, tier, quota. What is not granted is refused."""

from __future__ import annotations

import math
from collections.abc import Callable

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from msgspec import Struct

from fairlead.gateway.identity import identify
from fairlead.gateway.refusal import Refusal
from fairlead.ledger.fold import State
from fairlead.policy.document import Policy, Quota
from fairlead.policy.standing import closed, lowered

_THROTTLED = 4  # a throttled account has a quarter of its tier's quota


class Caller(Struct, frozen=True):
    """Who was let in. `tier` is the one that holds now, which may be lower than the key's."""

    account: str
    tier: str


class Admission:
    """Decides at the door. Quotas are counted by account, in the memory of this process: a restart forgets them."""

    def __init__(self, policy: Policy, clock: Callable[[], float]) -> None:
        self._policy, self._clock = policy, clock
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def identified(self, authorization: bytes | None, state: State) -> Caller:
        """The caller, before asking whether they may. Raises Refusal for a key that opens nothing."""
        now = self._clock()
        key = identify(authorization, state, now)
        if key is None:
            raise Refusal(
                401,
                "invalid_api_key",
                "no valid API key was given; send `Authorization: Bearer KEY` with a current key",
                cause="key",
            )
        return Caller(key.account, lowered(self._policy, key.tier, state.account(key.account).in_force(now)))

    def admit(self, caller: Caller, state: State) -> None:
        """Count one request of `caller`. Raises Refusal when the account, the tier or the quota does not allow it."""
        in_force = state.account(caller.account).in_force(self._clock())
        if closed(in_force):
            raise Refusal(
                403, "account_suspended", "this account is suspended; contact the operator to appeal", cause="account"
            )
        if caller.tier not in self._policy.tiers:
            raise Refusal(403, "tier_unknown", "this key's tier is not in the policy in force; ask the operator", cause="tier")
        quota = self._policy.quotas.get(caller.tier)
        if quota is None:
            raise Refusal(403, "no_quota", f"tier {caller.tier!r} is granted no requests; ask the operator", cause="tier")
        self._count(caller, quota, _THROTTLED if "throttle" in in_force else 1)

    def _count(self, caller: Caller, quota: Quota, divisor: int) -> None:
        for item in (
            RateLimitItemPerMinute(max(1, quota.requests_per_minute // divisor)),
            RateLimitItemPerDay(max(1, quota.requests_per_day // divisor)),
        ):
            if not self._limiter.hit(item, caller.account, caller.tier):
                # The limiter has its own clock (the machine's), so the wait is reckoned with it.
                reset = self._limiter.get_window_stats(item, caller.account, caller.tier).reset_time
                raise Refusal(
                    429,
                    "rate_limit_exceeded",
                    f"over the quota of {item.amount} requests a {item.GRANULARITY.name}; wait as Retry-After says",
                    cause="quota",
                    retry_after_s=max(1, math.ceil(reset - self._clock())),
                )
