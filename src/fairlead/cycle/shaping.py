"""The basin's part of a turn: train the base model and the supervised one, as ordinary Hugging Face folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from msgspec import Struct

from fairlead.align import supervised
from fairlead.basin import data, tokenizer
from fairlead.basin.gold import Case
from fairlead.basin.model import new_model
from fairlead.cycle.wheel import Wheel
from fairlead.ledger.files import folder_digest
from fairlead.models.local import Local
from fairlead.records.canonical import digest
from fairlead.records.entry import DatasetBuilt, ModelMade

_MOST_TOKENS = 24


class Shaped(Struct, frozen=True):
    """What the basin's training left: two model folders, and the cases to measure them on."""

    base: Path
    aligned: Path
    cases: tuple[Case, ...]


def shape(wheel: Wheel, size: data.Size) -> Shaped:
    """Train base and supervised model of the basin, each noted with the digest of its files and of its data."""
    torch.set_num_threads(1)
    seed, models = wheel.settings.seed, wheel.settings.out / "models"
    sets = data.build(seed, size)
    leaked = data.leaked((*sets.pretraining, *sets.safety), sets.evaluation)
    wheel.note(
        [
            DatasetBuilt("basin-pretraining", digest(sets.pretraining), len(sets.pretraining)),
            DatasetBuilt("basin-safety", digest(sets.safety), len(sets.safety)),
            DatasetBuilt("basin-evaluation", digest(sets.evaluation), len(sets.evaluation), dropped={"leaked": len(leaked)}),
        ]
    )
    cases = tuple(case for case in sets.evaluation if case.id not in set(leaked))
    words = tokenizer.build(sets.pretraining)
    model = new_model(words, layers=size.layers, width=size.width, seed=seed)
    base, aligned = models / "basin-base", models / "basin-sft"
    pretrain = supervised.Settings(rate=size.pretraining_rate, batch=size.pretraining_batch, seed=seed)
    supervised.train(model, words, sets.pretraining, pretrain, _progress(wheel, "base model"))
    supervised.save(model, words, base)
    wheel.note([ModelMade("basin-base", "model", folder_digest(base), digest(sets.pretraining), "", seed)])
    finetune = supervised.Settings(rate=size.safety_rate, batch=size.safety_batch, seed=seed)
    supervised.train(model, words, sets.safety, finetune, _progress(wheel, "supervised fine-tuning"))
    supervised.save(model, words, aligned)
    wheel.note([ModelMade("basin-sft", "model", folder_digest(aligned), digest(sets.safety), "basin-base", seed)])
    return Shaped(base, aligned, cases)


def answers(folder: Path) -> Callable[[Sequence[Case]], list[str]]:
    """How the model in a folder answers cases."""
    model = Local.load(folder)
    return lambda cases: model.answer_many([case.conversation for case in cases], _MOST_TOKENS)


def _progress(wheel: Wheel, what: str) -> Callable[[supervised.Step], None]:
    def tell(step: supervised.Step) -> None:
        if step.step % max(1, step.of // 5) == 0 or step.step == step.of:
            wheel.say(f"basin: {what}, step {step.step}/{step.of}, loss {step.loss:.3f} nats a token")

    return tell
