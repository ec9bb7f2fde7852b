"""How rules look on a terminal: a table by regime, and one rule explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policyguard.cli.audit_view import heading
from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.bundle.reading import RuleReading
    from policyguard.bundle.rulebook import RuleInfo, RuleWindow

_STATUS_STYLE: Final = {
    "in_force": "green",
    "contractual": "green",
    "customer_policy": "green",
    "contested": "yellow",
    "suspended": "yellow",
    "proposed": "dim",
}
_EFFECTS: Final = {
    "deny": "the call is not made",
    "unavailable": "the vendor has switched it off; no legal bar",
    "require_approval": "a person has to approve first",
    "indeterminate": "a fact is missing: approval, or deny for a strict tenant",
    "oblige": "the call may be made, and something has to be done",
    "advise": "the call may be made; something is worth knowing",
}
_SEVERITY_STYLE: Final = {"critical": "bold red", "high": "bold yellow"}
_WHEN: Final = 19
_NO_STATUS: Final = "not yet, or no more"


def print_rules(
    console: Console, rules: Sequence[RuleInfo], *, revision: str, at: datetime
) -> None:
    """Print a table of rules, regime by regime.

    Args:
        console: Where to.
        rules: What it shows.
        revision: The bundle's revision.
        at: The instant whose statuses are shown.
    """
    table = plain_table()
    table.add_column("rule", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    table.add_column(f"on {at:%Y-%m-%d}", no_wrap=True)
    ordered = sorted(rules, key=lambda rule: (rule.regime, rule.id))
    for regime, group in groupby(ordered, key=lambda rule: rule.regime):
        table.add_row(Text(regime, "bold cyan"), "", "")
        for rule in group:
            table.add_row(Text(f"  {rule.id}"), Text(rule.title), _status(rule, at=at))
    console.print(table)
    console.print()
    console.print(
        Text(
            f"{len(rules)} rules of bundle {revision}. ? marks a date that no person has"
            " verified. `policyguard policy explain RULE` shows all of one.",
            "dim",
        )
    )


def print_rule(
    console: Console,
    rule: RuleInfo,
    reading: RuleReading,
    *,
    overrides: Sequence[Mapping[str, str]],
    revision: str,
    at: datetime,
) -> None:
    """Print all that is known of one rule.

    Args:
        console: Where to.
        rule: What the rulebook says of it.
        reading: What its text says.
        overrides: What softens it: `to`, `from`, `until`, `author` and `reason`.
        revision: The bundle's revision.
        at: The instant that is marked among its windows.
    """
    console.print(Text.assemble((rule.id, "bold cyan"), "  ", (rule.title, "bold")))
    style = _SEVERITY_STYLE.get(rule.severity, "dim")
    console.print(
        Text.assemble(
            (f"{rule.regime} · ", "dim"),
            (rule.severity, style),
            (" · locked: no override softens it" if rule.locked else "", "dim"),
        )
    )
    if rule.description:
        console.print()
        _paragraph(console, rule.description)
    heading(console, "Source")
    _paragraph(console, rule.citation)
    _paragraph(console, f"text last read on {rule.as_of}", style="dim")
    heading(console, "Status")
    console.print(Padding(_windows(rule, at=at), (0, 0, 0, 2)))
    if overrides:
        heading(console, "Softened")
        _pairs(console, [_softened(item) for item in overrides])
    heading(console, "What it does")
    _pairs(console, [(effect, _EFFECTS[effect]) for effect in reading.effects])
    if reading.obligations:
        _pairs(console, [("to be done", ", ".join(reading.obligations))])
    _listed(console, "Does not object when", rule.exceptions)
    _listed(console, "What would change its answer", reading.remedies)
    heading(console, "Facts that it reads")
    _pairs(console, _by_group(reading.facts))
    console.print()
    console.print(Text(f"{rule.file} in bundle {revision}", "dim"))


def _windows(rule: RuleInfo, *, at: datetime) -> Table:
    now = rule.window_at(int(at.timestamp()))
    table = Table.grid(padding=(0, 2, 0, 0))
    for window in rule.windows:
        current = window is now
        table.add_row(
            Text("▸" if current else " ", "bold"),
            Text(_when(window), "bold" if current else ""),
            Text(_said(window.status), _STATUS_STYLE[window.status]),
            Text(
                "verified" if window.verified else "dates not verified by a person",
                "dim" if window.verified else "yellow",
            ),
        )
    if now is None:
        table.add_row(Text("▸", "bold"), f"{at:%Y-%m-%d}", Text(_NO_STATUS, "dim"))
    return table


def _when(window: RuleWindow) -> str:
    since, until = window.since, window.until
    if since is None and until is None:
        return "always"
    if until is None:
        return f"since {_moment(since)}"
    if since is None:
        return f"until {_moment(until)}"
    return f"{_moment(since)} to {_moment(until)}"


def _moment(seconds: int | None) -> str:
    instant = datetime.fromtimestamp(seconds or 0, UTC)
    if instant.second:
        return f"{instant:%Y-%m-%d %H:%M:%S}Z"
    at_midnight = not instant.hour and not instant.minute
    return f"{instant:%Y-%m-%d}" if at_midnight else f"{instant:%Y-%m-%d %H:%M}Z"


def _status(rule: RuleInfo, *, at: datetime) -> Text:
    window = rule.window_at(int(at.timestamp()))
    if window is None:
        return Text("-", "dim")
    mark = "" if window.verified else " ?"
    return Text(f"{_said(window.status)}{mark}", _STATUS_STYLE[window.status])


def _said(status: str) -> str:
    return status.replace("_", " ")


def _listed(console: Console, title: str, items: Iterable[str]) -> None:
    held = list(items)
    if not held:
        return
    heading(console, title)
    table = Table.grid(padding=(0, 1, 0, 0))
    for item in held:
        table.add_row(Text("·", "dim"), Text(item))
    console.print(Padding(table, (0, 0, 0, 2)))


def _pairs(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=_WHEN, no_wrap=True)
    for name, text in pairs:
        table.add_row(Text(name), Text(text, "dim"))
    console.print(Padding(table, (0, 0, 0, 2)))


def _softened(item: Mapping[str, str]) -> tuple[str, str]:
    said = (
        f"from {item['from'][:10]} to {item['until'][:10]}, signed by {item['author']}:"
        f" {item['reason']} (override {item['id']})"
    )
    return f"to {item['to']}", printable(said)


def _by_group(facts: Iterable[str]) -> list[tuple[str, str]]:
    groups: dict[str, list[str]] = {}
    for name in facts:
        group, _, rest = name.partition(".")
        groups.setdefault(group, []).append(rest or "all")
    return [(group, ", ".join(names)) for group, names in groups.items()]


def _paragraph(console: Console, text: str, *, style: str = "") -> None:
    console.print(Padding(Text(" ".join(text.split()), style), (0, 0, 0, 2)))
