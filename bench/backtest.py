"""The back-test's speed over a ledger as a gateway writes it, reading included.

The log is written by the gateway's own path (decide, settle, append), under the default policy: 20,000 accounts, few of them
busy; all signals of the policy on one surface or two; one request in ten has something undecided or violating. The policy that
is tested has lower thresholds throughout, so that no verdict is taken over unread.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from bench.report import main
from fairlead.enforce.settle import Settlement
from fairlead.investigate.backtest import backtest
from fairlead.ledger.fold import State
from fairlead.ledger.log import Compose, Ledger, read
from fairlead.policy.core import CORE
from fairlead.policy.decide import Ruling, decide
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.policy.evaluator import by_score
from fairlead.policy.load import load
from fairlead.records.entry import Decided, Payload, Signals
from fairlead.records.figure import Figure
from fairlead.records.streams import stream
from fairlead.records.verdict import RuleVerdict, Verdict

ACCOUNTS = 20_000
TROUBLED = 0.1
SECONDS = 30 * 86_400.0
START = 1_790_000_000.0
TOGETHER = 250  # requests in one commit
KINDS = 20_000  # that many different requests are judged for each tier; the log draws from them


def run(quick: bool) -> list[Figure]:
    """Median over rounds; the interval is their minimum and maximum.

    One process does all. It is held to its CPU time, which other work disturbs less; the wall's stands beside it.
    """
    rounds, events = (3, 50_000) if quick else (3, 1_000_000)
    policy = load(CORE)
    candidate = msgspec.structs.replace(policy, rules=tuple(_lowered(rule) for rule in policy.rules))
    rates, wall = [], []
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        ledger = Path(name, "ledger.db")
        write(ledger, policy, events)
        for _ in range(rounds):
            start, began = time.process_time(), time.perf_counter()
            report = backtest(candidate, read(ledger), settle=Settlement(candidate).settle)
            rates.append(report.events / (time.process_time() - start))
            wall.append(report.events / (time.perf_counter() - began))
            if report.replayed != events:
                raise RuntimeError(f"of {events} events only {report.replayed} were decided again")
    return [
        Figure("events_per_s", median(rates), "1/s", min(rates), max(rates), rounds),
        Figure("events_per_wall_s", median(wall), "1/s", min(wall), max(wall), rounds),
    ]


def write(ledger: Path, policy: Policy, events: int) -> None:
    """A ledger of so many requests over thirty days."""
    draws, settlement, now = stream(0, "bench", "backtest"), Settlement(policy), START
    judged = {tier: [_judged(policy, tier, draws) for _ in range(min(KINDS, events))] for tier in policy.tiers}
    with Ledger(ledger, producer="bench/1", clock=lambda: now) as opened:
        opened.append(policy.entry())
        for first in range(0, events, TOGETHER):
            now = START + SECONDS * first / events
            opened.compose_all([_request(policy, judged, settlement, draws) for _ in range(min(TOGETHER, events - first))])


def _judged(policy: Policy, tier: str, draws: random.Random) -> tuple[Ruling, ...]:
    """What was found in a request of the tier: in its prompt, and in the answer where there is one."""
    prompt = _verdict(policy, "prompt", draws, draws.random() < TROUBLED)
    asked = decide(policy, tier, None, prompt, "prompt")
    if asked.action != "allow":
        return (asked,)
    return asked, decide(policy, tier, None, _verdict(policy, "response", draws, False), "response")


def _request(
    policy: Policy, judged: dict[str, list[tuple[Ruling, ...]]], settlement: Settlement, draws: random.Random
) -> Compose:
    who = int(ACCOUNTS * draws.random() ** 3)
    account, tier = f"acct_{who:05d}", policy.tiers[who % len(policy.tiers)]
    rulings = draws.choice(judged[tier])
    surfaces = ("prompt", "response")[: len(rulings)]
    decided = Decided(
        request=f"req_{draws.getrandbits(96):024x}",
        action=rulings[-1].action,
        cause="rule",
        status=200,
        account=account,
        tier=tier,
        surface=surfaces[-1],
        model="a-model",
        policy=policy.digest,
        judge="judge/0.1.0/0123456789ab",
        rule=rulings[-1].rule,
        verdicts=tuple(said for ruling in rulings for said in ruling.kept),
        points=rulings[0].points,
        flags=rulings[0].flags,
        milliseconds=round(draws.random() * 900, 3),
        signals=tuple(Signals(surface, r.harm, len(r.kept)) for surface, r in zip(surfaces, rulings, strict=True)),
    )
    return _settled(settlement, decided, rulings)


def _settled(settlement: Settlement, decided: Decided, rulings: tuple[Ruling, ...]) -> Compose:
    def compose(state: State, now: float, seq: int) -> tuple[Payload, ...]:
        return settlement.settle(decided, rulings, state, now, seq)

    return compose


def _verdict(policy: Policy, surface: Surface, draws: random.Random, trouble: bool) -> Verdict:
    rules = policy.over(surface)
    worst = draws.randrange(len(rules)) if trouble else -1
    return Verdict(tuple(_said(rule, draws, at == worst) for at, rule in enumerate(rules)), "judge/0.1.0/0123456789ab")


def _said(rule: Rule, draws: random.Random, trouble: bool) -> RuleVerdict:
    assert rule.detect is not None
    review = rule.detect.review
    score = round(draws.uniform(review, 1.0) if trouble else draws.random() ** 3 * (review - 0.051), 4)
    return RuleVerdict(rule.id, rule.digest, by_score(rule.detect)(score), score, "heads", "plain")


def _lowered(rule: Rule) -> Rule:
    if rule.detect is None:
        return rule
    detect = msgspec.structs.replace(rule.detect, review=rule.detect.review - 0.05, block=rule.detect.block - 0.05)
    return msgspec.structs.replace(rule, detect=detect)


if __name__ == "__main__":
    main("backtest", run)
