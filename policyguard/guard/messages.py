"""What people read about a decision: the operator's view, and the caller's.

INVARIANT: the caller's view never says which fact would have to change. Whoever may
not make a call must not be taught how to describe it differently.
"""

from __future__ import annotations

import json
from typing import Final

from policyguard.catalog.endpoints import host_key
from policyguard.guard.declaring import can_be_declared, declarations
from policyguard.vocabulary.decision import Alternative, Decision, Finding

_HEADLINE: Final = {
    "deny": "denied by",
    "unavailable": "unavailable by",
    "require_approval": "approval required by",
}
_OBJECTIONS: Final = ("deny", "unavailable", "require_approval")
_OPERATOR: Final = "deployment.operator"
_LABEL_WIDTH: Final = 13
_MOST_SHOWN: Final = 3
_MOST_NUMBERS: Final = 20


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
        lines = [*_objections(decision), *_found(decision), *_declare(decision)]
        lines += _look_up(decision)
        lines += _unread(decision)
        lines += _alternatives(decision.alternatives)
        if not decision.enforced:
            lines.append(_line("observed", "the tenant's mode stops no call for this"))
    if decision.record is not None:
        place = f"entry {decision.record.index} of {decision.record.origin}"
        lines.append(_line("record", f"{decision.id} · {place}"))
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    # Names that a client typed stand in here: none may begin a line of its own, or
    # move, hide or colour what a terminal shows beside it.
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line
    )


def caller_view(decision: Decision) -> dict[str, object]:
    """Return what may leave the process: ids, rules, citations and permitted routes.

    A rule that objects for more than one reason is named once.
    """
    return {
        "decision": decision.id,
        "verdict": decision.verdict,
        "code": decision.code,
        **({"requests": list(decision.requests)} if decision.requests else {}),
        "rules": [
            {"id": item.id, "title": item.title, "citation": item.citation}
            for item in {item.id: item for item in objections(decision)}.values()
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
    named = dict.fromkeys(item.id for item in objections(decision))
    return f"not allowed by {', '.join(named) or 'policy'} [{decision.id}]"


def _allowed(decision: Decision) -> str:
    duties = ", ".join(item.type for item in decision.obligations)
    signed = "".join(
        f"; {softened.by} {softened.id} of {finding.id}"
        for finding in decision.findings
        for softened in finding.softened
    )
    objects = "nothing that stands objects" if signed else "no configured rule objects"
    return objects + signed + (f"; obligations: {duties}" if duties else "")


def _objections(decision: Decision) -> list[str]:
    """Say each objection; a source that the next one shares is said once."""
    lines: list[str] = []
    found = objections(decision)
    for finding, following in zip(found, [*found[1:], None], strict=True):
        lines += _finding(finding)
        if following is None or _source(following) != _source(finding):
            source = f"{_source(finding)} · rulebook {decision.bundle.revision}"
            lines.append(_line("source", source))
    return lines


def _finding(finding: Finding) -> list[str]:
    lines = [f"{_HEADLINE[finding.effect]} {finding.id}: {finding.msg}"]
    # What is unknown and was needed is said to be missing; other nulls decided nothing.
    known = [
        f"{name} = {_value(value)}"
        for name, value in finding.facts.items()
        if value is not None
    ]
    if known:
        lines.append(_line("decided by", " · ".join(known)))
    lines += [
        _line("softened", f"from {item.effect} by {item.by} {item.id}")
        for item in finding.softened
    ]
    if finding.missing:
        lines.append(_line("missing", " · ".join(finding.missing)))
    shown_below = finding.missing and all(map(can_be_declared, finding.missing))
    if finding.remedy and not shown_below:
        lines.append(_line("would change", finding.remedy))
    return lines


def _source(finding: Finding) -> str:
    status = finding.status.replace("_", " ")
    checked = "" if finding.verified else ", date not verified by a person"
    return f"{finding.citation or finding.title} · {status}{checked}"


def _found(decision: Decision) -> list[str]:
    """Say what a search found beyond what was declared, in kinds and numbers."""
    if decision.found is None or not decision.found.undeclared:
        return []
    classes = " and ".join(decision.found.undeclared)
    kinds = ", ".join(f"{item.kind} {item.count}x" for item in decision.found.kinds)
    return [_line("found", f"{classes} data, which was not declared ({kinds})")]


def _declare(decision: Decision) -> list[str]:
    """Show what to write so that the facts that are missing are known."""
    found = objections(decision)
    shown = declarations(
        (name for finding in found for name in finding.missing),
        call=decision.call,
        operators=(
            str(finding.facts[_OPERATOR])
            for finding in found
            if finding.facts.get(_OPERATOR)
        ),
    )
    return [
        _line("" if number else "declare", text) for number, text in enumerate(shown)
    ]


def _look_up(decision: Decision) -> list[str]:
    """Say which command shows what the catalog does know, of a model or a host."""
    missing = {name for item in objections(decision) for name in item.missing}
    if not missing & {"model", "deployment"}:
        return []
    call = decision.call
    host = call.asked.host
    # An id of the catalog and a plain host are safe to paste; what a client typed is not.
    name = call.model or (host if host and host_key(host) == host else None)
    command = f"show {name}" if name else "list deployments"
    return [_line("look up", f"policyguard catalog {command}")]


def _unread(decision: Decision) -> list[str]:
    """Say what of a call could not be read, and which requests of a batch are refused."""
    lines = [_line("note", decision.detail)] if decision.detail else []
    if decision.requests:
        named = ", ".join(map(str, decision.requests[:_MOST_NUMBERS]))
        left = len(decision.requests) - _MOST_NUMBERS
        more = f" and {left} more" if left > 0 else ""
        lines.append(_line("requests", f"{named}{more} of the batch; none was sent"))
    return lines


def _alternatives(alternatives: tuple[Alternative, ...]) -> list[str]:
    if not alternatives:
        return []
    # Cheapest first: what somebody does next is most often the first line.
    return [
        _line(
            "" if number else "would pass",
            f"{item.model} at {item.host or item.deployment}{_places(item)},"
            f" {item.price or 'price unknown'}",
        )
        for number, item in enumerate(alternatives[:_MOST_SHOWN])
    ]


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
