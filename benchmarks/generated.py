"""A catalog as large as a large company's: the shipped one, and generated entries.

Generated models and deployments are copies of shipped ones under names of their own, so
that each has as many facts as a real one. Copied are those of which nothing has a date,
as most of an import has none. Generated parties are on the SDN List.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from policyguard.assembly import catalog_of
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.catalog import catalog_of as compiled
from policyguard.catalog.lists import List, Listing
from policyguard.settings import Settings

T = TypeVar("T")

MODELS: Final = 2_000
DEPLOYMENTS: Final = 500
PARTIES: Final = 3_000
LIST: Final = "ofac-sdn"


def generated_catalog(*, share: float = 1.0) -> Catalog:
    """Return the shipped catalog with generated entries.

    Args:
        share: Of the full number of each kind; 0 is the shipped catalog.
    """
    shipped = catalog_of(Settings())
    entries = shipped.entries
    models = _more(shipped, "models", entries.models, int(MODELS * share))
    deployments = _more(
        shipped, "deployments", entries.deployments, int(DEPLOYMENTS * share)
    )
    lists = {**entries.lists, LIST: _longer(entries.lists[LIST], int(PARTIES * share))}
    larger = entries.model_copy(
        update={"models": models, "deployments": deployments, "lists": lists}
    )
    return compiled(larger, version=f"generated-{share}")


def _more(
    catalog: Catalog, kind: str, entries: Mapping[str, T], wanted: int
) -> dict[str, T]:
    views: Any = catalog.document["views"]
    samples = [
        entry for key, entry in entries.items() if not views[kind][key]["boundaries"]
    ]
    return {
        **entries,
        **{
            f"generated-{number}": samples[number % len(samples)]
            for number in range(max(0, wanted - len(entries)))
        },
    }


def _longer(listed: List, wanted: int) -> List:
    parties = tuple(
        Listing(party=f"listed-{number}", names=(f"Listed Company {number} Ltd",))
        for number in range(wanted)
    )
    return listed.model_copy(update={"parties": (*listed.parties, *parties)})
