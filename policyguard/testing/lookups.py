"""Makes of what helpers of tests returned a table in which the engine looks it up.

JSON has no sets, and to write a catalog as text for each look-up would cost more than
all else: both are told apart here, so that a look-up costs a tenth of a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.canonical import Json

LIBRARY: Final = "policyguard_kit_table.rego"
LIBRARY_TEXT: Final = """package policyguard_kit.lib

restored(entry) := entry.value if {
	count(entry.families) + count(entry.mixed) + count(entry.deep) == 0
} else := object.union_n(array.concat([entry.value], array.concat(
	[_nested(found.path, sets) |
		some found in entry.families
		sets := {name: object.keys(names) | some name, names in found.sets}
	],
	[_nested(found.path, {item | some item in found.items}) | some found in entry.mixed],
))) if {
	count(entry.deep) == 0
} else := json.patch(entry.value, [{"op": "replace", "path": found.path, "value": as_set} |
	some found in entry.deep
	as_set := {item | some item in found.items}
])

# Each argument as text, and whether it has sets.
told(args) := [{"text": text, "odd": json.unmarshal(text) != arg} |
	some arg in args
	text := json.marshal(arg)
]

# What is the same when it is read again has none, and need not be walked.
sets(value) := [] if {
	json.unmarshal(json.marshal(value)) == value
} else := [path | walk(value, [path, item]); is_set(item)]

_nested(path, value) := {path[0]: value} if count(path) == 1

_nested(path, value) := {path[0]: {path[1]: value}} if count(path) == 2

_nested(path, value) := {path[0]: {path[1]: {path[2]: value}}} if count(path) == 3
"""
MISSED: Final = "policyguard-missed"
"""What is printed where a table has no answer: what was asked then says nothing."""
MARK: Final = "policyguard-table "
_MAX_VALUE: Final = 1 << 20
_LARGE: Final = 4_096
"""Bytes of an argument from which on it is compared, and not written as text."""
_NESTED: Final = 3
"""How deep a set lies at most that is put into its place quickly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Is what helpers returned."""

    entries: Mapping[str, Json] = field(repr=False)
    """By function and arguments what was returned, once for each of the large ones."""
    large: list[Json] = field(repr=False)
    """The arguments that are compared, once each."""
    compared: Mapping[str, tuple[int, ...]]
    """By function which of its arguments those are."""


NO_TABLE: Final = Table(entries={}, large=[], compared={})


def table_of(prints: Iterable[str]) -> Table:
    """Return the table that helpers printed.

    To write a catalog as text for each look-up would cost more than all else: arguments
    that are large are compared with the few that there are, the others are a key.
    """
    calls: list[Any] = []
    for line in prints:
        _, mark, text = line.partition(MARK)
        if mark and len(text) <= _MAX_VALUE:
            calls.append(json.loads(text))
    large: dict[str, set[int]] = {}
    for call in calls:
        places = {n for n, arg in enumerate(call["args"]) if len(arg["text"]) > _LARGE}
        large.setdefault(call["title"], set()).update(places)
    for call in calls:
        # What was a set is no list when it is compared.
        large[call["title"]] -= {n for n, arg in enumerate(call["args"]) if arg["odd"]}
    known: dict[str, int] = {}
    entries: dict[str, dict[tuple[int, ...], Json]] = {}
    for call in calls:
        places = large[call["title"]]
        texts = [arg["text"] for arg in call["args"]]
        keyed = [text for n, text in enumerate(texts) if n not in places]
        chosen = tuple(known.setdefault(texts[n], len(known)) for n in sorted(places))
        same = entries.setdefault("\n".join((call["title"], *keyed)), {})
        same[chosen] = {**_entry(call), "large": chosen}
    return Table(
        entries={key: list(found.values()) for key, found in entries.items()},
        large=[json.loads(text) for text in known],
        compared={title: tuple(sorted(places)) for title, places in large.items()},
    )


def _entry(call: Mapping[str, Any]) -> dict[str, Json]:
    """Return a value with what is told of its sets; nothing where there was none.

    The names of an object are a set to the engine, and cost nothing to make one; to put
    them into their places costs much, so objects of nothing else are made at once, and
    what lies in lists, or deep, in the slow way.
    """
    found: dict[str, Any] = {"families": [], "mixed": [], "deep": []}
    if "value" not in call:
        return found
    value = found["value"] = call["value"]
    paths = {tuple(path): _at(value, path) for path in call["sets"]}
    if any(not _can_be_nested(path) for path in paths):
        deep = [{"path": path, "items": items} for path, items in paths.items()]
        return found | {"deep": deep}
    families: dict[tuple[str, ...], Json] = {}
    for path, items in paths.items():
        above = path[:-1]
        parent = _at(value, above)
        if above and _are_names(paths, above, parent):
            kin = {name: dict.fromkeys(items) for name, items in parent.items()}
            families[above] = {"path": above, "sets": kin}
        else:
            found["mixed"].append({"path": path, "items": items})
    return found | {"families": list(families.values())}


def _can_be_nested(path: tuple[Any, ...]) -> bool:
    return 0 < len(path) <= _NESTED and all(isinstance(part, str) for part in path)


def _at(value: Any, path: Iterable[Any]) -> Any:
    for part in path:
        value = value[part]
    return value


def _are_names(
    sets: Mapping[tuple[Any, ...], Any],
    above: tuple[Any, ...],
    parent: Mapping[str, Any],
) -> bool:
    """Say whether all that an object holds are sets of texts."""
    return all(
        (*above, name) in sets and all(isinstance(item, str) for item in items)
        for name, items in parent.items()
    )
