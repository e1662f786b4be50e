"""The turn's last stretch: findings and reviews become labels, labels a dataset, the dataset new heads, and a gate decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

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
from fairlead.review.reviewed import Reviewed, alpha

#: The share of labels that the poisoned dataset turns around.
POISON = 0.4


class Reading(Struct, frozen=True):
    """One judge on all that gates are read from, and the entries that say so."""

    assessed: list[Assessed]
    attacked: list[Attacked]
    because: tuple[Range, Range]


def read_judge(wheel: Wheel, judge: Judge, material: Material, subject: str) -> Reading:
    """The judge on the held-out texts, plainly and under the held-out transforms; noted and measured under `subject`."""
    assessed, judged = assess(wheel, judge, material.held_out, "held-out")
    wheel.measure(subject, judge_card(assessed, wheel.settings.seed), judged)
    transforms = [t for t in TRANSFORMS if t.held_out]
    tried, attacked = attack_judge(wheel, judge, attacked_part(wheel, material), transforms)
    entries = [entry for _, entry in tried]
    measure_attacks(wheel, subject, entries, "labels", attacked)
    return Reading(assessed, entries, (judged, attacked))


def attacked_part(wheel: Wheel, material: Material) -> list[Example]:
    """The held-out texts that are attacked before and after: those whose labels say how an attack ended."""
    decided = [e for e in material.held_out if e.labels]
    ranked = sorted(decided, key=lambda e: key(wheel.settings.seed, "attacked", e.id))
    return ranked[: wheel.settings.extent.attacked]


def found_examples(tried: Sequence[tuple[Attempt, Attacked]], first: int) -> list[tuple[Example, Labelled]]:
    """What the red team found, as labelled examples: each attack that passed, and each benign request in the same disguises,
    whether it was served or not, so that the disguise itself does not become the sign of harm.

    `first` is the sequence number of the first outcome. Held-out transforms measure; what they find never reaches training.
    """
    found = []
    for number, (attempt, entry) in enumerate(tried, first):
        if attempt.held_out or entry.outcome in (AttackOutcome.FAILED, AttackOutcome.ERROR):
            continue
        example = Example(
            f"{attempt.item}|{attempt.member}",
            attempt.conversation.text("user", "tool"),
            attempt.labels,
            "finding",
            group=attempt.group,
        )
        by = "twin" if entry.outcome == AttackOutcome.SERVED else "finding"
        found += [(example, Labelled(example.id, r, violates, by, number)) for r, violates in sorted(attempt.labels.items())]
    return found


def reviewed_examples(rows: Sequence[Reviewed]) -> tuple[list[Example], list[Labelled], int]:
    """What the reviewers agreed on as examples, all that they said as labels, and how many rows wait for an adjudicator."""
    examples = [Example(row.id, row.text, {row.rule: row.resolved}, "review") for row in rows if row.resolved is not None]
    labels = [
        Labelled(row.id, row.rule, said.verdict == "violates", f"reviewer:{said.by}") for row in rows for said in row.verdicts
    ]
    return examples, labels, len(rows) - len(examples)


def poisoned(dataset: Dataset, seed: int) -> Dataset:
    """The dataset after an attacker turned the labels of a share of its rows around: what the gate must refuse."""
    rows = []
    for row in dataset.rows:
        turned = stream(seed, "poison", row.id).random() < POISON
        rows.append(
            Example(row.id, row.text, {r: v != turned for r, v in row.labels.items()}, row.source, row.split, row.group)
        )
    return Dataset("poisoned", tuple(rows), {})


def improve(
    wheel: Wheel,
    material: Material,
    incumbent: tuple[Judge, str],
    base: Dataset,
    found: Sequence[tuple[Attempt, Attacked]],
    found_at: Range,
    encoder: Encoder | None,
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
    findings = found_examples(found, found_at[0])
    reviewed, said, waiting = reviewed_examples(material.reviewed)
    wheel.note([label for _, label in findings])
    at = wheel.note(said)
    agreement = alpha(material.reviewed)
    counts = Counter(row.resolved for row in material.reviewed)
    wheel.measure(
        "review",
        [
            Figure("Krippendorff's alpha", agreement, n=len(material.reviewed)),
            Figure("waiting for an adjudicator", float(waiting), "texts", n=sum(counts.values())),
        ],
        at,
    )
    examples = {example.id: example for example, _ in findings}
    return build("improved", [base.rows, list(examples.values()), reviewed], material.evaluation)
