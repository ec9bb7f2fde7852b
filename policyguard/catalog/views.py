"""Compiles what rules see of each model, deployment and country, in each interval.

A decision looks up and joins nothing: developer, lineage, parties with their listings,
installed weights and places are put together here, once for each version of the
catalog. Each view has its own `boundaries`, the instants at which something of it
begins or ends, and one value for each interval between them, so that rules compare no
windows: `intervals[n]` holds where `n` boundaries are not after the instant.

INVARIANT: every fact that the schema declares is in each view, a value or null.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final, TypeAlias, cast

from policyguard.canonical import Json
from policyguard.catalog.ownership import CONCERN, Ownership
from policyguard.catalog.schema import (
    Developer,
    InstalledWeights,
    Operator,
    Weights,
)
from policyguard.catalog.sourced import Sourced
from policyguard.vocabulary.value import Value

Entry: TypeAlias = Mapping[str, Any]

_BEGINNING: Final = -(1 << 62)
_FIRST_DAY: Final = date(1970, 1, 1)
_STEPS_BACK: Final = 3
"""How far lineage goes: a derivative of a derivative of a derivative."""
_ROLES: Final = ("operator", "host_cloud")
_MEMBERS: Final = ("countries", "items", "parties", "regions")
_ADEQUACY: Final = {
    "adequacy": "eu-adequacy",
    "saudi": "sa-adequacy",
    "swiss": "swiss-adequacy",
    "uk": "uk-adequacy",
}
"""The lists of countries that someone has found adequate, with their conditions."""
_CHIPS: Final = "prc-advanced-ics"
_UNSAID: Final = ("source", "as_of")
"""What says where a fact is from is no fact itself."""
LIVES: Final = {"assessment": 365 * 24 * 60 * 60}
"""How long a dated fact of a call counts as fresh, in seconds after its instant.

INVARIANT: the policy adds nothing else to an instant of a call; a memo of decisions
takes these for the only instants that are derived from it.
"""
ANYWHERE: Final = "**"
"""Stands for every country where the vendor is."""


def compile_views(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return `data.catalog.views` for a document with all other sections.

    Args:
        document: The sections of the catalog, instants as whole seconds since 1970.
    """
    catalog = _Catalog(cast("Entry", document))
    sections = catalog.document
    return {
        "countries": _views(catalog.members("countries"), catalog.country),
        "deployments": _views(sections["deployments"], catalog.deployment),
        "elsewhere": catalog.country(None, _Clock(_BEGINNING)),
        "evidence": {
            key: catalog.evidence(entry) for key, entry in sections["evidence"].items()
        },
        "lists": {name: entry["as_of"] for name, entry in sections["lists"].items()},
        "lives": LIVES,
        "models": _views(sections["models"], catalog.model),
        "nobody": catalog.nobody(),
        "regions": _views(catalog.members("regions"), catalog.region),
        "stale": _intervals(catalog.stale),
    }


def _unknown(kind: type[Value]) -> Entry:
    """Return every fact of an entry that nobody knows."""
    said = kind.model_fields.keys() - Sourced.model_fields.keys()
    return dict.fromkeys(sorted(said))


# Where terms name no countries; where they do, the policy looks at the caller.
_EVERYWHERE: Final = {
    "caller": "supported",
    "headquarters": "supported",
    "held_bp": 0,
    "missing": [],
}
_NO_DEVELOPER: Final = _unknown(Developer)
_NO_OPERATOR: Final = _unknown(Operator)
_NO_WEIGHTS: Final = _unknown(Weights)
_NOT_INSTALLED: Final = _unknown(InstalledWeights)


class _Clock:
    """Stands at an instant, and notes each one at which a window begins or ends."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.edges: set[int] = set()

    def has_begun(self, since: int | None) -> bool:
        if since is None:
            return True
        self.edges.add(since)
        return since <= self.at

    def active(self, windows: Iterable[Entry]) -> list[Entry]:
        """Return the windows that hold: from `since`, until before `until`."""
        return [
            window
            for window in windows
            if self.has_begun(window["since"])
            and (window["until"] is None or not self.has_begun(window["until"]))
        ]


def _views(
    keys: Iterable[str], view: Callable[[str, _Clock], Entry]
) -> dict[str, Json]:
    return {key: _intervals(functools.partial(view, key)) for key in keys}


def _intervals(view: Callable[[_Clock], Any]) -> Entry:
    clock = _Clock(_BEGINNING)
    values, boundaries = [view(clock)], []
    # A view stays what it is until a comparison that made it turns out otherwise. What
    # begins may bring instants of its own, for which nobody asked before.
    while later := [edge for edge in clock.edges if edge > clock.at]:
        clock.at = min(later)
        value = view(clock)
        if value != values[-1]:
            boundaries.append(clock.at)
            values.append(value)
    return {"boundaries": boundaries, "intervals": values}


class _Catalog:
    """Joins the entries of one compiled document."""

    def __init__(self, document: Entry) -> None:
        self.document = document
        self._members = {
            kind: {
                name: entry[kind]
                for name, entry in document["lists"].items()
                # A list without any member is of every kind.
                if entry[kind] or not any(entry[other] for other in _MEMBERS)
            }
            for kind in _MEMBERS
        }

    def members(self, kind: str) -> list[str]:
        """Return what lists of a kind name: countries, regions, parties or items."""
        lists = self._members[kind].values()
        return sorted({key for listed in lists for key in listed})

    def nobody(self) -> Entry:
        """Return the developer of whom nothing is known."""
        return self._developer(None, _Clock(_BEGINNING))

    def country(self, key: str | None, clock: _Clock) -> Entry:
        listings = self._listings("countries", key, clock)
        return {
            "eea": bool(listings.get("eea")),
            **{
                name: [item["condition"] for item in listings.get(listed, ())]
                for name, listed in _ADEQUACY.items()
            },
            "in_restricted": bool(listings.get("in-restricted")),
            "groups": sorted(name for name, entries in listings.items() if entries),
        }

    def stale(self, clock: _Clock) -> list[str]:
        """Return the lists that are older than they may be, sorted."""
        return sorted(
            name
            for name, entry in self.document["lists"].items()
            if entry["max_age_days"] is not None
            and clock.has_begun(_stale_from(entry["as_of"], entry["max_age_days"]))
        )

    def evidence(self, entry: Entry) -> Entry:
        """Return what was measured of weights, as a deployment states it of itself."""
        manifest = self._weights(entry)
        return {
            "model": manifest["model"],
            "installed": {name: entry[name] for name in _NOT_INSTALLED},
            "weights": manifest,
        }

    def region(self, key: str, clock: _Clock) -> Entry:
        return self._listings("regions", key, clock)

    def model(self, key: str, clock: _Clock) -> Entry:
        entry = self.document["models"][key]
        return {
            **entry,
            "id": key,
            "known": True,
            "label": key,
            "developer": self._developer(entry["developer"], clock),
            "access": _EVERYWHERE,
            "lineage": [self._ancestor(base, clock) for base in self._lineage(entry)],
            "restrictions": [
                {
                    **item,
                    "relief": item["relief"]
                    if item["relief_since"] is not None
                    and clock.has_begun(item["relief_since"])
                    else [],
                }
                for item in clock.active(entry["restrictions"])
            ],
        }

    def deployment(self, key: str, clock: _Clock) -> Entry:
        entry = self.document["deployments"][key]
        installed = entry["installed"]
        return {
            "id": key,
            "known": True,
            "label": entry["hosts"][0] if entry["hosts"] else key,
            "deployment": entry,
            "parties": [
                self._party(entry[role], role, clock)
                for role in _ROLES
                if entry[role] is not None
            ],
            "recipient": _recipient(entry),
            "installed": _NOT_INSTALLED if installed is None else installed,
            "weights": self._weights(installed),
            "suspensions": clock.active(entry["states"]),
            "places": _places(entry),
            "gaps": _gaps(entry),
            "chip": self._active("items", _CHIPS, entry["accelerator"], clock),
        }

    def _developer(self, key: str | None, clock: _Clock) -> Entry:
        entry = self.document["developers"].get(key)
        if entry is None:
            key, entry = None, _NO_DEVELOPER
        return {
            **_facts(entry),
            "id": key,
            "owners": _owners(entry, clock),
            "listings": self._listings("parties", key, clock),
        }

    def _party(self, key: str, role: str, clock: _Clock) -> Entry:
        entry = self.document["operators"].get(key, {**_NO_OPERATOR, "name": key})
        return {
            **_facts(entry),
            "id": key,
            "role": role,
            "counterparty": entry["parent"] or key,
            "owners": _owners(entry, clock),
            "listings": self._listings("parties", key, clock),
            "potential": self._potential(key, clock),
            "held": self._held(key, entry, clock),
        }

    def _potential(self, key: str, clock: _Clock) -> list[Entry]:
        """Return the names on lists that may be a party's: nobody has looked."""
        return [
            {"list": name, "names": item["names"], "owner": item["owner"]}
            for name, entry in sorted(self.document["lists"].items())
            for item in clock.active(entry["potential"].get(key, ()))
        ]

    def _held(self, key: str, entry: Entry, clock: _Clock) -> Entry:
        operators, developers = self.document["operators"], self.document["developers"]
        return Ownership(
            entry=lambda party: operators.get(party) or developers.get(party),
            shares=lambda owned: clock.active(owned["owners"]),
            listed=lambda name, party: bool(
                self._active("parties", name, party, clock)
            ),
            of_concern=lambda country: bool(
                self._active("countries", CONCERN, country, clock)
            ),
        ).held(
            key,
            known=entry["owners"] is not None,
            shares=_owners(entry, clock) or [],
            parent_known=entry["control_country"] is not None,
        )

    def _active(
        self, kind: str, name: str, key: str | None, clock: _Clock
    ) -> list[Entry]:
        listed: Mapping[str | None, list[Entry]] = self._members[kind].get(name, {})
        return clock.active(listed.get(key, ()))

    def _listings(self, kind: str, key: str | None, clock: _Clock) -> Entry:
        return {
            name: self._active(kind, name, key, clock) for name in self._members[kind]
        }

    def _weights(self, installed: Entry | None) -> Entry:
        key = None if installed is None else installed["weights"]
        return cast("Entry", self.document["weights"].get(key, _NO_WEIGHTS))

    def _lineage(self, entry: Entry) -> list[str]:
        found: set[str] = set()
        step = [entry]
        for _ in range(_STEPS_BACK):
            bases = {base for item in step for base in item["base_models"] or ()}
            found |= bases
            models = self.document["models"]
            step = [models[base] for base in bases if base in models]
        return sorted(found)

    def _ancestor(self, key: str, clock: _Clock) -> Entry:
        entry = self.document["models"].get(key)
        known = {} if entry is None else entry
        return {
            "id": key,
            "base_models": known.get("base_models"),
            "developer": self._developer(known.get("developer"), clock),
            "weights_licence": known.get("weights_licence"),
            "licence_terms": known.get("licence_terms"),
        }


def _stale_from(as_of: str, days: int) -> int:
    """Return the first second at which a list is older than it may be."""
    fresh = date.fromisoformat(as_of) + timedelta(days=days + 1)
    return (fresh - _FIRST_DAY).days * 24 * 60 * 60


def _owners(entry: Entry, clock: _Clock) -> list[Entry] | None:
    return None if entry["owners"] is None else clock.active(entry["owners"])


def _facts(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key not in _UNSAID}


def _recipient(entry: Entry) -> str | None:
    """Say who receives the data: the operator, or the cloud under a host of our own."""
    if entry["mode"] == "self_hosted" and entry["host_cloud"] is not None:
        return cast("str", entry["host_cloud"])
    return cast("str | None", entry["operator"])


def _places(entry: Entry) -> list[str]:
    """Return each country that the data is known to reach by what the catalog says."""
    places = {ANYWHERE} if entry["processing_scope"] == "global" else set()
    for name in (
        "processing_countries",
        "storage_countries",
        "remote_access_countries",
    ):
        places.update(entry[name] or ())
    return sorted(places)


def _gaps(entry: Entry) -> list[str]:
    """Name what is not known of where a deployment processes and stores.

    Countries without a scope are a habit, not a promise: the scope is what is missing.
    """
    known = {
        "deployment.processing_countries": entry["processing_scope"] in ("fixed", None)
        and bool(entry["processing_countries"]),
        "deployment.processing_scope": entry["processing_scope"] is not None,
        "deployment.storage_countries": entry["storage_countries"] is not None,
    }
    return [name for name in sorted(known) if not known[name]]
