"""What models.dev says, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policyguard.bundle.shipped import shipped_directory
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.models_dev import import_models_dev
from policyguard.catalog.importers.overlay import Imported, Skipped, overlay_text
from policyguard.catalog.load import Source, load_catalog
from policyguard.catalog.schema import Deployment, Model, Price
from policyguard.errors import CatalogError

DAY = date(2026, 7, 2)
REAL = Path(__file__).parents[4].parent / "shared/data/models-dev-2026-07-02.json"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([shipped_directory() / "catalog"])


def model(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name.upper(), "open_weights": True, **more}


def provider(*models: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"models": {item["id"]: item for item in models}, **more}


def imported(catalog: Catalog, root: Mapping[str, object], **more: Any) -> Imported:
    data = json.dumps(root).encode()
    return import_models_dev(data, as_of=DAY, catalog=catalog, **more)


def test_a_served_model_becomes_a_deployment_of_which_little_is_known(
    catalog: Catalog,
) -> None:
    served = model(
        "zai-org/GLM-5.2",
        base_model="zhipuai/glm-5.2",
        cost={"input": 1.4, "output": 4.4},
    )
    found = imported(
        catalog, {"nebius": provider(served, api="https://api.nebius.example/v1")}
    )

    assert found.file.deployments == {
        "glm-5.2@nebius@zai-org/glm-5.2": Deployment(
            model="glm-5.2",
            mode=None,
            hosts=("api.nebius.example",),
            names=("zai-org/GLM-5.2",),
            price=Price(input_microusd=1_400_000, output_microusd=4_400_000),
            source="models.dev api.json, provider nebius",
            as_of=DAY,
        )
    }
    assert found.file.models == {}
    assert {gap.fact for gap in found.gaps} == {
        "deployments.data_policy",
        "deployments.mode",
        "deployments.operator",
        "deployments.processing_countries",
        "deployments.storage_countries",
    }


def test_a_model_that_the_catalog_lacks_comes_without_a_developer(
    catalog: Catalog,
) -> None:
    root = {
        "one": provider(model("new-model"), api="https://one.example"),
        "two": provider(
            model("new-model", open_weights=False), api="https://two.example"
        ),
    }
    found = imported(catalog, root)

    assert found.file.models == {
        "new-model": Model(
            name="NEW-MODEL",
            # One says that the weights are open, the other that they are not.
            open_weights=None,
            source="models.dev api.json of 2026-07-02",
            as_of=DAY,
        )
    }


@pytest.mark.parametrize(
    ("api", "why"),
    [
        (None, "models.dev states no plain address for it"),
        ("https://${ACCOUNT}.example/v1", "models.dev states no plain address for it"),
        ("ftp://one.example", "models.dev states no plain address for it"),
        ("http://127.0.0.1:1234/v1", "it is served on the caller's own machine"),
        ("https://api.scaleway.ai/v1", "the catalog has it: `glm-5.2@api.scaleway.ai`"),
    ],
)
def test_what_is_left_out_is_named_with_its_reason(
    catalog: Catalog, api: str | None, why: str
) -> None:
    found = imported(catalog, {"one": provider(model("glm-5.2"), api=api)})

    assert found.file.deployments == {}
    assert found.skipped == (Skipped(entry="one/glm-5.2", why=why),)


def test_one_address_that_two_providers_explain_differently_is_nobodys(
    catalog: Catalog,
) -> None:
    root = {
        "one": provider(
            model("fast", base_model="zhipuai/glm-5.2"), api="https://x.example"
        ),
        "two": provider(model("fast", base_model="a/b"), api="https://x.example"),
        "three": provider(model("slow"), api="https://x.example"),
        "tri": provider(model("slow"), api="https://x.example"),
    }
    found = imported(catalog, root)

    assert set(found.file.deployments) == {"slow@three"}
    assert {item.entry for item in found.skipped} == {
        "one/fast",
        "two/fast",
        "tri/slow",
    }


def test_an_import_can_be_limited(catalog: Catalog) -> None:
    root = {
        "one": provider(model("glm-5.2"), model("other"), api="https://one.example"),
        "two": provider(model("glm-5.2"), api="https://two.example"),
    }
    found = imported(catalog, root, models=["glm-5.2"], providers=["two"])

    assert set(found.file.deployments) == {"glm-5.2@two"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "models.dev api.json is no JSON object: is it the right file?"),
        (b'{"one": 5}', "provider `one` is no JSON object"),
        (b'{"one": {}}', "`one.models` is no JSON object"),
        (b'{"one": {"models": {"a": "b"}}}', "`one.models.a` is no JSON object"),
        (b"{", "models.dev api.json: not JSON"),
    ],
)
def test_what_is_no_api_json_is_refused(
    catalog: Catalog, data: bytes, message: str
) -> None:
    with pytest.raises(CatalogError, match=message.replace(".", r"\.")):
        import_models_dev(data, as_of=DAY, catalog=catalog)


@pytest.mark.skipif(not REAL.is_file(), reason=f"there is no {REAL.name} here")
def test_the_real_file_makes_an_overlay_that_loads(catalog: Catalog) -> None:
    found = import_models_dev(REAL.read_bytes(), as_of=DAY, catalog=catalog)
    own = Source(name="own.yaml", data=overlay_text(found).encode())
    files = [
        Source(name=path.name, data=path.read_bytes())
        for path in sorted((shipped_directory() / "catalog").glob("*.yaml"))
    ]
    from policyguard.catalog.load import compile_catalog

    both = compile_catalog(files, overlays=[own])

    assert len(both.entries.deployments) == len(catalog.entries.deployments) + len(
        found.file.deployments
    )
    # What no source says stays unknown, for each of some thousand entries.
    assert {item.operator for item in found.file.deployments.values()} == {None}
    assert {item.processing_countries for item in found.file.deployments.values()} == {
        None
    }
    assert (
        len([k for k, v in found.file.deployments.items() if v.model == "glm-5.2"])
        >= 25
    )
