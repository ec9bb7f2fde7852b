"""Keeps the calls and the catalog of the rules' own tests whole.

Rules read a question in which every declared fact exists. What tests are written with
must have the same shape, or they would prove nothing: so a field that the vocabulary or
the catalog has gained is added here, as unknown, to every golden vector and to the
sample catalog, which is the golden vectors' catalog written as Rego.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from policyguard.catalog import lists, schema, sourced
from policyguard.catalog.document import SECTIONS
from policyguard.vocabulary.call import (
    Caller,
    Contract,
    Licence,
    ModelCall,
    Organisation,
    Owner,
    Purpose,
)
from policyguard.vocabulary.names import KEY

_WIDTH: Final = 100
_ENTRIES: Final[Mapping[str, type[sourced.Sourced]]] = {
    "developers": schema.Developer,
    "models": schema.Model,
    "weights": schema.Weights,
    "evidence": schema.WeightsEvidence,
    "operators": schema.Operator,
    "deployments": schema.Deployment,
}
_MEMBERS: Final[Mapping[str, type[sourced.Window]]] = {
    "parties": lists.Listing,
    "countries": lists.CountryListing,
    "regions": lists.RegionListing,
    "items": lists.ItemListing,
    "potential": lists.PotentialMatch,
    "chart": lists.ChartCell,
}
_KEYS: Final = frozenset({"party", "country", "region", "item", "classification"})
"""What a compiled list is grouped by, and its members therefore lack."""
_HEAD: Final = """\
# METADATA
# title: The catalog for tests, and the shapes of a call
# description: |
#   Written by `python -m docs.generate` out of golden/vectors.json: do not edit. A
#   compiled catalog, small, of the shape of the shipped one; and each group of a call
#   with every fact unknown.
package policyguard.sample

"""


def vectors(text: str) -> str:
    """Return the text of `golden/vectors.json` with every fact that it lacks as null."""
    document = json.loads(text)
    document["catalog"] = _catalog(document["catalog"])
    for vector in document["vectors"]:
        vector["input"] = _question(vector["input"])
    return "\n".join(_json(document, "")) + "\n"


def sample(text: str) -> str:
    """Return the module `policyguard.sample` for the text of `golden/vectors.json`."""
    shapes = {
        "catalog": json.loads(text)["catalog"],
        "blank_call": _question(
            {"at": "2026-07-10T12:00:00Z", "tenant": {"id": "acme"}}
        ),
        "blank_caller": _blank(Caller, id="somebody"),
        "blank_purpose": _blank(Purpose, kind="inference"),
        "blank_contract": _blank(Contract, operator="acme"),
        "blank_licence": _blank(
            Licence, id="D123", authority="BIS", expires="2026-12-31T00:00:00Z"
        ),
        "blank_organisation": _blank(Organisation, name="Example"),
        "blank_owner": _blank(Owner, name="Example Holding"),
    }
    return _HEAD + "\n".join(
        f"{name} := " + "\n".join(_rego(value, "")) + "\n"
        for name, value in shapes.items()
    )


def _blank(form: type[BaseModel], /, **known: object) -> dict[str, Any]:
    blank = form.model_validate(known).model_dump(mode="json")
    if form in {Organisation, Owner}:
        # A test that gives another name and means a match gives its key as well.
        blank[KEY] = ""
    return blank


def _question(given: Mapping[str, Any]) -> dict[str, object]:
    """Return `input` as the guard writes it, for an input that may lack new facts."""
    whole = json.loads(json.dumps(given))
    if whole.get("caller") is not None:
        whole["caller"]["id"] = "somebody"
    for group in (whole.get("caller"), whole["tenant"]):
        organisation = (group or {}).get("organisation") or {}
        for named in (organisation, *(organisation.get("owners") or ())):
            named.pop(KEY, None)
    return ModelCall.model_validate(whole).engine_input()


def _catalog(given: Mapping[str, Any]) -> dict[str, Any]:
    filled = {"names": {}, **given}
    for section in SECTIONS[:-1]:
        filled[section] = {
            key: _filled(_ENTRIES[section], entry)
            for key, entry in given.get(section, {}).items()
        }
    filled["lists"] = {key: _list(entry) for key, entry in given["lists"].items()}
    return filled


def _list(given: Mapping[str, Any]) -> dict[str, Any]:
    filled = dict(given)
    for name, kind in _MEMBERS.items():
        filled[name] = {
            member: [_filled(kind, window) for window in windows]
            for member, windows in given.get(name, {}).items()
        }
    return filled


def _filled(kind: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a compiled entry with the default of each field that it lacks."""
    filled = dict(given)
    for name, field in kind.model_fields.items():
        if name == "replaces" or name in _KEYS & _absent(kind):
            continue
        if name not in filled:
            default = field.get_default(call_default_factory=True)
            filled[name] = json.loads(kind.__pydantic_serializer__.to_json(default))
        inner = _inner(field.annotation)
        if inner is not None and filled[name] is not None:
            filled[name] = _deeper(inner, filled[name])
    return filled


def _absent(kind: type[BaseModel]) -> frozenset[str]:
    return _KEYS if kind in _MEMBERS.values() else frozenset()


def _deeper(kind: type[BaseModel], given: Any) -> Any:
    if isinstance(given, list):
        return [_filled(kind, item) for item in given]
    return _filled(kind, given)


def _inner(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) is None:
        return None
    found = (_inner(part) for part in get_args(annotation))
    return next((kind for kind in found if kind is not None), None)


def _json(value: Any, indent: str) -> Iterator[str]:
    yield from _lines(value, indent, step="  ", trailing="")


def _rego(value: Any, indent: str) -> Iterator[str]:
    yield from _lines(value, indent, step="\t", trailing=",")


def _lines(value: Any, indent: str, *, step: str, trailing: str) -> Iterator[str]:
    """Yield the lines of a JSON value: short ones of one line, the others of many."""
    short = json.dumps(value, ensure_ascii=False, sort_keys=True)
    flat = not isinstance(value, (dict, list)) or not value or _shallow(value)
    if flat and len(short) + len(indent) <= _WIDTH:
        yield short
        return
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    yield "{" if isinstance(value, dict) else "["
    for key in keys:
        name = (
            f"{json.dumps(key, ensure_ascii=False)}: "
            if isinstance(value, dict)
            else ""
        )
        inner = list(_lines(value[key], indent + step, step=step, trailing=trailing))
        end = "," if key != keys[-1] else trailing
        yield f"{indent}{step}{name}{inner[0]}" + (end if len(inner) == 1 else "")
        if len(inner) > 1:
            yield from inner[1:-1]
            yield f"{inner[-1]}{end}"
    yield f"{indent}{'}' if isinstance(value, dict) else ']'}"


def _shallow(value: dict[str, Any] | list[Any]) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return not any(isinstance(item, (dict, list)) and item for item in items)
