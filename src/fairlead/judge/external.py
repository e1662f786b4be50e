"""Other people's classifiers as a stage: a hosted moderation endpoint, and a sequence classifier of transformers.

Their categories are mapped to rules; of several categories the highest score counts, and the rule's thresholds read it. These
scores are not calibrated as those of our heads are: measure with the card before relying on the thresholds. A rule that no
category is mapped to, and a text that was not read whole, stay undetermined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairlead.judge.frame import Reading, readings
from fairlead.judge.reasoner import STAGE, Reasoning, nothing
from fairlead.models.endpoint import Endpoint
from fairlead.policy.document import Policy, Rule, Surface
from fairlead.policy.evaluator import by_score
from fairlead.records.conversation import Conversation
from fairlead.records.errors import InputError, JudgeError
from fairlead.records.verdict import Outcome, RuleVerdict

_MOST_TEXTS = 32  # of one conversation
_DIGITS = 4  # as the local judge's: a back-test decides on just what the ledger holds

#: For each text the scores by category.
Scores = Sequence[Mapping[str, float]]


class Moderations:
    """OpenAI's moderation endpoint, or one that answers like it (https://platform.openai.com/docs/api-reference/moderations).

    Its categories are those that `maps.openai_moderation` of a rule names.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self.name = endpoint, f"moderations/{endpoint.name}"

    async def reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        """A verdict for each of `rules`. Raises UpstreamError when the endpoint cannot answer."""
        shown = await asyncio.to_thread(_judged, conversation, surface)
        if (why := _unfit(shown)) is not None:
            return nothing(rules, why)
        scores = await self._endpoint.moderations([reading.text for reading in shown])
        categories = {rule.id: rule.maps.openai_moderation for rule in rules}
        return Reasoning(tuple(_by_score(rule, categories[rule.id], shown, scores) for rule in rules))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()


class Classifier:
    """A sequence classifier in a transformers folder. Needs the packages torch and transformers."""

    def __init__(self, model: Any, tokenizer: Any, labels: Mapping[str, Sequence[str]], policy: Policy, name: str) -> None:
        """`labels` maps a rule id to the labels of the model that speak for it. Raises InputError for a name nobody knows."""
        self._model, self._tokenizer, self._labels, self.name = model.eval(), tokenizer, dict(labels), f"classifier/{name}"
        known = {rule.id for rule in policy.text_rules}
        if unknown := sorted(labels.keys() - known):
            raise InputError(f"there is no rule over texts {unknown[0]!r}; known: {', '.join(sorted(known))}")
        self._columns = dict(model.config.label2id)
        if wrong := sorted({label for given in labels.values() for label in given} - self._columns.keys()):
            raise InputError(f"the model has no label {wrong[0]!r}; it has: {', '.join(sorted(self._columns))}")
        self._most = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings))

    @classmethod
    def load(cls, folder: Path, labels: Mapping[str, Sequence[str]], policy: Policy) -> Classifier:
        """The classifier saved in `folder`. Raises InputError when it holds none."""
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer  # torch is an extra
        except ImportError as error:
            raise InputError(f"a classifier needs {error.name}; install fairlead[align]") from error
        try:
            model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"the classifier in {str(folder)!r} cannot be loaded: {error}; save it again, whole") from error
        return cls(model, tokenizer, labels, policy, folder.resolve().name)

    async def reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        """A verdict for each of `rules`."""
        return await asyncio.to_thread(self._reason, conversation, surface, rules)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _reason(self, conversation: Conversation, surface: Surface, rules: Sequence[Rule]) -> Reasoning:
        shown = _judged(conversation, surface)
        if (why := _unfit(shown)) is not None:
            return nothing(rules, why)
        try:
            scores = [self._scores(reading.text) for reading in shown]
        except JudgeError as error:
            return nothing(rules, str(error))
        return Reasoning(tuple(_by_score(rule, self._labels.get(rule.id, ()), shown, scores) for rule in rules))

    def _scores(self, text: str) -> dict[str, float]:
        import torch  # an extra

        ids = self._tokenizer(text, return_tensors="pt")
        if ids["input_ids"].shape[1] > self._most:
            raise JudgeError(f"longer than the {self._most} tokens that the classifier reads")
        with torch.inference_mode():
            logits = self._model(**ids).logits[0].double()
        several = self._model.config.problem_type == "multi_label_classification"
        scores = torch.sigmoid(logits) if several else torch.softmax(logits, dim=0)
        return {label: float(scores[column]) for label, column in self._columns.items()}


def _judged(conversation: Conversation, surface: Surface) -> list[Reading]:
    return [reading for reading in readings(conversation, surface) if reading.judged]


def _unfit(shown: Sequence[Reading]) -> str | None:
    if not shown:
        return "no text to judge"
    return f"more than {_MOST_TEXTS} texts in one conversation" if len(shown) > _MOST_TEXTS else None


def _by_score(rule: Rule, categories: Sequence[str], shown: Sequence[Reading], scores: Scores) -> RuleVerdict:
    """The verdict by the highest score of the rule's categories over all readings; a category without one is missing."""
    assert rule.detect is not None  # the policy's text rules have one
    given = [(each.get(category), reading) for each, reading in zip(scores, shown, strict=True) for category in categories]
    found = [(score, reading) for score, reading in given if score is not None and 0 <= score <= 1]
    if not found or len(found) < len(given):
        why = "a category has no score" if categories else "no category is mapped to the rule"
        return RuleVerdict(rule.id, rule.digest, Outcome.UNDETERMINED, stage=STAGE, evidence=why)
    score, reading = max(found, key=lambda pair: pair[0])
    rounded = round(score, _DIGITS)
    outcome = by_score(rule.detect)(rounded)
    why = "its score lies between the thresholds" if outcome is Outcome.UNDETERMINED else ""
    return RuleVerdict(rule.id, rule.digest, outcome, rounded, STAGE, reading.view, why)
