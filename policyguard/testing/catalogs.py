"""Changes a compiled catalog as the world changes: what a vendor, a list or a buyer does.

Each change is of one day and returns a new catalog; the old one is what was decided by.
What has a window keeps its history: it ends on the day, and another begins. What has
none (where a deployment runs, which weights it loads) is so from this version on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.catalog.document import with_views

Catalog: TypeAlias = Mapping[str, Json]
"""A compiled catalog with its views; instants are seconds since 1970."""

_SOURCE: Final = "a lifecycle"


def withdrawn(catalog: Catalog, deployment: str, *, at: int) -> Catalog:
    """Return a catalog in which the vendor switches a deployment off."""
    made = _copy(catalog)
    made["deployments"][deployment]["states"].append(
        {**_window(at), "state": "suspended", "reason": "withdrawn by its vendor"}
    )
    return with_views(made)


def restored(catalog: Catalog, deployment: str, *, at: int) -> Catalog:
    """Return a catalog in which a deployment that is switched off comes back."""
    made = _copy(catalog)
    _end(made["deployments"][deployment]["states"], at=at)
    return with_views(made)


def released(catalog: Catalog, like: str, *, name: str) -> Catalog:
    """Return a catalog with one model more, which is as another one but for its name.

    Args:
        catalog: As it is.
        like: A deployment of the other model, run by somebody else than us; the new one
            is at the same hosts.
        name: The id of the new model.
    """
    made = _copy(catalog)
    deployment = made["deployments"][like]
    own = {"names": [name]}
    made["models"][name] = {**made["models"][deployment["model"]], **own, "name": name}
    made["deployments"][served(name, like)] = {**deployment, **own, "model": name}
    return with_views(made)


def served(name: str, like: str) -> str:
    """Return the deployment of a model that is where another one is.

    Args:
        name: The id of the model.
        like: The other one's deployment.
    """
    return f"{name}@{like.partition('@')[2]}"


def priced(catalog: Catalog, deployment: str, *, microusd: int) -> Catalog:
    """Return a catalog in which a deployment has another list price.

    Args:
        catalog: As it is.
        deployment: Whose price it is.
        microusd: For a million tokens, in and out, in millionths of a US dollar.
    """
    made = _copy(catalog)
    made["deployments"][deployment]["price"] = {
        "input_microusd": microusd,
        "output_microusd": microusd,
    }
    return with_views(made)


def listed(catalog: Catalog, name: str, party: str, *, at: int) -> Catalog:
    """Return a catalog in which a list names a party."""
    made = _copy(catalog)
    entry = {"names": [party], "scope": None, "policy": None, "covers": None}
    made["lists"][name]["parties"].setdefault(party, []).append(
        {**_window(at), **entry}
    )
    return with_views(made)


def unlisted(catalog: Catalog, name: str, party: str, *, at: int) -> Catalog:
    """Return a catalog in which a list names a party no more."""
    made = _copy(catalog)
    _end(made["lists"][name]["parties"][party], at=at)
    return with_views(made)


def sold(
    catalog: Catalog, operator: str, *, country: str, at: int, party: str | None = None
) -> Catalog:
    """Return a catalog in which an operator has one owner, and those before no more.

    Args:
        catalog: As it is.
        operator: One whose owners are known: else what was unknown would be known.
        country: Where its buyer is.
        at: When, in seconds since 1970.
        party: The entry of its buyer, if it has one.
    """
    made = _copy(catalog)
    owners = made["operators"][operator]["owners"]
    _end(owners, at=at)
    buyer: dict[str, Json] = {
        "owner": "Buyer",
        "country": country,
        "party": party,
        "listed": [],
    }
    owners.append({**_window(at), **buyer, "share_bp": 10_000})
    return with_views(made)


def moved(catalog: Catalog, deployment: str, *, country: str) -> Catalog:
    """Return a catalog in which a deployment runs and stores elsewhere."""
    made = _copy(catalog)
    made["deployments"][deployment] |= {
        "processing_scope": "fixed",
        "processing_countries": [country],
        "storage_countries": [country],
    }
    return with_views(made)


def reweighed(catalog: Catalog, weights: str, *, digest: str) -> Catalog:
    """Return a catalog in which published weights have other bytes.

    Args:
        catalog: As it is.
        weights: The id of the published set.
        digest: SHA-256 over its new list of files.
    """
    made = _copy(catalog)
    made["weights"][weights]["digest"] = digest
    return with_views(made)


def _copy(catalog: Catalog) -> Any:
    return orjson.loads(
        orjson.dumps({name: part for name, part in catalog.items() if name != "views"})
    )


def _window(at: int) -> dict[str, Json]:
    return {"since": at, "until": None, "verified": True, "source": _SOURCE}


def _end(windows: list[Any], *, at: int) -> None:
    """End what is open: what would begin and end at once is left out."""
    windows[:] = [item for item in windows if item["since"] != at or item["until"]]
    for window in windows:
        if window["until"] is None:
            window["until"] = at
