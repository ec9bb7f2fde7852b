"""How entries of the catalog look on a terminal: a table of many, and all of one.

What no source says is shown as unknown, never left out: a gap is what a reader looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from rich.table import Table
from rich.text import Text

from policyguard.catalog.lookup import entries_of
from policyguard.cli.audit_view import heading
from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.catalog.catalog import Catalog
    from policyguard.catalog.lists import List
    from policyguard.catalog.lookup import Found, Kind
    from policyguard.catalog.schema import Deployment, Model, Price

_UNKNOWN: Final = "?"
_MICRO: Final = 1_000_000
_MOST_LINES: Final = 12
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("model", "developer", "of", "weights", "hosts"),
    "deployment": ("deployment", "operator", "runs in", "in $/M", "out $/M"),
    "developer": ("developer", "name", "of", "parent"),
    "operator": ("operator", "name", "of", "controlled from"),
    "weights": ("weights", "repository", "format", "revision"),
    "list": ("list", "entries", "as of", "source"),
}
_NUMBERS: Final = frozenset({"hosts", "in $/M", "out $/M", "entries"})
_MEMBERS: Final = ("parties", "countries", "regions", "items", "chart", "names")
_ABSENT: Final = frozenset(
    {
        "access_terms",
        "documents.source",
        "family",
        "inference_profile",
        "installed",
        "licence_terms",
        "output_terms.source",
        "parent",
        "price",
        "sealing",
        "version",
    }
)
"""Facts of which `null` says that there is no such thing, as their schema does."""
_LAST: Final = ("source", "as_of")


def print_entries(console: Console, catalog: Catalog, *, kind: Kind) -> None:
    """Print one line for each entry of a kind, and which catalog says so."""
    table = plain_table()
    for index, name in enumerate(_COLUMNS[kind]):
        table.add_column(
            name,
            no_wrap=index == 0,
            overflow="fold",
            justify="right" if name in _NUMBERS else "left",
        )
    for key in entries_of(catalog, kind=kind):
        table.add_row(printable(key), *map(printable, _row(catalog, kind, key)))
    console.print(table)
    console.print()
    note = (
        f"{table.row_count} {kind if kind == 'weights' else kind + 's'} of catalog"
        f" {catalog.version}; ? is what no source says. `policyguard catalog show ID`"
        " shows all of one."
    )
    console.print(Text(note, "dim"))


def print_entry(console: Console, catalog: Catalog, *, found: Found) -> None:
    """Print every fact of one entry, and for a model where it can be had."""
    heading(console, f"{found.kind} {printable(found.id)}")
    table = Table.grid(padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    document = found.entry.model_dump(mode="json", exclude={"replaces"})
    said = {name: document.pop(name) for name in _LAST}
    for name, value in _facts(document | said):
        table.add_row(name, value)
    console.print(table)
    if found.kind == "model":
        _print_deployments(console, catalog, model=found.id)


def _print_deployments(console: Console, catalog: Catalog, *, model: str) -> None:
    keys = catalog.deployments_of(model)
    heading(console, f"where {printable(model)} can be had, cheapest first")
    if not keys:
        console.print(Text("the catalog has no deployment of it", "yellow"))
        return
    table = plain_table()
    for name in _COLUMNS["deployment"]:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    for key in keys:
        table.add_row(printable(key), *map(printable, _row(catalog, "deployment", key)))
    console.print(table)


def _row(catalog: Catalog, kind: Kind, key: str) -> tuple[str, ...]:
    entries = catalog.entries
    match kind:
        case "model":
            return _model(catalog, key, entries.models[key])
        case "deployment":
            return _deployment(entries.deployments[key])
        case "developer":
            developer = entries.developers[key]
            return (
                developer.name,
                developer.country or _UNKNOWN,
                developer.parent_country or _UNKNOWN,
            )
        case "operator":
            operator = entries.operators[key]
            return (
                operator.name,
                operator.country or _UNKNOWN,
                operator.control_country or _UNKNOWN,
            )
        case "weights":
            weights = entries.weights[key]
            return (
                weights.repository,
                weights.format or _UNKNOWN,
                weights.revision or _UNKNOWN,
            )
        case "list":
            return _list(entries.lists[key])


def _model(catalog: Catalog, key: str, model: Model) -> tuple[str, ...]:
    developer = catalog.entries.developers.get(model.developer or "")
    opened = {True: "open", False: "closed", None: _UNKNOWN}[model.open_weights]
    return (
        model.developer or _UNKNOWN,
        (developer.country if developer else None) or _UNKNOWN,
        opened,
        str(len(catalog.deployments_of(key))),
    )


def _deployment(deployment: Deployment) -> tuple[str, ...]:
    places = deployment.processing_countries
    where = " ".join(places) if places else _UNKNOWN
    if deployment.processing_scope == "global" and not places:
        where = "anywhere"
    return (deployment.operator or _UNKNOWN, where, *_price(deployment.price))


def _price(price: Price | None) -> tuple[str, str]:
    if price is None:
        return _UNKNOWN, _UNKNOWN
    return (
        f"{price.input_microusd / _MICRO:.2f}",
        f"{price.output_microusd / _MICRO:.2f}",
    )


def _list(listed: List) -> tuple[str, ...]:
    members = sum(len(getattr(listed, name, None) or ()) for name in _MEMBERS)
    return str(members), listed.as_of.isoformat(), listed.source


def _facts(document: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Text]]:
    """Yield each fact by its path, in the words of the schema."""
    for name, value in document.items():
        path = f"{under}{name}"
        if isinstance(value, dict) and value:
            yield from _facts(value, f"{path}.")
        elif value is None and path in _ABSENT:
            yield path, Text("none", "dim")
        else:
            yield path, _text(value)


def _text(value: object) -> Text:
    if value is None:
        return Text("unknown", "yellow")
    if isinstance(value, dict) or (isinstance(value, list) and not value):
        return Text("none", "dim")
    if isinstance(value, list):
        return Text(_lines(cast("Sequence[object]", value)))
    return Text(_plain(value))


def _lines(values: Sequence[object]) -> str:
    if not any(isinstance(item, dict) for item in values):
        return ", ".join(map(_plain, values))
    lines = [_plain(item) for item in values[:_MOST_LINES]]
    if len(values) > _MOST_LINES:
        lines.append(f"… and {len(values) - _MOST_LINES} more: see `--json`")
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        said = {name: item for name, item in value.items() if item not in (None, [])}
        said |= {name: said.pop(name) for name in _LAST if name in said}
        return " · ".join(f"{name} {_plain(item)}" for name, item in said.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return printable(str(value))
