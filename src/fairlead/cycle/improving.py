"""The turn's last stretch: findings and reviews become labels, labels a dataset, the dataset new heads, and a gate decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fairlead.cycle import gates
from fairlead.cycle.attacking import attack_judge, measure_attacks
from fairlead.cycle.datasets import Dataset, Material, build
from fairlead.cycle.judging import assess, judge_card, make_judge
from fairlead.cycle.wheel import Range, Wheel
from fairlead.judge.cascade import Judge
from fairlead.judge.encoder import Encoder
from fairlead.records.entry import Assessed, Attacked, Labelled
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.streams import key, stream
from fairlead.redteam.campaign import Attempt
from fairlead.redteam.outcome import AttackOutcome
from fairlead.redteam.transform import TRANSFORMS
from fairlead.review.reviewed import Reviewed, alpha, settled

#: The share of labels that the poisoned dataset turns around.
POISON = 0.4


class Reading(Struct, frozen=True):
    """One judge on all that gates are read from."""

    assessed: list[Assessed]
    attacked: list[Attacked]


def read_judge(wheel: Wheel, judge: Judge, material: Material, subject: str) -> Reading:
    """The judge on the held-out texts, plainly and under the held-out transforms; noted and measured under `subject`."""
    assessed, judged = assess(wheel, judge, material.held_out, "held-out")
    wheel.measure(subject, judge_card(assessed, wheel.settings.seed), judged)
    transforms = [t for t in TRANSFORMS if t.held_out]
    tried, attacked = attack_judge(wheel, judge, attacked_part(wheel, material), transforms)
    entries = [entry for _, entry in tried]
    measure_attacks(wheel, subject, entries, "labels", attacked)
    return Reading(assessed, entries)


def attacked_part(wheel: Wheel, material: Material) -> list[Example]:
    """The held-out texts that are attacked before and after: those whose labels say how an attack ended."""
    decided = [e for e in material.held_out if e.labels]
    ranked = sorted(decided, key=lambda e: key(wheel.settings.seed, "attacked", e.id))
    return ranked[: wheel.settings.extent.attacked]


def found_examples(
    tried: Sequence[tuple[Attempt, Attacked]], first: int, seeds: Iterable[Example]
) -> tuple[list[Example], list[Labelled]]:
    """What the red team found, as training examples: the seed texts of attacks that passed and of benign requests that did not.

    A finding teaches its plain request, not the disguise: views undo disguises, and heads that saw the disguised texts took the
    disguise for the sign of harm. `first` is the sequence number of the first outcome. Held-out transforms only measure: what
    they find never reaches training.
    """
    texts = {seed.id: seed for seed in seeds}
    found: dict[str, Example] = {}
    labels: list[Labelled] = []
    for number, (attempt, entry) in enumerate(tried, first):
        if attempt.held_out or entry.outcome not in (AttackOutcome.SUCCEEDED, AttackOutcome.REFUSED):
            continue
        labels += [Labelled(attempt.item, r, violates, "finding", number) for r, violates in sorted(attempt.labels.items())]
        seed = texts[attempt.item]
        found[attempt.item] = replace(seed, labels=attempt.labels, source="finding", split=None, group=attempt.group)
    return list(found.values()), labels


def said_by_reviewers(rows: Sequence[Reviewed]) -> list[Labelled]:
    """All that the reviewers said, whether they agreed or not."""
    return [Labelled(r.id, r.rule, said.verdict == "violates", f"reviewer:{said.by}") for r in rows for said in r.verdicts]


def poisoned(dataset: Dataset, seed: int) -> Dataset:
    """The dataset after an attacker turned the labels of a share of its rows around: what the gate must refuse."""
    rows = []
    for row in dataset.rows:
        turned = stream(seed, "poison", row.id).random() < POISON
        rows.append(replace(row, labels={r: v != turned for r, v in row.labels.items()}))
    return Dataset("poisoned", tuple(rows), {})


def improve(
    wheel: Wheel,
    material: Material,
    incumbent: tuple[Judge, str],
    base: Dataset,
    found: Sequence[tuple[Attempt, Attacked]],
    found_at: Range,
    encoder: Encoder,
) -> tuple[Judge, str]:
    """Retrain on what was found and reviewed, and let the gate decide; then let it decide on a poisoned dataset.

    Gives the judge in force afterwards and its heads' digest.
    """
    judge, digest = incumbent
    before = read_judge(wheel, judge, material, "judge before")
    improved = _gathered(wheel, material, base, found, found_at)
    for seat, rows in (("improved", improved), ("poisoned", poisoned(improved, wheel.settings.seed))):
        wheel.note([rows.entry()])
        rows.save(wheel.settings.out / "datasets")
        wheel.say(f"improve: training heads on the {seat} dataset, {len(rows.rows)} rows")
        candidate, candidate_digest = make_judge(wheel, rows, encoder, digest)
        after = read_judge(wheel, candidate, material, f"judge {seat}")
        held = gates.comparison_gates(
            candidate_digest, before.assessed, after.assessed, before.attacked, after.attacked, wheel.settings.seed
        )
        decision = gates.decide(candidate_digest, digest, held)
        wheel.note([*held, decision])
        wheel.say(f"improve: the {seat} heads are {'promoted' if decision.promoted else 'refused: ' + decision.reasons[0]}")
        if decision.promoted:
            judge, digest, before = candidate, candidate_digest, after
    return judge, digest


def _gathered(
    wheel: Wheel, material: Material, base: Dataset, found: Sequence[tuple[Attempt, Attacked]], found_at: Range
) -> Dataset:
    findings, labels = found_examples(found, found_at[0], material.probed)
    reviewed = settled(material.reviewed)
    wheel.note(labels)
    at = wheel.note(said_by_reviewers(material.reviewed))
    agreement = alpha(material.reviewed)
    wheel.measure(
        "review",
        [
            Figure("Krippendorff's alpha", agreement, n=len(material.reviewed)),
            Figure(
                "waiting for an adjudicator", float(len(material.reviewed) - len(reviewed)), "texts", n=len(material.reviewed)
            ),
        ],
        at,
    )
    return build("improved", [base.rows, findings, reviewed], material.evaluation)
