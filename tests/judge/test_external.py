"""Other people's classifiers as a stage: scores by category become verdicts, and what is missing stays open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from reasoning import POLICY, RULES, Fixed

from fairlead.judge.external import Classifier, Moderations
from fairlead.judge.reasoned import Reasoned
from fairlead.judge.reasoner import Reasoning
from fairlead.models.endpoint import Endpoint
from fairlead.records.conversation import Conversation, Message
from fairlead.records.errors import InputError, UpstreamError

ASKS = Conversation.of("Bring me a goblin.")
SCORES: dict[str, Any] = {"goblins": 0.2, "goblins/many": 0.71234567, "violence": 0.9}


def moderated(answer: Callable[[list[str]], Any], said: Conversation = ASKS) -> tuple[Reasoning, list[dict[str, Any]]]:
    """What the stage says when the endpoint gives `answer` of the texts, and the bodies that it was sent."""
    bodies: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response(answer(bodies[-1]["input"]))

    return asyncio.run(_served(handler, lambda stage: stage.reason(said, "prompt", RULES))), bodies


async def _served(
    handler: Callable[[web.Request], Awaitable[web.Response]], ask: Callable[[Moderations], Awaitable[Any]]
) -> Any:
    app = web.Application()
    app.router.add_post("/v1/moderations", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage = Moderations(Endpoint(f"http://127.0.0.1:{runner.addresses[0][1]}", "omni", timeout_s=5))
    try:
        return await ask(stage)
    finally:
        await stage.close()
        await runner.cleanup()


def results(texts: list[str], scores: dict[str, Any] = SCORES) -> dict[str, Any]:
    each = {"flagged": True, "categories": {}, "category_scores": scores, "category_applied_input_types": {}}
    return {"id": "modr-1", "model": "omni", "results": [each] * len(texts)}


def test_the_highest_score_of_a_rules_categories_counts() -> None:
    found, bodies = moderated(results)
    assert bodies == [{"model": "omni", "input": ["Bring me a goblin."]}]
    goblins, comets, sorrow = found.verdicts
    assert (goblins.outcome, goblins.score, goblins.view) == ("violates", 0.7123, "plain")
    assert (comets.outcome, comets.evidence) == ("undetermined", "no category is mapped to the rule")
    assert sorrow.outcome == "undetermined"


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        (0.0, "allowed"),
        (0.29, "allowed"),
        (0.3, "undetermined"),
        (0.6, "violates"),
        (1.5, "undetermined"),
        (-0.1, "undetermined"),
    ],
)
def test_the_rules_thresholds_read_the_score(score: float, outcome: str) -> None:
    found, _ = moderated(lambda texts: results(texts, {"goblins": score, "goblins/many": 0.0}))
    assert found.verdicts[0].outcome == outcome


def test_a_category_without_a_score_allows_nothing() -> None:
    found, _ = moderated(lambda texts: results(texts, {"goblins": 0.0}))
    assert (found.verdicts[0].outcome, found.verdicts[0].evidence) == ("undetermined", "a category has no score")


@pytest.mark.parametrize(
    "answer",
    [{}, [], {"results": []}, {"results": [{}]}, {"results": [{"category_scores": {"goblins": None}}]}, results(["a", "b"])],
    ids=json.dumps,
)
def test_an_endpoint_that_answers_nonsense_is_an_error_and_allows_nothing(answer: Any) -> None:
    with pytest.raises(UpstreamError):
        moderated(lambda _: answer)

    async def handler(_: web.Request) -> web.Response:
        return web.json_response(answer)

    async def ask(stage: Moderations) -> Any:
        return await Reasoned(Fixed({"goblins": 0.4, "sorrow": None}), stage, POLICY).judge(ASKS)

    verdict = asyncio.run(_served(handler, ask))
    assert [said.outcome for said in verdict.rules] == ["undetermined", "violates", "undetermined"]


def test_nothing_is_sent_where_there_is_nothing_or_too_much() -> None:
    for said in (Conversation(()), Conversation(tuple(Message("user", f"text {i}") for i in range(40)))):
        found, bodies = moderated(results, said)
        assert bodies == []
        assert {verdict.outcome for verdict in found.verdicts} == {"undetermined"}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier with random weights and three labels, saved as transformers saves it."""
    torch = pytest.importorskip("torch", reason="a classifier needs torch")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("classifier")
    known = {"[UNK]": 0, "[PAD]": 1, "goblin": 2, "me": 3}
    words = Tokenizer(WordLevel(known, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=16, **special).save_pretrained(folder)
    torch.manual_seed(0)
    labels = {0: "toxic", 1: "threat", 2: "fine"}
    size = {"vocab_size": 4, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    names = {"id2label": labels, "label2id": {label: i for i, label in labels.items()}}
    several = "multi_label_classification"
    config = BertConfig(**size, **names, max_position_embeddings=16, problem_type=several)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def classified(stage: Classifier, text: str = "Bring me a goblin.") -> Reasoning:
    return asyncio.run(stage.reason(Conversation.of(text), "prompt", RULES))


def test_a_classifiers_labels_speak_for_rules(classifier: Path) -> None:
    import torch

    stage = Classifier.load(classifier, {"goblins": ["toxic", "threat"], "sorrow": ["fine"]}, POLICY)
    ids = stage._tokenizer("Bring me a goblin.", return_tensors="pt")
    with torch.inference_mode():
        expected = torch.sigmoid(stage._model(**ids).logits[0].double()).tolist()
    goblins, comets, sorrow = classified(stage).verdicts
    assert (goblins.score, sorrow.score) == (round(max(expected[:2]), 4), round(expected[2], 4))
    assert comets.outcome == "undetermined"
    stage._model.config.problem_type = "single_label_classification"
    with torch.inference_mode():
        expected = torch.softmax(stage._model(**ids).logits[0].double(), dim=0).tolist()
    assert classified(stage).verdicts[2].score == round(expected[2], 4)


def test_a_text_that_a_classifier_does_not_read_whole_stays_open(classifier: Path) -> None:
    stage = Classifier.load(classifier, {rule.id: ["toxic"] for rule in RULES}, POLICY)
    assert all(verdict.score is not None for verdict in classified(stage, "me " * 16).verdicts)
    found = classified(stage, "me " * 17)
    assert {(v.outcome.value, v.evidence) for v in found.verdicts} == {
        ("undetermined", "longer than the 16 tokens that the classifier reads")
    }


def test_names_that_nobody_knows_are_refused(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label 'dragons'; it has: fine, threat, toxic"):
        Classifier.load(classifier, {"goblins": ["dragons"]}, POLICY)
    with pytest.raises(InputError, match="no rule over texts 'dragons'"):
        Classifier.load(classifier, {"dragons": ["toxic"]}, POLICY)
    with pytest.raises(InputError, match="cannot be loaded"):
        Classifier.load(tmp_path, {}, POLICY)
