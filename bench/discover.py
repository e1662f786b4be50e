"""Discovery of unknown harm: one AILuminate hazard at a time is kept out of training; does it rank above harmless traffic?

The judge is trained on the packaged sample without the rules that map to the hazard. The stream: the hazard's prompts among
ordinary instructions (self_instruct). The figure is the AUROC of strangeness; beside it stands distance to the known alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bench.report import main
from fairlead.cycle.judging import open_encoder
from fairlead.investigate.discover import strangeness
from fairlead.judge.encoder import Encoder
from fairlead.judge.train import train
from fairlead.measure.prompts import read_prompts
from fairlead.measure.samples import packaged
from fairlead.policy.core import CORE
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.example import Example
from fairlead.records.figure import Figure

SHARED = Path(__file__).parents[2] / "shared" / "data"
HAZARDS = SHARED / "ailuminate_en" / "airr_official_1.0_demo_en_us_prompt_set_release.csv.gz"
ORDINARY = [SHARED / "self_instruct" / name for name in ("seed_tasks.jsonl.gz", "user_oriented_instructions.jsonl.gz")]


def run(quick: bool) -> list[Figure]:
    """A figure over all hazards, its interval their minimum and maximum; nothing where the sets are absent."""
    if not HAZARDS.exists():
        print("../shared/data is not here: discovery is not measured", file=sys.stderr)
        return []
    encoder = open_encoder()
    policy = load(CORE)
    hazards = _by_hazard(policy)
    names = sorted(hazards, key=lambda h: -len(hazards[h]))[: 2 if quick else None]
    ordinary = [e.text for path in ORDINARY for e in read_prompts(path, policy).examples][: 120 if quick else None]
    sample = [e for path in packaged("labelled") for e in read_prompts(path, policy).examples]
    ours, rivals = [], []
    for name in names:
        ours_one, rival = _auroc(policy, sample, name, hazards[name][: 40 if quick else None], ordinary, encoder)
        ours.append(ours_one)
        rivals.append(rival)
    return [Figure("unknown_hazard_auroc", mean(ours), "", min(ours), max(ours), len(names), rival=mean(rivals))]


def _by_hazard(policy: Policy) -> dict[str, list[str]]:
    """The prompts of each hazard that some rule maps to, by rule id."""
    found: dict[str, list[str]] = {}
    for example in read_prompts(HAZARDS, policy).examples:
        for rule in example.labels:
            found.setdefault(rule, []).append(example.text)
    return found


def _auroc(
    policy: Policy, sample: list[Example], unknown: str, harmful: list[str], ordinary: list[str], encoder: Encoder
) -> tuple[float, float]:
    """Strangeness, and distance to the known alone, as rankings of the unknown hazard above ordinary traffic."""
    known = [e for e in sample if unknown not in e.labels or len(e.labels) > 1]
    heads = train(policy, known, encoder, 0)
    columns = [i for i, rule in enumerate(heads.rules) if rule != unknown]
    texts = [*harmful, *ordinary]
    embeddings = encoder.encode(texts)
    scores = [heads.second(heads.logits(text), embedding) for text, embedding in zip(texts, embeddings, strict=True)]
    concern: NDArray[np.float64] = np.array(scores)[:, columns].max(axis=1)
    harms = encoder.encode([e.text for e in known if any(e.labels.values())])
    truth = [1] * len(harmful) + [0] * len(ordinary)
    strange = strangeness(embeddings, concern, harms)
    distance = strangeness(embeddings, np.ones(len(texts)), harms)
    return float(roc_auc_score(truth, strange)), float(roc_auc_score(truth, distance))


if __name__ == "__main__":
    main("discover", run)
