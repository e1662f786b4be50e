"""What a ledger says of its last turn, in the form in which it is shown. Everything here is read from entries, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from fairlead.records.entry import (
    CaseOpened,
    DatasetBuilt,
    Entry,
    GateDecided,
    InputRead,
    Measured,
    ModelMade,
    PolicyLoaded,
    PromotionDecided,
    StageEnded,
    TurnStarted,
)
from fairlead.records.errors import InputError
from fairlead.records.figure import Figure


class Traced(Struct, frozen=True):
    """A figure with the entry that holds it, and the ranges of entries that it was computed from."""

    seq: int
    subject: str
    figure: Figure
    because: tuple[tuple[int, int], ...]


class Summary(Struct, frozen=True):
    """The last turn of a ledger."""

    started: TurnStarted
    first: int
    policy: PolicyLoaded | None
    inputs: tuple[InputRead, ...]
    traced: tuple[Traced, ...]
    gates: tuple[tuple[int, GateDecided], ...]
    promotions: tuple[tuple[int, PromotionDecided], ...]
    models: tuple[tuple[int, ModelMade], ...]
    datasets: tuple[tuple[int, DatasetBuilt], ...]
    cases: tuple[tuple[int, CaseOpened], ...]
    stages: tuple[tuple[int, StageEnded], ...]

    def find(self, subject: str, name: str) -> Traced | None:
        """The figure of a subject, None when it was not measured."""
        return next((t for t in self.traced if t.subject == subject and t.figure.name == name), None)

    def under(self, prefix: str, name: str) -> list[Traced]:
        """The figures with a name whose subject lies one level below a prefix."""
        level = prefix.count("|") + 1
        return [
            t
            for t in self.traced
            if t.figure.name == name and t.subject.startswith(f"{prefix}|") and t.subject.count("|") == level
        ]

    def trained_on(self, model: str) -> str:
        """The name of the dataset that a model was trained on, by the model's digest."""
        data = {made.digest: made.data for _, made in self.models}.get(model)
        return next((built.name for _, built in self.datasets if built.digest == data), "unknown")

    def canonical_figures(self) -> list[tuple[str, Figure]]:
        """All figures but times, sorted: the same for the same seed."""
        return sorted(
            ((t.subject, t.figure) for t in self.traced if t.figure.unit != "s"), key=lambda row: (row[0], row[1].name)
        )


def last_turn(entries: Iterable[Entry]) -> Summary:
    """The summary of the last turn. Raises InputError when the ledger holds none."""
    turn: list[Entry] = []
    for entry in entries:
        if isinstance(entry.payload, TurnStarted):
            turn = []
        turn.append(entry)
    if not turn or not isinstance(turn[0].payload, TurnStarted):
        raise InputError("this ledger holds no turn; `fairlead cycle` makes one")
    return Summary(
        started=turn[0].payload,
        first=turn[0].seq,
        policy=next((e.payload for e in turn if isinstance(e.payload, PolicyLoaded)), None),
        inputs=tuple(e.payload for e in turn if isinstance(e.payload, InputRead)),
        traced=tuple(
            Traced(e.seq, e.payload.subject, e.payload.figure, e.payload.because)
            for e in turn
            if isinstance(e.payload, Measured)
        ),
        gates=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, GateDecided)),
        promotions=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, PromotionDecided)),
        models=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, ModelMade)),
        datasets=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, DatasetBuilt)),
        cases=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, CaseOpened)),
        stages=tuple((e.seq, e.payload) for e in turn if isinstance(e.payload, StageEnded)),
    )
