"""The exported JSON Schemas accept what is really read and written, and no more."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from guards import SUMMER, guard_in
from house.repository import DOCS, ROOT, marked_blocks, name_of

from policyguard import Decision, ModelCall
from policyguard.audit.reader import TrailReader
from policyguard.catalog.yaml_text import read_yaml

SCHEMAS = DOCS / "reference/schemas"
CATALOG = sorted((ROOT / "policies/catalog").glob("*.yaml"))
CALL: dict[str, Any] = {
    "at": "2026-07-10T12:00:00Z",
    "tenant": {"id": "acme", "contracts": []},
    "caller": {"id": "alice", "citizenships": ["FR"]},
    "data": {"classes": ["pii"], "subjects": ["DE"]},
    "purpose": {"kind": "inference"},
    "exporter": {"establishment": "DE"},
    "asked": {"model": "glm-5.2", "host": "open.bigmodel.cn"},
    "model": "glm-5.2",
    "route": ["glm-5.2@open.bigmodel.cn"],
}


@cache
def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_bytes())


def faults(name: str, instance: object) -> list[str]:
    """Say what a schema objects to, each with its place."""
    validator = jsonschema.Draft202012Validator(schema(name))
    return [
        f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}"
        for fault in validator.iter_errors(instance)
    ]


def as_json(value: object) -> Any:
    """Return what a parser of TOML or YAML gives in the terms of JSON."""

    def text(thing: object) -> str:
        assert isinstance(thing, (date, datetime)), thing
        return thing.isoformat().replace("+00:00", "Z")

    return json.loads(json.dumps(value, default=text))


def decided(folder: Path) -> Decision:
    with guard_in(folder, at=SUMMER) as guard:
        return guard.check(ModelCall.model_validate(CALL))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=name_of)
def test_a_schema_is_one(path: Path) -> None:
    known = json.loads(path.read_bytes())

    jsonschema.Draft202012Validator.check_schema(known)

    assert known["title"] == path.stem


def test_a_call_is_accepted_and_its_whole_form_too() -> None:
    whole = ModelCall.model_validate(CALL).model_dump(mode="json")

    assert [faults("ModelCall", CALL), faults("ModelCall", whole)] == [[], []]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"at": 1}, "at"),
        ({"purpose": {"kind": "chat"}}, "purpose"),
        ({"data": {"classes": []}}, "data/classes"),
        ({"exporter": {"establishment": "Germany"}}, "exporter/establishment"),
        ({"sent": True}, ""),
    ],
)
def test_a_wrong_call_is_refused_at_its_place(
    wrong: dict[str, object], place: str
) -> None:
    (fault,) = faults("ModelCall", {**CALL, **wrong})

    assert fault.partition(": ")[0] == place


def test_a_decision_is_what_its_schemas_say(tmp_path: Path) -> None:
    decision = decided(tmp_path).model_dump(mode="json")

    assert decision["verdict"] == "deny"
    assert faults("Decision", decision) == []
    assert [faults("Finding", item) for item in decision["findings"]] == [
        [] for _ in decision["findings"]
    ]


def test_each_leaf_of_a_trail_is_what_its_schema_says(tmp_path: Path) -> None:
    decided(tmp_path)
    (log,) = TrailReader.open(tmp_path / "trail").logs

    leaves = [json.loads(entry.body) for entry in log.entries()]

    assert [leaf["kind"] for leaf in leaves] == ["genesis", "check"]
    assert [faults("AuditRecord", leaf) for leaf in leaves] == [[], []]
    assert faults("AuditRecord", {**leaves[1], "prompt": "hello"}) != []


def test_the_settings_file_of_the_guide_is_accepted() -> None:
    text = marked_blocks(DOCS / "how-to/configure.md")["every-key"]
    known = as_json(tomllib.loads(text))

    assert faults("Settings", known) == []
    assert faults("Settings", {**known, "rules": {}}) != []


@pytest.mark.parametrize("path", CATALOG, ids=name_of)
def test_a_shipped_file_of_the_catalog_is_accepted(path: Path) -> None:
    document = read_yaml(path.read_text("utf-8"), name=path.name)

    assert faults("CatalogFile", as_json(document)) == []
