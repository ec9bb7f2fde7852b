"""What LiteLLM's price map says of places, and what it leaves open."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from policyguard.bundle.shipped import shipped_directory
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.litellm_prices import (
    import_litellm_prices,
    installed_price_map,
)
from policyguard.catalog.importers.overlay import Imported
from policyguard.catalog.load import load_catalog
from policyguard.catalog.schema import Deployment, Price
from policyguard.errors import CatalogError

DAY = date(2026, 11, 1)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([shipped_directory() / "catalog"])


def entry(provider: str, **more: Any) -> dict[str, Any]:
    return {"litellm_provider": provider, "mode": "chat", **more}


def imported(catalog: Catalog, root: dict[str, Any]) -> Imported:
    return import_litellm_prices(json.dumps(root).encode(), as_of=DAY, catalog=catalog)


def places(found: Imported) -> dict[str, tuple[object, ...]]:
    return {
        key: (item.hosts, item.processing_scope, item.processing_countries)
        for key, item in found.file.deployments.items()
    }


def test_a_key_with_a_region_is_a_deployment_there(catalog: Catalog) -> None:
    cost = {"input_cost_per_token": 7.2e-07, "output_cost_per_token": 3.6e-06}
    found = imported(
        catalog, {"bedrock/eu-north-1/m.k": entry("bedrock_converse", **cost)}
    )

    assert found.file.deployments == {
        "m.k@bedrock@eu-north-1": Deployment(
            model="m.k",
            mode="cloud_managed",
            operator="aws-bedrock",
            host_cloud="aws-bedrock",
            hosts=("bedrock-runtime.eu-north-1.amazonaws.com",),
            names=("m.k",),
            processing_scope="fixed",
            processing_countries=("SE",),
            price=Price(input_microusd=720_000, output_microusd=3_600_000),
            source="LiteLLM price map",
            as_of=DAY,
        )
    }


def test_a_prefix_that_stands_for_several_countries_names_none(
    catalog: Catalog,
) -> None:
    found = imported(
        catalog,
        {
            key: entry("bedrock_converse")
            for key in ("eu.a.m", "us.a.m", "global.a.m", "apac.a.m", "a.m")
        },
    )

    assert places(found) == {
        "a.m@bedrock@any-region": ((), None, None),
        "a.m@bedrock@apac": ((), "fixed", None),
        "a.m@bedrock@eu": ((), "fixed", None),
        "a.m@bedrock@global": ((), "global", None),
        "a.m@bedrock@us": ((), "fixed", ("US",)),
    }


def test_london_and_china_are_themselves(catalog: Catalog) -> None:
    found = imported(
        catalog,
        {
            "bedrock/eu-west-2/a.m": entry("bedrock"),
            "bedrock/cn-north-1/a.m": entry("bedrock"),
        },
    )

    assert places(found) == {
        "a.m@bedrock@cn-north-1": (
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn",),
            "fixed",
            ("CN",),
        ),
        "a.m@bedrock@eu-west-2": (
            ("bedrock-runtime.eu-west-2.amazonaws.com",),
            "fixed",
            ("GB",),
        ),
    }


def test_azure_and_vertex_say_it_in_their_own_ways(catalog: Catalog) -> None:
    found = imported(
        catalog,
        {
            "azure/eu/m1": entry("azure"),
            "azure/global/m2": entry("azure"),
            "azure/m3": entry("azure"),
            "vertex_ai/x/m4": entry("vertex_ai-x_models", supported_regions=["global"]),
            "vertex_ai/m5": entry("vertex_ai", supported_regions=["europe-west2"]),
            "vertex_ai/m6": entry(
                "vertex_ai", supported_regions=["global", "us-east1"]
            ),
        },
    )

    assert places(found) == {
        "m1@azure@eu": ((), "fixed", None),
        "m2@azure@global": ((), "global", None),
        "m3@azure@any-region": ((), None, None),
        "m4@vertex@global": (("aiplatform.googleapis.com",), "global", None),
        "m5@vertex@europe-west2": (
            ("europe-west2-aiplatform.googleapis.com",),
            "fixed",
            ("GB",),
        ),
        "m6@vertex@any-region": ((), None, None),
    }
    # Nobody in the catalog runs Azure or Vertex, and an import adds no operator.
    assert {item.operator for item in found.file.deployments.values()} == {None}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scaleway/glm-5.2", entry("scaleway")),
        ("azure/x", entry("azure", mode="image_generation")),
        ("bedrock/us-east-1/1-month-commitment/a.m", entry("bedrock")),
        ("bedrock/*/a.m", entry("bedrock")),
        ("eu.anthropic.claude-fable-5", entry("bedrock_converse")),
    ],
)
def test_what_has_no_place_or_is_known_is_left_out_by_name(
    catalog: Catalog, key: str, value: dict[str, Any]
) -> None:
    found = imported(catalog, {key: value})

    assert found.file.deployments == {}
    assert [item.entry for item in found.skipped] == [key]


def test_a_file_that_is_no_price_map_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="entry `a` is no JSON object"):
        imported(catalog, {"a": 5})


def test_the_map_of_the_installed_package_is_read_without_importing_it(
    catalog: Catalog,
) -> None:
    pytest.importorskip("importlib.util").find_spec("litellm") or pytest.skip(
        "litellm is not installed"
    )
    program = (
        "import sys\n"
        "from policyguard.catalog.importers.litellm_prices import installed_price_map\n"
        "data, version = installed_price_map()\n"
        "assert len(data) > 100_000\n"
        "print('litellm' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"


def test_the_real_map_makes_hundreds_of_deployments(catalog: Catalog) -> None:
    try:
        data, version = installed_price_map()
    except CatalogError as error:
        pytest.skip(str(error))
    found = import_litellm_prices(data, as_of=DAY, catalog=catalog, version=version)
    wide = [
        key
        for key, item in found.file.deployments.items()
        if item.names[0].startswith(("global.", "eu.", "apac."))
    ]

    assert len(found.file.deployments) > 300
    assert wide
    assert {found.file.deployments[key].processing_countries for key in wide} == {None}
