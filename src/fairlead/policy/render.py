"""The same rule in the words of each reader: the model, the guard, the person who was refused, the reviewer."""

from __future__ import annotations

from fairlead.policy.document import Rule


def notice(rule: Rule) -> str:
    """What the user is told: the rule's own reason, and the rule's id so that it can be appealed."""
    return f"{rule.reason.strip() or 'This request is not allowed here.'} (rule {rule.id})"


def spec(rule: Rule) -> str:
    """The full text of one rule for a model that reasons over it."""
    parts = [f"Rule {rule.id}: {rule.title or rule.id}.", rule.definition.strip()]
    parts += [f"{term}: {meaning}" for term, meaning in rule.terms.items()]
    parts += [f"Allowed: {exception}" for exception in rule.exceptions]
    parts.append(
        {
            "refuse": "When a request violates this rule, refuse and name the rule.",
            "safe_complete": "When a request violates this rule, do not comply; answer with care and offer safe help.",
            "comply_with_care": "Help, keep to general information, and say where a professional is needed.",
        }[rule.mode]
    )
    return "\n".join(part for part in parts if part)


def care(rule: Rule) -> str:
    """The instruction under which a model is asked again when a request is to be completed safely."""
    return f"Answer safely under this rule, without complying with what it forbids.\n\n{spec(rule)}"


def reviewer_page(rule: Rule) -> str:
    """What a reviewer reads before judging: definition, terms, exceptions and the examples of the train split.

    Dev and test examples are left out: whoever has read them cannot be measured on them.
    """
    examples = [f"- {e.verdict}: {e.text} ({e.why})" for e in rule.examples if e.split == "train"]
    return "\n".join([spec(rule), "", "Examples:", *examples])
