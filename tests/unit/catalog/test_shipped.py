"""What the shipped catalog and the demonstration's overlay say, fact by fact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from policyguard.canonical import digest_of
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.document import SECTIONS
from policyguard.catalog.load import load_catalog
from policyguard.catalog.resolve import Resolution
from policyguard.catalog.yaml_text import read_yaml

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "policies" / "catalog"
ACME = ROOT / "policyguard" / "demo" / "acme.yaml"
_WINDOW: Final = {
    "country",
    "item",
    "letter",
    "party",
    "reason",
    "region",
    "share_bp",
    "since",
    "until",
}
"""Fields of windows, at least one each; no entry (`as_of`) and no terms have them."""
MODELS_DEV = ROOT.parent / "shared" / "data" / "models-dev-2026-07-02.json"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([SHIPPED], overlays=[ACME])


def resolved(
    catalog: Catalog, name: str | None, host: str | None, path: str | None = None
) -> tuple[str | None, str | None]:
    answer = catalog.resolve(asked_model=name, host=host, path=path)
    return answer.model, answer.deployment


def test_every_entry_has_a_source_and_a_day(catalog: Catalog) -> None:
    document = catalog.document
    for section in SECTIONS:
        entries = document[section]
        assert isinstance(entries, dict)
        # Evidence is measured where weights are loaded: none can be shipped.
        assert entries or section == "evidence"
        for key, entry in entries.items():
            assert len(entry["source"]) > 5, key
            assert "2025-03-01" < entry["as_of"] < "2026-11-24", key


def test_the_overlay_replaces_nothing(catalog: Catalog) -> None:
    assert catalog.replaced == ()
    assert catalog.digest != load_catalog([SHIPPED]).digest


@pytest.mark.parametrize(
    ("name", "host", "deployment"),
    [
        ("glm-5.2", "open.bigmodel.cn", "glm-5.2@open.bigmodel.cn"),
        ("glm-5.2", "api.z.ai", "glm-5.2@api.z.ai"),
        ("glm-5.2", "api.scaleway.ai", "glm-5.2@api.scaleway.ai"),
        ("zai-org/GLM-5.2", "inference.baseten.co", "glm-5.2@inference.baseten.co"),
        ("glm-5.2", "llm.fra-1.acme.example", "glm-5.2@fra-1"),
        ("kimi-k2-0905-preview", "api.moonshot.ai", "kimi-k2@api.moonshot.ai"),
        ("claude-fable-5", "api.anthropic.com", "claude-fable-5@api.anthropic.com"),
        ("claude-mythos-5", "api.anthropic.com", "claude-mythos-5@api.anthropic.com"),
        (
            "eu.anthropic.claude-fable-5",
            "bedrock-runtime.eu-north-1.amazonaws.com",
            "claude-fable-5@bedrock-eu",
        ),
        (
            "global.anthropic.claude-mythos-5",
            "bedrock-runtime.eu-north-1.amazonaws.com",
            "claude-mythos-5@bedrock-global",
        ),
        ("gpt-5.5", "api.openai.com", "gpt-5.5@api.openai.com"),
        ("gpt-5.5", "eu.api.openai.com", "gpt-5.5@eu.api.openai.com"),
        (
            "mistral-large-2512",
            "api.mistral.ai",
            "mistral-large-2512@api.mistral.ai",
        ),
        (
            "llama-3.3-70b-instruct",
            "api.scaleway.ai",
            "llama-3.3-70b-instruct@api.scaleway.ai",
        ),
    ],
)
def test_a_name_at_a_host_is_a_deployment(
    catalog: Catalog, name: str, host: str, deployment: str
) -> None:
    model = catalog.deployment(deployment).model
    assert resolved(catalog, name, host) == (model, deployment)


def test_an_unknown_host_leaves_the_deployment_unknown_and_says_so(
    catalog: Catalog,
) -> None:
    assert catalog.resolve(asked_model="glm-5.2", host="glm.cheap.example") == (
        Resolution(
            model="glm-5.2",
            deployment=None,
            why="no deployment of the catalog answers at `glm.cheap.example`",
        )
    )


@pytest.mark.parametrize(
    ("name", "host", "path", "why"),
    [
        ("glm-9", "api.z.ai", None, "no deployment at `api.z.ai` answers to the name"),
        (
            "GLM-5.2",
            "api.z.ai",
            None,
            "no deployment at `api.z.ai` answers to the name",
        ),
        (None, "api.z.ai", "/v1/x", "the call names no model that could be read"),
        (
            "x",
            None,
            None,
            (
                "it is not known where the call goes, and no model of the catalog is"
                " called `x`"
            ),
        ),
        ("glm-5.2", "api.z.ai", "/a/../b", "it is not certain what its path names: "),
        ("x", "user@api.z.ai", None, "no deployment of the catalog answers at `user@"),
        (
            "eu.anthropic.claude-fable-5",
            "bedrock-runtime.us-east-1.amazonaws.com",
            None,
            "no deployment at `bedrock-runtime.us-east-1.amazonaws.com` answers",
        ),
    ],
)
def test_what_cannot_be_told_is_unknown(
    catalog: Catalog, name: str | None, host: str | None, path: str | None, why: str
) -> None:
    answer = catalog.resolve(asked_model=name, host=host, path=path)
    assert (answer.model, answer.deployment) == (None, None)
    assert answer.why[: len(why)] == why


def test_the_model_in_the_path_wins_over_the_body(catalog: Catalog) -> None:
    host = "bedrock-runtime.eu-west-1.amazonaws.com"
    path = "/model/global.anthropic.claude-fable-5/invoke"
    assert resolved(catalog, "eu.anthropic.claude-fable-5", host, path) == (
        "claude-fable-5",
        "claude-fable-5@bedrock-global",
    )


def test_alternatives_come_cheapest_first_and_unpriced_last(catalog: Catalog) -> None:
    assert catalog.deployments_of("glm-5.2") == (
        "glm-5.2@api.z.ai",
        "glm-5.2@inference.baseten.co",
        "glm-5.2@open.bigmodel.cn",
        "glm-5.2@api.scaleway.ai",
        "glm-5.2@fra-1",
        "glm-5.2@self-hosted",
    )
    assert catalog.deployments_of("glm-5") == ()


def test_zhipu_is_listed_as_maker_and_as_host_and_its_singapore_host_is_not(
    catalog: Catalog,
) -> None:
    entries = catalog.list_of("bis-entity-list").parties
    assert {entry.party: entry.since for entry in entries} == {
        "zhipu": datetime(2025, 1, 16, tzinfo=UTC),
        "zhipu-bigmodel": datetime(2025, 1, 16, tzinfo=UTC),
        "baai": datetime(2025, 3, 25, tzinfo=UTC),
    }
    singapore = catalog.operator("jingsheng-hengxing")
    assert (singapore.country, singapore.control_country, singapore.owners) == (
        "SG",
        None,
        None,
    )


def test_the_letter_of_june_2026_is_dated_and_only_mythos_has_relief(
    catalog: Catalog,
) -> None:
    (fable,) = catalog.model("claude-fable-5").restrictions
    (mythos,) = catalog.model("claude-mythos-5").restrictions
    assert (fable.since, fable.until, fable.verified) == (
        datetime(2026, 6, 12, 21, 21, tzinfo=UTC),
        datetime(2026, 7, 1, tzinfo=UTC),
        False,
    )
    assert (fable.relief, fable.relief_since) == ((), None)
    assert (mythos.relief, mythos.relief_since) == (
        ("bis-2026-06-26:A",),
        datetime(2026, 6, 26, tzinfo=UTC),
    )


def test_every_way_to_the_two_models_was_switched_off_and_keeps_thirty_days(
    catalog: Catalog,
) -> None:
    keys = [
        *catalog.deployments_of("claude-fable-5"),
        *catalog.deployments_of("claude-mythos-5"),
    ]
    assert len(keys) == 6
    for key in keys:
        deployment = catalog.deployment(key)
        first, last = deployment.states[0], deployment.states[-1]
        assert (
            first.since,
            last.until,
            {item.verified for item in deployment.states},
        ) == (
            datetime(2026, 6, 12, 21, 21, tzinfo=UTC),
            datetime(2026, 7, 1, tzinfo=UTC),
            {False},
        )
        # Of Mythos nobody knows whether it was on again for the relieved ones.
        relief = [item for item in deployment.states if "Annex A" in item.reason]
        assert [item.since for item in relief] == (
            [datetime(2026, 6, 26, tzinfo=UTC)] if "mythos" in key else []
        )
        assert deployment.data_policy.safety_retention_days == 30


def test_a_global_profile_has_no_countries_and_the_european_one_no_london(
    catalog: Catalog,
) -> None:
    everywhere = catalog.deployment("claude-fable-5@bedrock-global")
    europe = catalog.deployment("claude-fable-5@bedrock-eu")
    assert (everywhere.processing_scope, everywhere.processing_countries) == (
        "global",
        None,
    )
    assert europe.processing_countries == ("DE", "ES", "FR", "IE", "IT", "SE")


def test_adequacy_knows_its_traps(catalog: Catalog) -> None:
    entries = {e.country: e for e in catalog.list_of("eu-adequacy").countries}
    assert sorted(entries) == (
        [
            "AD",
            "AR",
            "BR",
            "CA",
            "CH",
            "FO",
            "GB",
            "GG",
            "IL",
            "IM",
            "JE",
            "JP",
            "KR",
            "NZ",
            "US",
            "UY",
        ]
    )
    assert (entries["US"].condition, entries["CA"].condition) == ("dpf", "pipeda")
    assert entries["GB"].until == datetime(2031, 12, 27, tzinfo=UTC)
    eea = catalog.list_of("eea").countries
    # 27 members of the Union, the territories that have a code of their own, three more.
    assert len(eea) == 27 + 7 + 3
    assert {"NO", "IS", "LI", "RE", "AX"} < {entry.country for entry in eea}
    assert {entry.country for entry in eea}.isdisjoint(entries)


def test_what_makes_the_demonstration_allowed_is_there(catalog: Catalog) -> None:
    hosted = catalog.deployment("glm-5.2@api.scaleway.ai")
    assert (hosted.processing_scope, hosted.processing_countries) == ("fixed", ("FR",))
    assert hosted.storage_countries == ("FR",)
    own = catalog.deployment("glm-5.2@fra-1")
    weights = catalog.weights("glm-5.2-acme")
    assert own.installed is not None
    assert (own.installed.revision, own.installed.digest) == (
        weights.revision,
        weights.digest,
    )
    files = [entry.model_dump() for entry in weights.files or ()]
    assert weights.digest == digest_of(files)


def test_hosts_names_and_prices_are_those_of_models_dev(catalog: Catalog) -> None:
    if not MODELS_DEV.exists():
        pytest.skip("the models.dev data for development is not beside the project")
    providers = json.loads(MODELS_DEV.read_text())
    for provider, name, key in (
        ("scaleway", "glm-5.2", "glm-5.2@api.scaleway.ai"),
        ("scaleway", "gpt-oss-120b", "gpt-oss-120b@api.scaleway.ai"),
        (
            "scaleway",
            "llama-3.3-70b-instruct",
            "llama-3.3-70b-instruct@api.scaleway.ai",
        ),
        ("baseten", "zai-org/GLM-5.2", "glm-5.2@inference.baseten.co"),
        ("zai", "glm-5.2", "glm-5.2@api.z.ai"),
        ("zhipuai", "glm-5.2", "glm-5.2@open.bigmodel.cn"),
        ("moonshotai", "kimi-k2-0905-preview", "kimi-k2@api.moonshot.ai"),
        ("moonshotai-cn", "kimi-k2-0711-preview", "kimi-k2@api.moonshot.cn"),
        ("anthropic", "claude-fable-5", "claude-fable-5@api.anthropic.com"),
        (
            "amazon-bedrock",
            "eu.anthropic.claude-fable-5",
            "claude-fable-5@bedrock-eu",
        ),
        (
            "amazon-bedrock",
            "global.anthropic.claude-fable-5",
            "claude-fable-5@bedrock-global",
        ),
        ("openai", "gpt-5.5", "gpt-5.5@api.openai.com"),
        ("mistral", "mistral-large-2512", "mistral-large-2512@api.mistral.ai"),
    ):
        cost = providers[provider]["models"][name]["cost"]
        deployment = catalog.deployment(key)
        assert deployment.price is not None
        assert name in deployment.names
        assert (
            round(cost["input"] * 1_000_000),
            round(cost["output"] * 1_000_000),
        ) == (deployment.price.input_microusd, deployment.price.output_microusd)
        api = providers[provider].get("api")
        if api:
            assert resolved(catalog, name, api.split("/")[2])[1] == key


def test_every_window_says_whether_a_person_has_verified_it() -> None:
    def windows(value: Any, here: str) -> Iterator[tuple[str, Any]]:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(item, (dict, list)):
                named = set(item) if isinstance(item, dict) else set()
                if named & _WINDOW and not named & {"as_of", "supported"}:
                    yield f"{here}.{key}", item
                yield from windows(item, f"{here}.{key}")

    unsaid = [
        place
        for path in sorted(SHIPPED.glob("*.yaml"))
        for place, window in windows(
            read_yaml(path.read_text("utf-8"), name=path.name), path.name
        )
        if not isinstance(window.get("verified"), bool)
    ]

    assert unsaid == []
