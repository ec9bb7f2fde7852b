"""What a bill of materials says of models, as its author's word."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from policyguard.bundle.shipped import shipped_directory
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.cyclonedx import import_cyclonedx
from policyguard.catalog.importers.overlay import Imported, overlay_text
from policyguard.catalog.load import Source, compile_catalog, load_catalog
from policyguard.catalog.schema import Model, Weights, WeightsFile
from policyguard.catalog.weights.measure import files_digest
from policyguard.errors import CatalogError

DAY = date(2026, 11, 1)
SHA = "ab" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TUNED: dict[str, Any] = {
    "type": "machine-learning-model",
    "name": "acme-tuned",
    "version": COMMIT,
    "manufacturer": {"name": "Moonshot AI"},
    "licenses": [{"license": {"id": "MIT"}}],
    "pedigree": {
        "ancestors": [
            {
                "type": "machine-learning-model",
                "group": "moonshotai",
                "name": "Kimi-K2-Instruct",
            }
        ]
    },
    "components": [
        {
            "type": "file",
            "name": "model.safetensors",
            "hashes": [{"alg": "SHA-256", "content": SHA.upper()}],
        }
    ],
    "externalReferences": [{"type": "distribution", "url": "https://acme.example/m"}],
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([shipped_directory() / "catalog"])


def bom(*components: dict[str, Any], **more: Any) -> bytes:
    root = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": "urn:uuid:1",
        "components": list(components),
        **more,
    }
    return json.dumps(root).encode()


def imported(catalog: Catalog, *components: dict[str, Any], **more: Any) -> Imported:
    return import_cyclonedx(bom(*components, **more), as_of=DAY, catalog=catalog)


def test_lineage_licence_and_digests_are_taken_over(catalog: Catalog) -> None:
    found = imported(catalog, TUNED)
    files = (WeightsFile(path="model.safetensors", sha256=SHA),)

    assert found.file.models == {
        "acme-tuned": Model(
            name="acme-tuned",
            version=COMMIT,
            developer="moonshot",
            names=("acme-tuned",),
            base_models=("kimi-k2",),
            weights_licence="MIT",
            source="CycloneDX BOM urn:uuid:1",
            as_of=DAY,
        )
    }
    assert found.file.weights == {
        f"acme-tuned@{COMMIT}": Weights(
            model="acme-tuned",
            repository="https://acme.example/m",
            revision=COMMIT,
            files=files,
            digest=files_digest(files),
            source="CycloneDX BOM urn:uuid:1",
            as_of=DAY,
        )
    }


def test_no_ancestors_is_not_trained_from_scratch(catalog: Catalog) -> None:
    for pedigree in ({}, {"pedigree": {}}, {"pedigree": {"ancestors": []}}):
        bare = {key: value for key, value in TUNED.items() if key != "pedigree"}
        found = imported(catalog, {**bare, **pedigree})

        assert found.file.models["acme-tuned"].base_models is None
        assert "models.base_models" in {gap.fact for gap in found.gaps}


def test_an_ancestor_that_nobody_knows_is_an_entry_of_which_nothing_is_known(
    catalog: Catalog,
) -> None:
    tuned = {**TUNED, "pedigree": {"ancestors": [{"name": "GLM Something"}]}}
    found = imported(catalog, tuned)
    key = found.file.models["acme-tuned"].base_models

    assert key is not None
    assert found.file.models[key[0]].developer is None
    own = Source(name="own.yaml", data=overlay_text(found).encode())
    files = [
        Source(name=path.name, data=path.read_bytes())
        for path in sorted((shipped_directory() / "catalog").glob("*.yaml"))
    ]
    assert "acme-tuned" in compile_catalog(files, overlays=[own]).entries.models


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"licenses": []}, "models.weights_licence"),
        (
            {"licenses": [{"expression": "MIT"}, {"license": {"id": "Apache-2.0"}}]},
            "models.weights_licence",
        ),
        ({"manufacturer": {"name": "Moonshot"}}, "models.developer"),
        ({"version": "main"}, "weights.revision"),
        ({"components": []}, "weights"),
        (
            {"components": [], "hashes": [{"alg": "SHA-256", "content": SHA}]},
            "weights.digest",
        ),
    ],
)
def test_what_is_not_said_plainly_is_counted_as_unknown(
    catalog: Catalog, change: dict[str, Any], fact: str
) -> None:
    assert fact in {gap.fact for gap in imported(catalog, {**TUNED, **change}).gaps}


def test_a_model_of_the_catalog_is_referred_to_and_not_repeated(
    catalog: Catalog,
) -> None:
    known = {**TUNED, "group": "moonshotai", "name": "Kimi-K2-Instruct", "pedigree": {}}
    found = imported(catalog, known)

    assert found.file.models == {}
    assert [item.model for item in found.file.weights.values()] == ["kimi-k2"]


def test_models_inside_other_components_are_found(catalog: Catalog) -> None:
    outer = {"type": "application", "name": "app", "components": [TUNED]}

    assert "acme-tuned" in imported(catalog, outer).file.models
    metadata = {"component": TUNED}
    assert "acme-tuned" in imported(catalog, metadata=metadata).file.models


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "has no `bomFormat` `CycloneDX`"),
        (bom(TUNED, specVersion="1.5"), "is of version `1.5`"),
        (bom(TUNED, specVersion="x"), "is of version `x`"),
        (bom(), "describes no component of type `machine-learning-model`"),
        (bom({"type": "machine-learning-model"}), "a model of .* has no `name`"),
        (bom(components={}), "`components` of .* is no list"),
        (bom({**TUNED, "licenses": [5]}), "an item of `licenses` is no JSON object"),
    ],
)
def test_what_is_no_ml_bom_is_refused(
    catalog: Catalog, data: bytes, message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        import_cyclonedx(data, as_of=DAY, catalog=catalog)
