"""Reads what an engine answered; whatever is not a whole, coherent answer is refused.

INVARIANT: the verdict is computed a second time here, from the findings. A document
whose verdict is milder than its findings never becomes a decision. Nothing in an answer
can be changed, because it is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, Protocol

from pydantic import ConfigDict, ValidationError
from typing_extensions import TypedDict

from policyguard.canonical import Json
from policyguard.errors import EvaluationError
from policyguard.vocabulary.approval import Softened
from policyguard.vocabulary.decision import (
    Advice,
    Effect,
    Finding,
    Obligation,
    Status,
    Verdict,
)
from policyguard.vocabulary.frozen import frozen
from policyguard.vocabulary.value import Id, RuleId, Value, built

_VERDICT_OF: Final[Mapping[Effect, Verdict]] = {
    "deny": "deny",
    "unavailable": "unavailable",
    "require_approval": "require_approval",
    "oblige": "allow",
    "advise": "allow",
}
_STRENGTH: Final[Mapping[Verdict, int]] = {
    "allow": 0,
    "require_approval": 1,
    "unavailable": 2,
    "deny": 3,
}


class RuleText(Protocol):
    """Is what the rulebook says of a rule."""

    @property
    def title(self) -> str:
        """Say what the rule is called."""

    @property
    def citation(self) -> str:
        """Say which text the rule follows."""


class Rules(Protocol):
    """Finds what the rulebook says; a bundle does."""

    def rule(self, rule_id: str) -> RuleText:
        """Return the rule, or raise BundleError."""


class _Found(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)  # type: ignore[misc] # pydantic reads it

    id: RuleId
    effect: Effect
    status: Status
    verified: bool
    msg: str
    facts: dict[str, Any]
    """What a JSON parser has read: an engine's answer is nothing else."""
    missing: tuple[str, ...]
    remedy: str
    softened: NotRequired[tuple[Softened, ...]]


class _Document(Value):
    verdict: Verdict
    findings: tuple[_Found, ...]
    obligations: tuple[Obligation, ...]
    advice: tuple[Advice, ...]
    replaced: tuple[Id, ...]


class Answer(Value):
    """Is an engine's answer after validation, with the rulebook's words added."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    obligations: tuple[Obligation, ...]
    advice: tuple[Advice, ...]
    replaced: tuple[Id, ...]


def read_answer(document: Mapping[str, Json], *, rules: Rules) -> Answer:
    """Validate a decision document.

    Raises:
        EvaluationError: a field is missing, unknown or of a wrong type, the verdict
            is not what the findings make it, or an id is not in the rulebook.
    """
    try:
        parsed = _Document.model_validate(document)
    except ValidationError as error:
        raise EvaluationError(
            f"the engine's answer is malformed at `{_place(error)}`",
            code="engine.malformed",
        ) from error
    _require_coherent(parsed)
    obligations = tuple(
        item.model_copy(update={"properties": frozen(dict(item.properties))})
        for item in parsed.obligations
    )
    return built(
        Answer,
        {
            "verdict": parsed.verdict,
            "findings": tuple(
                _with_words(found, rules=rules) for found in parsed.findings
            ),
            "obligations": obligations,
            "advice": parsed.advice,
            "replaced": parsed.replaced,
        },
    )


def _require_coherent(document: _Document) -> None:
    strongest: Verdict = max(
        (_VERDICT_OF[found["effect"]] for found in document.findings),
        key=_STRENGTH.__getitem__,
        default="allow",
    )
    obliged = {
        found["id"] for found in document.findings if found["effect"] == "oblige"
    }
    if strongest != document.verdict:
        raise EvaluationError(
            f"the engine's verdict `{document.verdict}` contradicts its findings,"
            f" which make `{strongest}`",
            code="engine.malformed",
        )
    if obliged != {obligation.id for obligation in document.obligations}:
        raise EvaluationError(
            "the engine's obligations contradict its findings", code="engine.malformed"
        )


def _with_words(found: _Found, *, rules: Rules) -> Finding:
    try:
        rule = rules.rule(found["id"])
    except Exception as error:
        raise EvaluationError(
            f"the engine names `{found['id']}`, which the rulebook does not have",
            code="engine.malformed",
        ) from error
    # Validated a moment ago, field by field.
    fields: dict[str, Any] = {**found}
    fields["facts"] = frozen(fields["facts"])
    fields.setdefault("softened", ())
    fields["title"], fields["citation"] = rule.title, rule.citation
    return built(Finding, fields)


def _place(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.errors()[0]["loc"]) or "the top"
