"""Says what an author could have taken for what: relations, effects and facts.

Facts stand beside one another because people do take one for the other: the place of
processing for that of storage, residence for location, a share that is sure for one
that is possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RELATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "==": ("!=",),
    "!=": ("==",),
    ">=": (">", "<="),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    "<": ("<=", ">"),
}
"""Longer operators first: they begin with shorter ones."""

SOFTER: Final[Mapping[str, str]] = {
    "deny": "advise",
    "unavailable": "advise",
    "require_approval": "advise",
    "indeterminate": "advise",
    "oblige": "advise",
    "advise": "deny",
}

_GROUPS: Final = (
    ("developer", "operator"),
    ("operator", "host_cloud"),
    ("processing", "storage", "remote_access"),
    ("processing_countries", "storage_countries", "remote_access_countries"),
    ("residence", "location"),
    ("citizenships", "latest_citizenship"),
    ("country", "headquarters"),
    ("since", "until"),
    ("surely", "perhaps"),
    ("bis", "ofac", "dsp"),
    ("gdpr", "uk", "swiss"),
    ("training", "retention_days"),
    ("installed", "weights"),
)

NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(
        dict.fromkeys(
            other
            for group in _GROUPS
            if name in group
            for other in group
            if other != name
        )
    )
    for group in _GROUPS
    for name in group
}
