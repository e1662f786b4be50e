"""The gateway as its callers meet it: over HTTP, by the official client, with a model's server that may fail."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from house import FAULTS, POLICY, House, house

from fairlead.gateway.identity import new_key
from fairlead.ledger.log import Ledger, read
from fairlead.policy.document import Policy
from fairlead.policy.load import parse
from fairlead.records.entry import CaseOpened, KeyRevoked, LadderStepped, PolicyLoaded, ReviewQueued


def client(home: House, tier: str = "public", key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{home.url}/v1", api_key=key or home.keys[tier], max_retries=0, timeout=10)


def ask(home: House, text: str, tier: str = "public", **more: object) -> object:
    with client(home, tier) as c:
        return c.chat.completions.create(model="toy", messages=[{"role": "user", "content": text}], **more)  # type: ignore[call-overload]


Received = tuple[int, dict[str, str], bytes]


def post(home: House, path: str, body: bytes, tier: str | None = "public", method: str = "POST") -> Received:
    connection = http.client.HTTPConnection(urlsplit(home.url).netloc, timeout=10)
    headers = {"authorization": f"Bearer {home.keys[tier]}"} if tier else {}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    result = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    connection.close()
    return result


def test_the_official_client_gets_an_answer(home: House) -> None:
    answer = ask(home, "good morning")
    assert answer.choices[0].message.content == "hello"  # type: ignore[attr-defined]
    assert answer.usage.total_tokens == 4  # type: ignore[attr-defined]
    (decided,) = home.decided()
    assert (decided.action, decided.cause, decided.status) == ("allow", "rule", 200)
    assert (decided.account, decided.tier) == ("acct_public", "public")
    assert decided.judge == "words/1"
    assert decided.model == "toy"


def test_the_official_client_gets_a_stream(home: House) -> None:
    chunks = list(ask(home, "good morning", stream=True, stream_options={"include_usage": True}))  # type: ignore[call-overload]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "hello"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 4
    assert home.stub.bodies[0]["stream"] is False
    assert home.decided()[0].streamed


def test_a_stream_without_usage_carries_none(home: House) -> None:
    assert all(chunk.usage is None for chunk in ask(home, "good morning", stream=True))  # type: ignore[attr-defined]


def test_what_violates_is_blocked_with_the_rules_reason_and_never_reaches_the_model(home: House) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(home, "bring goblins")
    body = refused.value.body
    assert refused.value.code == "policy_violation"
    assert body["message"] == "We do not serve goblins. (rule goblins)"  # type: ignore[index]
    assert body["rule"] == "goblins"  # type: ignore[index]
    assert refused.value.request_id == body["request_id"]  # type: ignore[index]
    assert home.stub.bodies == []
    (decided,) = home.decided()
    assert (decided.action, decided.rule, decided.points, decided.status) == ("block", "goblins", 2, 400)
    assert decided.request == refused.value.request_id
    assert [case.account for case in home.payloads(CaseOpened)] == ["acct_public"]  # type: ignore[attr-defined]


def test_the_same_text_passes_when_its_rule_is_retired(tmp_path: Path) -> None:
    retired = parse(POLICY.replace("state: enforce", "state: retired", 1))
    with house(tmp_path, retired) as home:
        assert ask(home, "bring goblins").choices[0].message.content == "hello"  # type: ignore[attr-defined]


def test_a_streamed_answer_that_violates_leaks_no_byte(home: House) -> None:
    home.stub.says = ["first a greeting and then goblins"]
    body = json.dumps({"model": "toy", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
    status, headers, answer = post(home, "/v1/chat/completions", body)
    assert status == 400
    assert headers["content-type"] == "application/json"
    assert b"greeting" not in answer
    assert b"data:" not in answer
    (decided,) = home.decided()
    assert (decided.action, decided.surface, decided.points) == ("block", "response", 0)


@pytest.mark.parametrize("text", ["first a greeting and then goblins", "maybe-goblins"])
def test_an_answer_with_several_choices_is_judged_in_all(home: House, text: str) -> None:
    home.stub.says = [text]
    with pytest.raises(openai.BadRequestError):
        ask(home, "hi", n=3)
    assert [surface for surface, _ in home.judge.seen] == ["prompt", *["response"] * 3]


def test_only_the_judged_text_of_an_answer_is_delivered(home: House) -> None:
    status, headers, answer = post(home, "/v1/chat/completions", b'{"model":"toy","messages":[{"role":"user","content":"hi"}]}')
    assert status == 200
    assert headers["x-fairlead-action"] == "allow"
    assert b"goblins" not in answer  # the stub adds a field `secret`


def test_a_rule_can_answer_by_itself(home: House) -> None:
    assert ask(home, "such sorrow").choices[0].message.content == "You are not alone."  # type: ignore[attr-defined]
    assert home.stub.bodies == []
    assert home.decided()[0].action == "safe_complete"


def test_a_rule_without_a_text_asks_the_model_again_and_judges_that_answer(home: House) -> None:
    home.stub.says = ["a careful answer"]
    assert ask(home, "bring goblins", "trusted").choices[0].message.content == "a careful answer"  # type: ignore[attr-defined]
    messages = home.stub.bodies[0]["messages"]
    assert "Asks for goblins." in messages[0]["content"]  # type: ignore[index]
    assert [surface for surface, _ in home.judge.seen] == ["prompt", "response"]
    assert home.decided()[0].action == "safe_complete"


def test_a_second_answer_that_violates_again_is_blocked(home: House) -> None:
    home.stub.says = ["goblins", "more goblins"]
    with pytest.raises(openai.BadRequestError):
        ask(home, "hi", "trusted")
    assert len(home.stub.bodies) == 2
    assert home.decided()[0].action == "block"


def test_what_cannot_be_told_is_withheld_and_queued(home: House) -> None:
    with pytest.raises(openai.BadRequestError) as withheld:
        ask(home, "maybe-goblins")
    assert withheld.value.code == "withheld_for_review"
    (queued,) = home.payloads(ReviewQueued)
    assert (queued.item, queued.rule) == (home.decided()[0].request, "goblins")  # type: ignore[attr-defined]
    assert home.stub.bodies == []


def test_what_is_withheld_still_gets_the_rules_own_words(home: House) -> None:
    with pytest.raises(openai.BadRequestError, match="You are not alone") as withheld:
        ask(home, "maybe-sorrow")
    assert withheld.value.code == "withheld_for_review"


def test_a_policy_may_deliver_what_cannot_be_told_but_not_under_a_critical_rule(home: House) -> None:
    ask(home, "maybe-goblins", "trusted")
    assert home.decided()[0].flags == ("goblins",)
    with pytest.raises(openai.BadRequestError):
        ask(home, "maybe-sorrow", "trusted")


def test_a_shadow_rule_is_recorded_and_not_acted_upon(home: House) -> None:
    ask(home, "comets")
    (decided,) = home.decided()
    assert (decided.action, decided.flags) == ("allow", ("shadow:comets",))


@pytest.mark.parametrize("text", ["judge-raises", "judge-fails"])
@pytest.mark.parametrize("tier", ["public", "trusted"])
def test_a_judge_that_fails_never_allows(home: House, text: str, tier: str) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        ask(home, text, tier)
    assert (failed.value.status_code, failed.value.code) == (503, "judge_error")
    assert home.stub.bodies == []
    (decided,) = home.decided()
    assert (decided.action, decided.cause) == ("refuse", "judge_error")


def test_a_judge_that_fails_on_the_answer_never_allows(home: House) -> None:
    home.stub.says = ["judge-raises"]
    with pytest.raises(openai.InternalServerError):
        ask(home, "hi")
    assert home.decided()[0].cause == "judge_error"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_fails_is_an_error_outcome(home: House, fault: str) -> None:
    home.stub.fault = fault
    with pytest.raises(openai.InternalServerError) as failed:
        ask(home, "hi")
    assert (failed.value.status_code, failed.value.code) == (502, "upstream_error")
    assert "goblins" not in str(failed.value)
    (decided,) = home.decided()
    assert (decided.action, decided.cause, decided.status) == ("refuse", "upstream_error", 502)
    assert decided.error


def test_a_slow_model_is_a_time_out(home: House) -> None:
    home.stub.fault = "slow"
    with pytest.raises(openai.InternalServerError) as failed:
        ask(home, "hi", stream=True)
    assert (failed.value.status_code, failed.value.code) == (504, "upstream_timeout")
    assert home.decided()[0].cause == "upstream_error"


def test_a_model_that_is_down_is_an_error_outcome(tmp_path: Path, policy: Policy) -> None:
    with house(tmp_path, policy, upstream="http://127.0.0.1:1/v1") as home:
        with pytest.raises(openai.InternalServerError) as failed:
            ask(home, "hi")
        assert failed.value.status_code == 502
        assert "cannot be reached" in (home.decided()[0].error or "")


@pytest.mark.parametrize("key", ["nonsense", "fl_00000000_" + "0" * 48])
def test_a_key_that_is_not_known_opens_nothing(home: House, key: str) -> None:
    with client(home, key=key) as c, pytest.raises(openai.AuthenticationError):
        c.chat.completions.create(model="toy", messages=[{"role": "user", "content": "hi"}])
    (decided,) = home.decided()
    assert (decided.cause, decided.status, decided.account) == ("key", 401, None)


@pytest.mark.parametrize(("tier", "code"), [("nowhere", "tier_unknown"), ("internal", "no_quota")])
def test_a_tier_that_is_granted_nothing_gets_nothing(home: House, tier: str, code: str) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(home, "hi", tier)
    assert refused.value.code == code
    assert home.decided()[0].cause == "tier"


def test_over_quota_says_when_to_come_back(home: House) -> None:
    for _ in range(3):
        ask(home, "hi", "guest")
    with pytest.raises(openai.RateLimitError) as refused:
        ask(home, "hi", "guest")
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert [d.cause for d in home.decided()] == ["rule", "rule", "rule", "quota"]
    ask(home, "hi")  # another account is not touched


def test_points_climb_the_ladder_until_the_account_is_suspended(home: House) -> None:
    for warned in (False, True, False):
        with pytest.raises(openai.BadRequestError) as refused:
            ask(home, "goblins")
        assert ("step of the ladder: warn" in refused.value.message) is warned
    with pytest.raises(openai.PermissionDeniedError) as closed:
        ask(home, "hi")
    assert closed.value.code == "account_suspended"
    assert [step.do for step in home.payloads(LadderStepped)] == ["warn", "suspend"]  # type: ignore[attr-defined]
    ask(home, "hi", "trusted")


def test_a_rule_over_accounts_opens_one_case_and_does_not_act(home: House) -> None:
    for _ in range(3):
        with pytest.raises(openai.BadRequestError):
            ask(home, "goblins")
    cases = [case for case in home.payloads(CaseOpened) if case.rule == "goblins.repeat"]  # type: ignore[attr-defined]
    assert len(cases) == 1
    entries = list(read(home.path))
    (because,) = cases[0].because  # type: ignore[attr-defined]
    assert entries[because].payload == home.decided()[1]


def test_without_a_record_nothing_is_delivered_and_the_gateway_recovers(home: House) -> None:
    home.ledger.broken = True
    with pytest.raises(openai.InternalServerError) as failed:
        ask(home, "goblins")
    assert (failed.value.status_code, failed.value.code) == (503, "ledger_error")
    with pytest.raises(openai.InternalServerError):
        ask(home, "hi")
    home.ledger.broken = False
    ask(home, "hi")
    with pytest.raises(openai.BadRequestError):
        ask(home, "goblins")
    # The strike that was never written does not count: two points are below the first rung.
    assert home.payloads(LadderStepped) == []
    assert [d.status for d in home.decided()] == [200, 400]


def test_moderation_has_the_official_form(home: House) -> None:
    with client(home) as c:
        answer = c.moderations.create(input=["fine", "goblins", "maybe-sorrow", "comets"])
    assert [result.flagged for result in answer.results] == [False, True, True, False]
    raw = answer.results[1].model_dump()
    assert raw["categories"]["goblins"] is True
    assert raw["category_scores"]["goblins"] == 0.9
    assert answer.results[2].model_dump()["undetermined"] == ["sorrow"]
    (decided,) = home.decided()
    assert (decided.action, decided.surface, decided.points) == ("allow", "moderation", 0)
    assert {said.rule for said in decided.verdicts} == {"goblins", "sorrow", "comets"}


def test_a_moderation_that_cannot_be_judged_is_an_error(home: House) -> None:
    with client(home) as c, pytest.raises(openai.InternalServerError):
        c.moderations.create(input="judge-raises")
    assert home.decided()[0].cause == "judge_error"


def test_models_are_listed_for_those_who_hold_a_key(home: House) -> None:
    with client(home) as c:
        assert [model.id for model in c.models.list()] == ["toy"]
    with client(home, key="wrong") as c, pytest.raises(openai.AuthenticationError):
        c.models.list()


def test_paths_and_methods_that_are_not_granted_are_refused_and_recorded(home: House) -> None:
    assert post(home, "/v1/embeddings", b"{}")[0] == 404
    assert post(home, "/v1/chat/completions", b"", method="GET")[0] == 405
    assert post(home, "/v1/embeddings", b"{}", tier=None)[0] == 401
    assert post(home, "/healthz", b"", tier=None, method="GET")[0] == 200
    assert [d.status for d in home.decided()] == [404, 405, 401]


def test_a_body_that_is_too_large_is_refused(home: House) -> None:
    assert post(home, "/v1/chat/completions", b" " * ((1 << 20) + 1))[0] == 413
    assert home.judge.seen == []


def test_the_ledger_holds_no_text_of_a_user(home: House) -> None:
    marked = "xyzzy"
    for text in (f"{marked} hi", f"{marked} goblins", f"{marked} maybe-goblins", f"{marked} judge-raises", f"{marked} sorrow"):
        try:
            ask(home, text)
        except openai.APIStatusError:
            assert True
    post(home, "/v1/chat/completions", f'{{"model":"toy","messages":"{marked}"}}'.encode())
    post(home, "/v1/chat/completions", f'{{"model":"toy","messages":[],"{marked}":"{marked}"}}'.encode())
    assert len(home.decided()) == 7
    assert not any(marked in str(entry) for entry in read(home.path))


def test_the_policy_in_force_is_named_once(tmp_path: Path, policy: Policy) -> None:
    for _ in range(2):
        with house(tmp_path, policy) as home:
            (loaded,) = home.payloads(PolicyLoaded)
            assert loaded.policy == policy.digest  # type: ignore[attr-defined]


def test_a_caller_who_leaves_is_recorded_all_the_same(home: House) -> None:
    home.stub.fault = "slow"
    body = b'{"model":"toy","messages":[{"role":"user","content":"hi"}]}'
    with socket.create_connection(urlsplit(home.url).netloc.split(":")) as caller:  # type: ignore[arg-type]
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {home.keys['public']}\r\n"
        caller.sendall(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
        while not home.stub.bodies:
            time.sleep(0.01)
    deadline = time.monotonic() + 10
    while not home.decided() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [d.cause for d in home.decided()] == ["upstream_error"]


def test_the_scores_of_every_surface_are_recorded_for_back_tests(home: House) -> None:
    home.stub.says = ["maybe-sorrow"]
    with pytest.raises(openai.BadRequestError):
        ask(home, "hello")
    (decided,) = home.decided()
    by_surface = {signals.surface: signals.scores for signals in decided.signals}
    assert by_surface["prompt"] == {"goblins": 0.1, "sorrow": 0.1, "comets": 0.1}
    assert by_surface["response"]["sorrow"] == 0.6


def test_a_key_that_another_process_issues_or_revokes_is_known_within_a_moment(home: House) -> None:
    """The gateway looks once a second; here another ledger on the same file stands for the other process."""
    text, issued = new_key("trusted")
    home.keys["new"] = text

    def becomes(status: int) -> bool:
        for _ in range(100):
            if post(home, "/v1/moderations", b'{"input": "hello"}', "new")[0] == status:
                return True
            time.sleep(0.05)
        return False

    assert becomes(401)
    with Ledger(home.path, producer="keys") as beside:
        beside.append(issued)
        assert becomes(200)
        beside.append(KeyRevoked(issued.key, "lost"))
        assert becomes(401)


def test_of_each_text_is_recorded_what_was_noted_of_it(home: House) -> None:
    """Two answers, both noted in shadow; then an answer that is asked for again under a rule."""
    home.stub.says = ["comets"]
    ask(home, "hello", n=2)
    home.stub.says = ["goblins", "a careful answer"]
    ask(home, "hello", "trusted")
    two, again = ([(s.surface, s.choice, s.kept, s.care) for s in decided.signals] for decided in home.decided())
    assert two == [("prompt", 0, 0, ""), ("response", 0, 1, ""), ("response", 1, 1, "")]
    assert again == [("prompt", 0, 0, ""), ("response", 0, 1, ""), ("response", 0, 0, "goblins")]
