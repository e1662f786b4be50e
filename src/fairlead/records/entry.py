"""What the ledger holds: one record type for each thing that can happen. Entries carry no text that a user wrote.

Stored entries grow by new fields with defaults; a field is never removed or given another meaning.
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.records.figure import Figure
from fairlead.records.verdict import RuleVerdict


class Payload(Struct, frozen=True, tag_field="kind"):
    """Base of all that can be appended."""


class TurnStarted(Payload, frozen=True, tag="turn.started"):
    """A turn of the wheel began."""

    seed: int
    size: str
    settings: dict[str, str] = {}


class StageEnded(Payload, frozen=True, tag="stage.ended"):
    """One stage of the turn came to its end; `error` says why when it could not do its work."""

    stage: str
    seconds: float
    error: str | None = None


class PolicyLoaded(Payload, frozen=True, tag="policy.loaded"):
    """From here on this policy is in force. `rules` maps each rule id to its digest; `retired` names those out of force."""

    policy: str
    id: str
    version: str
    rules: dict[str, str]
    retired: tuple[str, ...] = ()


class KeyIssued(Payload, frozen=True, tag="key.issued"):
    """An API key, known only by its SHA-256. `prefix` is what a person sees of it. Times are seconds since the epoch."""

    key: str
    prefix: str
    account: str
    tier: str
    expires: float | None = None


class KeyRevoked(Payload, frozen=True, tag="key.revoked"):
    """The key with this SHA-256 opens nothing any more."""

    key: str
    reason: str


class Signals(Struct, frozen=True):
    """What the judge found in one text of a request: scores by signal name; a signal that is missing is not named.

    `kept` says how many of the decision's `verdicts` are of this text, in their order. `choice` counts, from 0, the answers
    that were judged together. `care` names the rule under which the model was asked again for this answer.
    """

    surface: str
    scores: dict[str, float]
    kept: int = 0
    choice: int = 0
    care: str = ""


class Decided(Payload, frozen=True, tag="request.decided"):
    """What the gateway did with one request, and why.

    `action` is what the caller got (`allow`, `block`, `safe_complete`, `review`, `refuse`); `cause` says what decided: `rule`,
    `quota`, `key`, `tier`, `input`, `judge_error`, `upstream_error`. `verdicts` keeps those that are not plainly allowed.
    The effects are in the entry, so that no fold reads a policy or a clock: `points` count until `points_expire`. `signals`
    are what a back-test needs to decide again; `content` is where the vault keeps the text, empty when it keeps none.
    """

    request: str
    action: str
    cause: str
    status: int
    account: str | None = None
    tier: str | None = None
    surface: str = "prompt"
    model: str = ""
    policy: str = ""
    judge: str = ""
    rule: str | None = None
    verdicts: tuple[RuleVerdict, ...] = ()
    points: int = 0
    points_expire: float | None = None
    flags: tuple[str, ...] = ()
    error: str | None = None
    streamed: bool = False
    milliseconds: float | None = None
    signals: tuple[Signals, ...] = ()
    content: str = ""


class Reversed(Payload, frozen=True, tag="decision.reversed"):
    """What entry `seq` did to `account` (points, events, steps) or said of `item` (a label) counts as never given."""

    seq: int
    by: str
    reason: str
    account: str | None = None
    item: str | None = None


class AccountErased(Payload, frozen=True, tag="account.erased"):
    """The key to all content of the account was destroyed. What was built from it must be built anew: `datasets` and
    `models` by their digests."""

    account: str
    by: str
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class ContentRead(Payload, frozen=True, tag="content.read"):
    """Somebody read what the vault keeps at `content`, and for what purpose."""

    content: str
    account: str
    by: str
    purpose: str


class ContentExpired(Payload, frozen=True, tag="content.expired"):
    """The retention job removed `removed` contents whose time was over."""

    removed: int


class KeysForgotten(Payload, frozen=True, tag="keys.forgotten"):
    """The key store was given up for lost: the `contents` that the vault held then stay unreadable for ever."""

    by: str
    contents: int


class CaseOpened(Payload, frozen=True, tag="case.opened"):
    """Something for people to look at: an account, for a rule, because of the entries named."""

    case: str
    account: str | None
    rule: str
    because: tuple[int, ...] = ()
    summary: str = ""


class ReviewQueued(Payload, frozen=True, tag="review.queued"):
    """A verdict was undetermined; what was withheld waits for people."""

    item: str
    rule: str
    surface: str = "prompt"


class LadderStepped(Payload, frozen=True, tag="ladder.stepped"):
    """An account reached the rung of the ladder that stands at `at` points. `waits_for` names who must approve before it
    takes effect."""

    account: str
    points: int
    do: str
    until: float | None = None
    waits_for: str = "nobody"
    at: int = 0


class ModelMade(Payload, frozen=True, tag="model.made"):
    """A model or a set of heads was trained. `digest` is over its files, `data` over what it was trained on."""

    name: str
    role: str
    digest: str
    data: str = ""
    parent: str = ""
    seed: int = 0
    settings: dict[str, str] = {}


class DatasetBuilt(Payload, frozen=True, tag="dataset.built"):
    """Rows gathered for training or testing; `dropped` counts what was left out, by reason. `accounts` wrote some of it."""

    name: str
    digest: str
    rows: int
    sources: dict[str, int] = {}
    dropped: dict[str, int] = {}
    accounts: tuple[str, ...] = ()


class Assessed(Payload, frozen=True, tag="text.assessed"):
    """What a judge said of one text of a named set whose labels are known, so that figures can be computed again from here.

    `scores` and `outcomes` are by rule; a rule that is missing in `outcomes` was allowed. `labels` maps a rule to whether the
    text violates it. A text that could not be judged has its `error`.
    """

    item: str
    of: str
    judge: str
    labels: dict[str, bool]
    scores: dict[str, float | None] = {}
    outcomes: dict[str, str] = {}
    error: str | None = None


class Attacked(Payload, frozen=True, tag="attack.made"):
    """One attempt on a target. Of an attack `outcome` is `succeeded` or `failed`; of a benign request in the same disguise
    it is `served`, `refused` or `wrong`; of either it may be `error`, which is never a failed attack.

    `item` names the seed text, `family` and `member` the attack; `rule` is the rule that a harmful one breaks.
    """

    target: str
    family: str
    member: str
    item: str
    outcome: str
    rule: str | None = None
    held_out: bool = False
    benign: bool = False
    detail: str = ""


class Labelled(Payload, frozen=True, tag="label.given"):
    """Somebody said what a text is. `by` is `reviewer:NAME`, `finding` or `reasoner:NAME`.

    `item` names the text, never holds it.
    """

    item: str
    rule: str
    violates: bool
    by: str
    because: int | None = None


class Measured(Payload, frozen=True, tag="figure.measured"):
    """A figure, for what subject, computed from which entries: `because` holds (first, last) ranges of sequence numbers."""

    figure: Figure
    subject: str
    because: tuple[tuple[int, int], ...] = ()


class GateDecided(Payload, frozen=True, tag="gate.decided"):
    """A gate is held, missed or undecided. `value` is the bound that counted against the bar."""

    gate: str
    subject: str
    outcome: str
    bar: float
    value: float | None
    n: int
    n_needed: int | None = None
    reason: str = ""


class PromotionDecided(Payload, frozen=True, tag="promotion.decided"):
    """A candidate took the incumbent's place, or was refused, and why."""

    candidate: str
    incumbent: str
    promoted: bool
    reasons: tuple[str, ...]


class InputRead(Payload, frozen=True, tag="input.read"):
    """A file that came from outside: its digest, the rows taken, and the numbers of the lines that were refused."""

    name: str
    digest: str
    rows: int
    refused: tuple[int, ...] = ()


AnyPayload = (
    TurnStarted
    | StageEnded
    | PolicyLoaded
    | KeyIssued
    | KeyRevoked
    | Decided
    | Reversed
    | AccountErased
    | ContentRead
    | ContentExpired
    | KeysForgotten
    | CaseOpened
    | ReviewQueued
    | LadderStepped
    | ModelMade
    | DatasetBuilt
    | Assessed
    | Attacked
    | Labelled
    | Measured
    | GateDecided
    | PromotionDecided
    | InputRead
)


class Entry(Struct, frozen=True):
    """One line of the log. `seq` counts from 0 without gaps; `time` is in seconds since the epoch; `producer` names the
    program and version that appended it."""

    seq: int
    time: float
    producer: str
    payload: AnyPayload
