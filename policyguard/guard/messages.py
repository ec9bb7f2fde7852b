"""What people read about a decision: the operator's view, and the caller's.

INVARIANT: the caller's view never says which fact would have to change. Whoever may
not make a call must not be taught how to describe it differently.
"""

from __future__ import annotations

import json
from typing import Final

from policyguard.vocabulary.decision import Alternative, Decision, Finding

_HEADLINE: Final = {
    "deny": "denied by",
    "unavailable": "unavailable by",
    "require_approval": "approval required by",
}
_OBJECTIONS: Final = ("deny", "unavailable", "require_approval")
_GROUPS: Final = ("caller", "data", "purpose", "exporter", "context")
_LABEL_WIDTH: Final = 13
_EXAMPLES: Final = {
    "caller": 'caller="alice@example.com"',
    "purpose": 'purpose="inference"',
    "data.classes": 'data={"classes": ["none"]}',
    "exporter.establishment": 'exporter="DE"',
}


def objections(decision: Decision) -> tuple[Finding, ...]:
    """Return the findings that object, strongest first."""
    found = [item for item in decision.findings if item.effect in _OBJECTIONS]
    return tuple(
        sorted(found, key=lambda item: (_OBJECTIONS.index(item.effect), item.id))
    )


def operator_view(decision: Decision) -> str:
    """Return all that the operator of the process may know, for people to read."""
    if decision.code is not None:
        lines = [f"no decision, so not allowed: {decision.detail} [{decision.code}]"]
    elif decision.allowed:
        lines = [_allowed(decision)]
    else:
        lines = []
        for finding in objections(decision):
            lines += _finding(finding, decision=decision)
        lines += _how_to_declare(decision)
        lines += _alternatives(decision.alternatives)
    if decision.record is not None:
        place = f"entry {decision.record.index} of {decision.record.origin}"
        lines.append(_line("record", f"{decision.id} · {place}"))
    return "\n".join(lines)


def caller_view(decision: Decision) -> dict[str, object]:
    """Return what may leave the process: ids, rules, citations and permitted routes."""
    return {
        "decision": decision.id,
        "verdict": decision.verdict,
        "code": decision.code,
        "rules": [
            {"id": item.id, "title": item.title, "citation": item.citation}
            for item in objections(decision)
        ],
        "permitted": [
            {"deployment": item.deployment, "model": item.model, "host": item.host}
            for item in decision.alternatives
        ],
    }


def caller_message(decision: Decision) -> str:
    """Return the caller's view as one line."""
    if decision.code is not None:
        return f"not allowed: no policy decision could be had [{decision.id}]"
    named = ", ".join(item.id for item in objections(decision)) or "policy"
    return f"not allowed by {named} [{decision.id}]"


def _allowed(decision: Decision) -> str:
    duties = ", ".join(item.type for item in decision.obligations)
    return "no configured rule objects" + (f"; obligations: {duties}" if duties else "")


def _finding(finding: Finding, *, decision: Decision) -> list[str]:
    lines = [f"{_HEADLINE[finding.effect]} {finding.id}: {finding.msg}"]
    if finding.facts:
        facts = " · ".join(
            f"{name} = {_value(value)}" for name, value in finding.facts.items()
        )
        lines.append(_line("decided by", facts))
    if finding.missing:
        lines.append(_line("unknown", " · ".join(finding.missing)))
    status = finding.status.replace("_", " ")
    checked = "" if finding.verified else ", date not verified by a person"
    source = f"{finding.citation or finding.title} · {status}{checked}"
    lines.append(_line("source", f"{source} · rulebook {decision.bundle.revision}"))
    if finding.remedy:
        lines.append(_line("would change", finding.remedy))
    return lines


def _how_to_declare(decision: Decision) -> list[str]:
    """Show how to declare what is unknown and what the caller's code can know."""
    names = sorted(
        {
            name
            for finding in objections(decision)
            for name in finding.missing
            if name.partition(".")[0] in _GROUPS
        }
    )
    if not names:
        return []
    shown = [_EXAMPLES[name] for name in names if name in _EXAMPLES]
    rest = [name for name in names if name not in _EXAMPLES]
    lines = [_line("declare", f"guard.bind({', '.join(shown)})")] if shown else []
    if rest:
        lines.append(_line("declare too", " · ".join(rest)))
    lines.append(_line("", "(lost in a thread? facts declared there do not follow)"))
    return lines


def _alternatives(alternatives: tuple[Alternative, ...]) -> list[str]:
    if not alternatives:
        return []
    shown = ", ".join(
        f"{item.model} at {item.host or item.deployment}{_places(item)}"
        for item in alternatives[:3]
    )
    return [_line("would pass", shown)]


def _places(item: Alternative) -> str:
    return f" ({', '.join(item.countries)})" if item.countries else ""


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL_WIDTH}}{text}"


def _value(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
