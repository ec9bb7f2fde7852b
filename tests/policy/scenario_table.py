"""Scenarios of the rules as tables, one YAML file for each regime.

A scenario is a call that differs from an ordinary one in a few facts, written by their
dotted names, an instant, and what must come of it: the verdict, the rules that make it,
and what the audit record says. `scenarios/base.yaml` holds the ordinary call and the
form; `scenarios/catalog.yaml` the hosts and models that are nobody's real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.yaml_text import line_of, read_yaml
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Verdict
from policyguard.vocabulary.rolling import Rolling
from policyguard.vocabulary.value import Id, RuleId, Value

FOLDER: Final = Path(__file__).with_name("scenarios")
CATALOG: Final = FOLDER / "catalog.yaml"
BASE: Final = FOLDER / "base.yaml"
# The path of the only API that these calls are made through.
PATH: Final = "/v1/chat/completions"

Fields = Mapping[str, Any]


class Expected(Value):
    """Is what must come of a call."""

    verdict: Verdict
    rules: tuple[RuleId, ...] = ()
    """Exactly those that make the verdict; of an allowed call, those that oblige."""
    missing: tuple[str, ...] = ()
    """Exactly the facts that were needed and unknown, by whatever rule."""
    advice: tuple[RuleId, ...] = ()
    """Rules that must advise, among others."""
    silent: tuple[RuleId, ...] = ()
    """Rules that must find nothing: the ones that a naive reader expects here."""
    unverified: tuple[RuleId, ...] = ()
    """Of the rules that find something, those whose dates no person has verified."""


class Row(Expected):
    """Is one scenario as a table has it."""

    it: str
    to: Id | tuple[Id | None, ...] | None = None
    """The deployment, or the hops of the route; `null`: unknown."""
    at: str | None = None
    facts: Fields = Field(default_factory=dict)
    """By dotted name, over those of the table and of the ordinary call."""
    record: Fields = Field(default_factory=dict)
    """Fields of the audit record, besides those that each record must have."""
    counted: bool = False
    """Whether it turns on what earlier calls add up to, which a guard says itself."""


class Table(Value):
    """Is one file of scenarios."""

    facts: Fields = Field(default_factory=dict)
    """What all calls of this table have in common."""
    at: str | None = None
    to: Id | None = None
    scenarios: tuple[Row, ...]


class Base(Value):
    """Is the ordinary call: every fact is known, and no rule objects."""

    at: str
    to: Id
    call: Fields


class Scenario(Value):
    """Is one call with what must come of it."""

    name: str
    """Table and line, for whoever looks for it."""
    it: str
    call: ModelCall
    expected: Expected
    record: Fields
    counted: bool
    host: str | None
    asked: str | None
    by_client: bool
    """Whether a client's own words lead to the deployment: then one makes the call."""


def read_table(path: Path) -> Table:
    """Return the table in a file."""
    return Table.model_validate(read_yaml(path.read_text("utf-8"), name=path.name))


def read_base() -> Base:
    """Return the ordinary call."""
    return Base.model_validate(read_yaml(BASE.read_text("utf-8"), name=BASE.name))


def scenarios_in(path: Path, *, catalog: Catalog) -> tuple[Scenario, ...]:
    """Return the scenarios of a table."""
    text, table, base = path.read_text("utf-8"), read_table(path), read_base()
    return tuple(
        _scenario(
            row,
            name=f"{path.stem}:{line_of(text, ('scenarios', number))}",
            table=table,
            base=base,
            catalog=catalog,
        )
        for number, row in enumerate(table.scenarios)
    )


def tables() -> list[Path]:
    """List the tables, without the ordinary call and the catalog."""
    return sorted(set(FOLDER.glob("*.yaml")) - {BASE, CATALOG})


def with_facts(document: Mapping[str, Any], *layers: Fields) -> dict[str, Any]:
    """Return a call with facts replaced, each at its dotted name.

    A contract is named by its operator, as `tenant.contracts.ohio-host.dpa`.

    Raises:
        KeyError: a name whose group is not in the call.
    """
    changed: dict[str, Any] = deepcopy(dict(document))
    for layer in layers:
        for name, value in layer.items():
            *above, last = name.split(".")
            node: Any = changed
            for part in above:
                node = _inside(node, part)
            node[last] = deepcopy(value)
    return changed


def _inside(node: Any, part: str) -> Any:
    if not isinstance(node, list):
        return node[part]
    for item in node:
        if item["operator"] == part:
            return item
    raise KeyError(f"no contract with `{part}` in the ordinary call")


def _scenario(
    row: Row, *, name: str, table: Table, base: Base, catalog: Catalog
) -> Scenario:
    to = row.to if row.to is not None else table.to or base.to
    route = (to,) if isinstance(to, str) else to
    known = catalog.entries.deployments.get(route[0] or "")
    names, hosts = (known.names, known.hosts) if known else ((), ())
    asked, host = next(iter(names), None), next(iter(hosts), None)
    found = catalog.resolve(asked_model=asked, host=host, path=PATH)
    document = with_facts(
        {
            **base.call,
            "at": row.at or table.at or base.at,
            "model": known.model if known else None,
            "route": route,
            "asked": {"model": asked, "host": host},
        },
        table.facts,
        row.facts,
    )
    call = ModelCall.model_validate(document)
    return Scenario(
        name=name,
        it=row.it,
        call=call,
        expected=Expected(**{key: getattr(row, key) for key in Expected.model_fields}),
        record=row.record,
        counted=row.counted,
        host=host,
        asked=asked,
        # What earlier calls add up to is the guard's to say, not a client's.
        by_client=call.rolling == Rolling()
        and (found.model, (found.deployment,)) == (call.model, call.route)
        and (call.asked.model, call.asked.host) == (asked, host),
    )


def answered(findings: list[dict[str, Any]], *, verdict: str) -> dict[str, Any]:
    """Return what an answer says, in the terms of a table.

    Args:
        findings: The findings of a decision or the rule answers of its record.
        verdict: The verdict of the same.
    """
    makes = "oblige" if verdict == "allow" else verdict

    def having(effect: str) -> set[str]:
        return {str(item["id"]) for item in findings if item["effect"] == effect}

    return {
        "verdict": verdict,
        "rules": having(makes),
        "missing": {name for item in findings for name in item["missing"]},
        "advice": having("advise"),
        "found": {str(item["id"]) for item in findings},
        "unverified": {str(item["id"]) for item in findings if not item["verified"]},
    }


def faults(
    expected: Expected, findings: list[dict[str, Any]], *, verdict: str
) -> list[str]:
    """Say where an answer is not what was expected."""
    found = answered(findings, verdict=verdict)
    pairs = (
        ("verdict", {expected.verdict}, {found["verdict"]}),
        ("rules", set(expected.rules), found["rules"]),
        ("missing", set(expected.missing), found["missing"]),
        ("advice", set(expected.advice), found["advice"] & set(expected.advice)),
        ("silent", set(), found["found"] & set(expected.silent)),
        (
            "unverified",
            set(expected.unverified),
            found["unverified"] & set(expected.unverified),
        ),
    )
    return [
        f"{what}: expected {sorted(wanted) or 'none'}, found {sorted(got) or 'none'}"
        for what, wanted, got in pairs
        if wanted != got
    ]
