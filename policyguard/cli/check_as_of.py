"""`policyguard check --as-of`: one question, with what was known then and is known now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import click

from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.terminal import output, plain_table, printable

if TYPE_CHECKING:
    from policyguard.catalog.catalog import Catalog
    from policyguard.vocabulary.call import ModelCall
    from policyguard.vocabulary.decision import Decision

_NOT_ALLOWED = 1
_NOTHING = "nothing"


def check_as_of(
    question: ModelCall, *, day: date, config: str | None, as_json: bool
) -> int:
    """Answer a question twice, show both answers and what differs.

    Returns:
        0 if it was allowed by what was known then, 1 if not, 2 without a decision.

    Raises:
        PolicyGuardError: there is nothing to answer with.
    """
    from policyguard.assembly import build_core, core_as_known
    from policyguard.guard.guard import Guard
    from policyguard.settings import load_settings

    core = build_core(settings=load_settings(config), role="cli")
    with Guard.of_core(core) as guard:
        earlier = core_as_known(core, day=day)
        then, now = Guard.of_core(earlier).check(question), guard.check(question)
        before, after = (item.policies.newest.catalog for item in (earlier, core))
        known = _Known(
            day=day,
            changed=tuple(_changed(before, after)),
            unknown=tuple(_unknown(before, day)),
        )
    if as_json:
        click.echo(json.dumps(_document(then, now, known), indent=2))
    else:
        _show(then, now, known)
    if then.code is not None or now.code is not None:
        return UNANSWERED
    return 0 if then.allowed else _NOT_ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Says how the lists of two answers differ."""

    day: date
    changed: tuple[tuple[str, date, date], ...]
    """Lists of which there is a newer edition, with both days."""
    unknown: tuple[tuple[str, date], ...]
    """Lists that were not known on the day, with the oldest edition, which stands in."""


def _changed(then: Catalog, now: Catalog) -> Iterator[tuple[str, date, date]]:
    for key, listed in sorted(now.entries.lists.items()):
        before = then.entries.lists[key].as_of
        if before != listed.as_of:
            yield key, before, listed.as_of


def _unknown(then: Catalog, day: date) -> Iterator[tuple[str, date]]:
    for key, listed in sorted(then.entries.lists.items()):
        if listed.as_of > day:
            yield key, listed.as_of


def _effects(decision: Decision) -> dict[str, str]:
    """Return what each rule did, or why there is no answer."""
    if decision.code is not None:
        return {"no decision": decision.code}
    found: dict[str, set[str]] = {}
    for finding in decision.findings:
        found.setdefault(finding.id, set()).add(finding.effect)
    return {key: ", ".join(sorted(effects)) for key, effects in found.items()}


def _differences(then: Decision, now: Decision) -> list[tuple[str, str, str]]:
    before, after = _effects(then), _effects(now)
    return [
        (key, before.get(key, _NOTHING), after.get(key, _NOTHING))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _show(then: Decision, now: Decision, known: _Known) -> None:
    from policyguard.cli.check import show

    console = output()
    titles = (f"as known on {known.day}", "as known now")
    for title, decision in zip(titles, (then, now), strict=True):
        console.rule(title, align="left", style="dim")
        show(decision)
        console.print()
    console.rule("what differs", align="left", style="dim")
    rules = _differences(then, now)
    if known.changed or rules:
        table = plain_table()
        for name in ("", f"on {known.day}", "now"):
            table.add_column(name)
        for key, before, after in rules:
            table.add_row(printable(key), before, after)
        for key, first, last in known.changed:
            table.add_row(printable(key), str(first), str(last))
        console.print(table)
    else:
        console.print("nothing: no list that is known has changed since")
    if known.unknown:
        named = ", ".join(f"{key} ({day})" for key, day in known.unknown)
        console.print(
            printable(
                f"not known on {known.day}, so the oldest edition stands in: {named}"
            ),
            soft_wrap=True,
        )


def _document(then: Decision, now: Decision, known: _Known) -> dict[str, object]:
    return {
        "as_of": known.day.isoformat(),
        "then": then.model_dump(mode="json"),
        "now": now.model_dump(mode="json"),
        "rules": [
            {"id": key, "then": before, "now": after}
            for key, before, after in _differences(then, now)
        ],
        "lists": [
            {"id": key, "then": first.isoformat(), "now": last.isoformat()}
            for key, first, last in known.changed
        ],
        "not_known_yet": [
            {"id": key, "oldest": day.isoformat()} for key, day in known.unknown
        ],
    }
