"""The schema of the policy file. An unknown key is an error, so a typo can never become a default."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from fairlead.policy.act import Act
from fairlead.policy.state import State
from fairlead.records.canonical import digest
from fairlead.records.entry import PolicyLoaded
from fairlead.records.example import Split

Surface = Literal["prompt", "response", "tool_call", "account"]
Authority = Literal["root", "developer", "user", "guideline"]
Severity = Literal["low", "medium", "high", "critical"]
Mode = Literal["refuse", "safe_complete", "comply_with_care"]
ToolAction = Literal["allow", "confirm", "deny"]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
LadderStep = Literal["warn", "throttle", "tier_down", "suspend", "ban"]


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A part of a file that a person writes."""


def _said(value: Any) -> Any:
    """Plain data without what equals its default: a key that the schema gains later changes no digest, and so orphans nothing.

    A default that was released therefore never changes.
    """
    if isinstance(value, Struct):
        given = ((field.name, getattr(value, field.name), field) for field in fields(value))
        return {name: _said(each) for name, each, field in given if each != _default(field)}
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items()}
    return [_said(each) for each in value] if isinstance(value, tuple) else value


def _default(field: FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not NODEFAULT else field.default


class Objective(_Strict, frozen=True):
    """What the deployment is for: requests that must be served."""

    id: str
    text: str
    examples: tuple[str, ...] = ()


class RuleExample(_Strict, frozen=True):
    """One text with its verdict and the reason for it. Examples of one `group`, such as benign twins, share a split."""

    id: str
    text: str
    verdict: Literal["violates", "allowed"]
    why: str
    split: Split
    group: str = ""


class Comparison(_Strict, frozen=True):
    """A good and a bad answer to one prompt; becomes a preference pair."""

    prompt: str
    good: str
    bad: str
    why: str


class Pattern(_Strict, frozen=True):
    """A signature: an RE2 expression, matched without regard to case, that by itself shows a violation.

    Where it has `needs`, a text must hold that, too: a rare part of it, looked for first, so that many patterns stay fast.
    """

    id: str
    match: str
    needs: str = ""


class Detect(_Strict, frozen=True):
    """Thresholds over one signal in [0, 1]: at `block` it violates, at `review` it is undetermined.

    One of the `patterns`, or a datum of one of the `personal` kinds, is a violation by itself.
    """

    signal: str
    review: float
    block: float
    missing: Literal["review", "block"] = "review"
    patterns: tuple[Pattern, ...] = ()
    personal: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """The signal as `when:` names it, in `signal.harm["NAME"]`."""
        return self.signal.removeprefix("harm.")


class Review(_Strict, frozen=True):
    """How people review what this rule hits."""

    reviewers: int = 1
    blind: bool = True
    min_alpha: float = 0.67
    golden_rate: float = 0.05


class Gates(_Strict, frozen=True):
    """What the judge must reach on held-out examples before the rule may be enforced.

    `accept_undecided` says why it is enforced all the same while too few examples leave a gate undecided.
    """

    recall: Share
    false_positive: Share
    accept_undecided: str = ""


class Privacy(_Strict, frozen=True):
    """Retention of what this rule touches, and the smallest group an analyst may see."""

    retain_days: Positive = 30
    k: Positive = 25


class Maps(_Strict, frozen=True):
    """The rule's names in other people's taxonomies."""

    mlcommons: tuple[str, ...] = ()
    owasp_llm: tuple[str, ...] = ()
    llama_guard: tuple[str, ...] = ()
    openai_moderation: tuple[str, ...] = ()
    nist: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()


class Rule(_Strict, frozen=True):
    """One rule. It is over texts (`detect`) or over an account's history (`when`), never both.

    `weakens` says why an override of a rule with root authority allows more than the rule below it.
    """

    id: str
    act: dict[str, tuple[Act, ...]]
    title: str = ""
    authority: Authority = "developer"
    applies_to: tuple[Surface, ...] = ("prompt", "response")
    definition: str = ""
    terms: dict[str, str] = {}
    exceptions: tuple[str, ...] = ()
    severity: Severity = "medium"
    mode: Mode = "refuse"
    examples: tuple[RuleExample, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    detect: Detect | None = None
    when: str | None = None
    missing: Literal["review", "block"] = "review"
    cap_per_day: Positive | None = None
    on_review: dict[str, Literal["deliver", "withhold"]] = {}
    review: Review = Review()
    reason: str = ""
    safe_completion: str = ""
    gates: Gates | None = None
    privacy: Privacy = Privacy()
    maps: Maps = Maps()
    state: State = State("draft")
    weakens: str = ""

    @cached_property
    def digest(self) -> str:
        """The rule's identity. The state is left out, so that a change of state orphans no verdict, label or cache."""
        return digest({key: value for key, value in _said(self).items() if key != "state"})

    @cached_property
    def meaning(self) -> str:
        """Digest of what the rule says: heads trained for one meaning say nothing of another. Thresholds and actions are left
        out, so that turning them needs no training."""
        return digest((self.id, self.definition, self.terms, self.exceptions, self.examples))

    def acts_on(self, account: str | None) -> bool:
        """Whether the rule acts on an account; in shadow, and for those outside a canary, it is noted only."""
        return self.state.acts_on(self.id, account)

    def actions(self, tier: str) -> tuple[Act, ...]:
        """What happens to a request of `tier` that violates; a tier that is not named takes the strictest list."""
        if tier in self.act:
            return self.act[tier]
        return max(self.act.values(), key=lambda acts: max(a.strictness for a in acts))


class Tool(_Strict, frozen=True):
    """What a model may do on somebody's behalf with one tool. A tool or tier that is not named is denied."""

    name: str
    act: dict[str, ToolAction]
    untrusted_input: ToolAction = "confirm"


class Rung(_Strict, frozen=True):
    """One step of the ladder: what happens to an account that holds `at` points."""

    at: Positive
    do: LadderStep
    days: Positive | None = None
    approve: Literal["nobody", "human", "two_humans"] = "nobody"


class Quota(_Strict, frozen=True):
    """What a tier may use."""

    requests_per_minute: Positive
    requests_per_day: Positive


class Policy(_Strict, frozen=True):
    """The whole file."""

    schema: Literal[1]
    id: str
    version: str
    tiers: tuple[str, ...]
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]
    objectives: tuple[Objective, ...] = ()
    tools: tuple[Tool, ...] = ()
    ladder: tuple[Rung, ...] = ()
    quotas: dict[str, Quota] = {}
    strikes_expire_days: int = 90

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the resolved policy in canonical JSON: its identity."""
        return digest(_said(self))

    def entry(self) -> PolicyLoaded:
        """What the ledger says when this policy comes into force."""
        rules = {rule.id: rule.digest for rule in self.rules}
        retired = tuple(rule.id for rule in self.rules if rule.state == "retired")
        return PolicyLoaded(self.digest, self.id, self.version, rules, retired)

    def rule(self, id: str) -> Rule:
        """The rule with this id. Raises KeyError when there is none."""
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    def over(self, surface: Surface) -> tuple[Rule, ...]:
        """The living rules over texts that look at `surface`."""
        return self._by_surface.get(surface, ())

    @cached_property
    def _by_surface(self) -> dict[str, tuple[Rule, ...]]:
        return {surface: tuple(r for r in self.text_rules if surface in r.applies_to) for surface in get_args(Surface)}

    @cached_property
    def text_rules(self) -> tuple[Rule, ...]:
        """The rules that look at texts and are alive (neither draft nor retired)."""
        return tuple(r for r in self.rules if r.detect is not None and r.state.alive)

    @cached_property
    def account_rules(self) -> tuple[Rule, ...]:
        """The rules over an account's history that are alive."""
        return tuple(r for r in self.rules if r.when is not None and r.state.alive)
