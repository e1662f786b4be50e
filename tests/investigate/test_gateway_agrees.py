"""What the back-test foretells is what a running gateway does: over HTTP, with the judge and the model's server of its
tests."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import openai
import pytest
from test_backtest import assert_nothing_changed

from fairlead.enforce.settle import Settlement
from fairlead.gateway.keeping import Keep
from fairlead.investigate.backtest import Report, backtest
from fairlead.investigate.rejudge import kept, rejudging
from fairlead.judge.reasoned import Reasoned
from fairlead.judge.reasoner import Reasoner
from fairlead.ledger.keyring import Keyring, beside
from fairlead.ledger.log import Ledger, read
from fairlead.ledger.vault import Vault
from fairlead.policy.document import Policy
from fairlead.policy.load import parse
from fairlead.records.conversation import Conversation
from fairlead.records.entry import ContentRead
from fairlead.records.errors import InputError
from tests.gateway.house import MASTER, POLICY, House, WordJudge, house
from tests.gateway.reasoner_server import verdicts

# (tier, text, choices, what the model says): together every way through the gateway.
TRAFFIC = [
    ("public", "hello", 1, ["hi"]),
    ("public", "bring goblins", 1, ["unasked"]),
    ("public", "maybe-goblins", 1, ["unasked"]),
    ("public", "sorrow", 1, ["unasked"]),
    ("public", "hello", 2, ["fine", "goblins"]),
    ("public", "comets", 2, ["comets", "maybe-sorrow"]),
    ("public", "bring goblins", 1, ["unasked"]),
    ("trusted", "bring goblins", 1, ["a careful answer"]),
    ("trusted", "bring goblins", 1, ["goblins, carefully"]),
    ("trusted", "bring goblins", 1, ["maybe-goblins"]),
    ("trusted", "hello", 1, ["goblins", "a careful answer"]),
    ("trusted", "sorrow", 1, ["hello"]),
    ("public", "bring goblins", 1, ["unasked"]),
    ("public", "hello", 1, ["hi"]),
]


def served(folder: Path, policy: Policy, keep: Keep = Keep.NONE) -> House:
    folder.mkdir()
    with house(folder, policy, keep=keep) as home:
        for tier, text, n, says in TRAFFIC:
            home.stub.says = list(says)
            with openai.OpenAI(base_url=f"{home.url}/v1", api_key=home.keys[tier], max_retries=0, timeout=10) as client:
                try:
                    client.chat.completions.create(model="toy", messages=[{"role": "user", "content": text}], n=n)
                except openai.APIStatusError as refused:
                    assert refused.status_code in (400, 403)
        return home


def reported(policy: Policy, home: House) -> Report:
    return backtest(policy, read(home.path), settle=Settlement(policy).settle)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse(POLICY)


class Answers:
    """A reasoner that violates what is said to be so, and answers nonsense when asked for it."""

    name = "answers"

    async def answer(self, conversation: Conversation, *, max_tokens: int, temperature: float = 0.0) -> str:
        question = conversation.messages[-1].content
        return "nonsense" if "nonsense" in question else verdicts(question)

    async def close(self) -> None:
        pass


def test_what_a_reasoner_decided_is_decided_again(tmp_path: Path, policy: Policy) -> None:
    """Its verdicts leave a score of 0 or 1, which thresholds read as it meant it; where it fails, the local score stands."""
    texts = ["maybe-goblins", "maybe-goblins, indeed-goblins", "maybe-goblins, nonsense", "maybe-sorrow", "hello"]

    def awaited(judge: WordJudge) -> Reasoned:
        return Reasoned(judge, Reasoner(Answers(), policy), policy)

    with house(tmp_path, policy, awaited=awaited) as home:
        for text in texts:
            with openai.OpenAI(base_url=f"{home.url}/v1", api_key=home.keys["public"], max_retries=0, timeout=10) as client:
                try:
                    client.chat.completions.create(model="toy", messages=[{"role": "user", "content": text}])
                except openai.APIStatusError as refused:
                    assert refused.status_code == 400
    assert [decided.action for decided in home.decided()] == ["allow", "block", "review", "allow", "allow"]
    report = reported(policy, home)
    assert_nothing_changed(report)
    assert report.replayed == len(texts)


def test_the_policy_in_force_changes_nothing(tmp_path: Path, policy: Policy) -> None:
    home = served(tmp_path / "a", policy)
    report = reported(policy, home)
    assert_nothing_changed(report)
    assert report.replayed + sum(report.left.values()) == len(TRAFFIC)
    assert {signals.care for decided in home.decided() for signals in decided.signals} == {"", "goblins"}
    assert max(signals.choice for decided in home.decided() for signals in decided.signals) == 1
    assert sum(report.left.values()) > 0, "the account was suspended on the way"


def test_what_the_vault_kept_is_judged_again_as_it_was(tmp_path: Path, policy: Policy) -> None:
    """With every way through the gateway; what was erased meanwhile is read from its signals."""
    home = served(tmp_path / "a", policy, Keep.ALL)
    decided, settle = home.decided(), Settlement(policy).settle
    with Ledger(home.path, producer="t") as ledger, closing(Keyring(beside(home.path), MASTER)) as keyring:
        vault = Vault(ledger, keyring)
        with pytest.raises(InputError, match="--by NAME and --purpose WHY"):
            kept(vault, by="eve", purpose=" ")
        anew = rejudging(WordJudge(policy), kept(vault, by="eve", purpose="a change"))
        report = backtest(policy, read(home.path), settle=settle, rejudge=anew)
        assert_nothing_changed(report)
        judged = [each for each in decided if each.signals]
        assert report.rejudged == sum(len(each.signals) for each in judged)
        assert home.decided() == decided
        notes = [ContentRead(each.content, each.account or "", "eve", "a change") for each in judged]
        assert home.payloads(ContentRead) == notes
        vault.erase(["acct_trusted"], "eve")
        again = backtest(policy, read(home.path), settle=settle, rejudge=anew)
        assert_nothing_changed(again)
        assert again.rejudged == sum(len(each.signals) for each in judged if each.account != "acct_trusted") > 0


def test_a_policy_in_shadow_foretells_itself_in_force(tmp_path: Path) -> None:
    text = POLICY.replace("    reason: We do", "    safe_completion: No goblins here.\n    reason: We do")
    shadow, enforced = parse(text.replace("state: enforce", "state: shadow")), parse(text)
    tried, real = served(tmp_path / "a", shadow), served(tmp_path / "b", enforced)
    report, truth = reported(enforced, tried), reported(enforced, real)
    assert_nothing_changed(truth)
    foretold: dict[str, int] = {}
    for after in report.actions.values():
        foretold = {action: foretold.get(action, 0) + after.get(action, 0) for action in foretold | after}
    done = [decided.action for decided in real.decided()]
    assert foretold == {action: done.count(action) for action in set(done)}
    assert {name: pair[1] for name, pair in report.steps.items()} == {name: pair[0] for name, pair in truth.steps.items()}
    assert report.cases[1] == truth.cases[0]
    assert report.queued[1] == truth.queued[0]
    assert foretold["refuse"] > 0, "the account is suspended on the way"
