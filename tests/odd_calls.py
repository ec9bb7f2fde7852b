"""Every way in which one field of a whole question can be missing or of another type.

The fields are those of the vocabulary's own schema: one that is added to it and forgotten
at the entrance of the policy is found from then on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from policyguard.vocabulary.call import ModelCall

ODD: Final[tuple[Any, ...]] = (
    None, True, 1, "no such word", ["no such word"], [None], {}, {"DE": "DE"},
)  # fmt: skip
"""One value of each type and more; the words are none of a closed enumeration."""
UNREAD: Final = frozenset(
    {
        ("caller", "organisation", "name_key"),
        ("tenant", "organisation", "name_key"),
        ("caller", "organisation", "owners", 0, "name_key"),
        ("tenant", "organisation", "owners", 0, "name_key"),
    }
)
"""What is written beside the vocabulary; where one is missing, FACT-07 says so."""
CONTRACT: Final = ("tenant", "contracts", 0)

Place = tuple[str | int, ...]

OWNER = {
    "name": "Familie Beispiel",
    "country": "DE",
    "listed": [],
    "share_bp": 10_000,
    "since": "2020-01-01T00:00:00Z",
    "until": "2099-01-01T00:00:00Z",
}
ORGANISATION = {
    "name": "Beispiel Handel GmbH",
    "country": "DE",
    "headquarters": "DE",
    "owners": [OWNER],
    "listed": [],
    "annexes": [],
}
COUNTS = dict.fromkeys(
    ("genomic", "omic", "biometric", "geolocation", "health", "financial", "pii"), 0
)
CALL: dict[str, Any] = {
    "at": "2026-07-10T12:00:00Z",
    "purpose": {"kind": "inference", "competes": False, "publishes": False},
    "context": {"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
    "caller": {
        "id": "x",
        "person_status": "foreign",
        "citizenships": ["DE"],
        "latest_citizenship": "DE",
        "location": "DE",
        "organisation": ORGANISATION,
    },
    "exporter": {"establishment": "DE", "article_3": "establishment"},
    "data": {
        "classes": ["pii"],
        "undeclared": [],
        "subjects": ["DE"],
        "citizenships": ["DE"],
        "counts": COUNTS,
        "ear": {"classification": "not_technology", "no_licence_countries": ["DE"]},
    },
    "tenant": {
        "id": "acme",
        "sectors": [],
        "residency_allowed": ["FR", "DE"],
        "assumed": ["EAR-01"],
        "contracts": [
            {
                "operator": "scaleway",
                "dpa": True,
                "sub_processors": True,
                "transfer_tool": "none",
                "remote_access_countries": ["FR"],
                "retention_days": 0,
                "training": False,
                "transfer_assessed": "2026-06-01T00:00:00Z",
                "dpf": {"active": True, "as_of": "2026-06-01T00:00:00Z"},
            }
        ],
        "licences": [
            {
                "id": "L-1",
                "authority": "BIS",
                "operators": ["scaleway"],
                "models": ["glm-5.2"],
                "classifications": ["EAR99"],
                "countries": ["FR"],
                "persons": ["DE"],
                "expires": "2030-01-01T00:00:00Z",
            }
        ],
        "product": {"attributions": ["GLM"], "monthly_active_users": 1},
        "data_security": {"certified": "2026-06-01T00:00:00Z"},
    },
    "rolling": {
        "us_twelve_months": [{"counterparty": "scaleway", "counts": COUNTS}],
        "china_since_january": {"persons": 0, "sensitive": 0},
    },
    "asked": {"model": "glm-5.2", "host": "api.scaleway.ai"},
    "model": "glm-5.2",
    "route": ["glm-5.2@api.scaleway.ai"],
}
"""Nobody objects to it, and it has one of everything."""
OF_THE_TENANT = {
    **CALL,
    "caller": {**CALL["caller"], "organisation": None},
    "tenant": {**CALL["tenant"], "organisation": ORGANISATION},
}
CALLS = {"the caller's": CALL, "the tenant's": OF_THE_TENANT}


def question_of(name: str) -> dict[str, Any]:
    """Return the `input` of one of the calls."""
    return dict(ModelCall.model_validate(CALLS[name]).engine_input())


def unseen(name: str) -> Place:
    """Return of which part of one of the calls nothing is read.

    Where a caller acts for another, that is the tenant's own organisation.
    """
    return ("tenant", "organisation") if name == "the caller's" else ()


def places(node: Any, above: Place = ()) -> Iterator[Place]:
    """Yield the place of each field and element, from the outside in."""
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, inner in items:
        yield (*above, key)
        yield from places(inner, (*above, key))


def without(question: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return a question that lacks one field."""
    changed = copy.deepcopy(dict(question))
    del _above(changed, place)[place[-1]]
    return changed


def with_value(question: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """Return a question with something else in one place."""
    changed = copy.deepcopy(dict(question))
    _above(changed, place)[place[-1]] = copy.deepcopy(value)
    return changed


def odd(
    question: Mapping[str, Any], *, but: Place = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield questions that are not whole, with what was done to each.

    Args:
        question: One that is whole.
        but: A place that is left as it is.
    """
    for place in places(question):
        if place in {*UNREAD, but} or place[0] == "approvals":
            continue
        if isinstance(place[-1], str) and not _may_lack(place):
            yield f"without {_named(place)}", without(question, place)
        for value in ODD:
            if not accepts(place, value) and not (
                place[3:] == ("local_tools",) and isinstance(value, dict)
            ):
                yield f"{_named(place)} = {value!r}", with_value(question, place, value)


def _may_lack(place: Place) -> bool:
    """Say whether it is of a contract, of which what is left out is unknown."""
    return place[:3] == CONTRACT and place[3:] not in {
        ("operator",), ("dpf", "active"),
    }  # fmt: skip


def accepts(place: Place, value: Any) -> bool:
    """Say whether a value is of the type that the vocabulary has there."""
    return any(_fits(schema, value) for schema in _at(place))


@cache
def _at(place: Place) -> tuple[Mapping[str, Any], ...]:
    return tuple(_schemas(_schema(), place))


def _schemas(schema: Mapping[str, Any], place: Place) -> Iterator[Mapping[str, Any]]:
    for one in _alternatives(schema):
        if not place:
            yield one
        elif isinstance(place[0], int) and one.get("type") == "array":
            yield from _schemas(one["items"], place[1:])
        elif place[0] in one.get("properties", {}):
            yield from _schemas(one["properties"][place[0]], place[1:])


def _alternatives(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        yield from _alternatives(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _alternatives(one)
    else:
        yield schema


_TYPES: Final[Mapping[str, type]] = {
    "null": type(None), "boolean": bool, "integer": int, "string": str, "array": list,
    "object": dict,
}  # fmt: skip


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if type(value) is not _TYPES[schema["type"]]:
        return False
    if schema.get("format") == "date-time":
        return False
    if isinstance(value, list):
        items = list(_alternatives(schema["items"]))
        return all(any(_fits(item, one) for item in items) for one in value)
    # The vocabulary has none of the odd objects; of a contract any may be left out.
    return not isinstance(value, dict)


def _above(question: Any, place: Place) -> Any:
    for step in place[:-1]:
        question = question[step]
    return question


def _named(place: Place) -> str:
    return ".".join(map(str, place))


@cache
def _schema() -> dict[str, Any]:
    return ModelCall.model_json_schema()
