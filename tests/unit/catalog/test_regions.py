"""In which country a region lies, and what a routed profile does not say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policyguard.catalog.regions import (
    CLOUDS,
    REGIONS,
    Cloud,
    Processing,
    azure_processing,
    bedrock_processing,
    country_of,
    gcp_processing,
)

# What AWS calls a region, by the country in that name; the others are cities.
CITIES = {
    "Cape Town": "ZA", "Hong Kong": "HK", "Taipei": "TW", "Tokyo": "JP", "Seoul": "KR",
    "Osaka": "JP", "Mumbai": "IN", "Hyderabad": "IN", "Singapore": "SG",
    "Sydney": "AU", "Jakarta": "ID", "Melbourne": "AU", "Malaysia": "MY",
    "New Zealand": "NZ", "Thailand": "TH", "Central": None, "Calgary": "CA",
    "Frankfurt": "DE", "Zurich": "CH", "Stockholm": "SE", "Milan": "IT", "Spain": "ES",
    "Ireland": "IE", "London": "GB", "Paris": "FR", "Tel Aviv": "IL", "UAE": "AE",
    "Bahrain": "BH", "Saudi Arabia": "SA", "Sao Paulo": "BR", "Chile": "CL",
    "N. Virginia": "US", "Ohio": "US", "N. California": "US", "Oregon": "US",
}  # fmt: skip


@pytest.mark.parametrize(
    ("cloud", "region", "country"),
    [
        ("aws", "eu-west-2", "GB"),
        ("aws", "eu-central-2", "CH"),
        ("aws", "ap-east-1", "HK"),
        ("aws", "cn-north-1", "CN"),
        ("aws", "us-gov-west-1", "US"),
        ("aws", "eu-isoe-west-1", None),
        ("azure", "eastasia", "HK"),
        ("azure", "northeurope", "IE"),
        ("azure", "uksouth", "GB"),
        ("gcp", "asia-east2", "HK"),
        ("gcp", "europe-west2", "GB"),
        ("gcp", "europe-west6", "CH"),
        ("gcp", "eu", None),
        ("aws", "EU-WEST-2", None),
    ],
)
def test_a_region_lies_where_its_data_centre_is(
    cloud: Cloud, region: str, country: str | None
) -> None:
    assert country_of(cloud=cloud, region=region) == country


def test_every_commercial_region_of_aws_is_known_and_in_its_country() -> None:
    botocore = pytest.importorskip("botocore")
    data = Path(botocore.__file__).parent / "data/partitions.json"
    (aws,) = (
        item
        for item in json.loads(data.read_text("utf-8"))["partitions"]
        if item["id"] == "aws"
    )
    expected = {
        region: CITIES[entry["description"].split("(")[1].rstrip(")")]
        for region, entry in aws["regions"].items()
        if "(" in entry["description"]
    }
    central = {"ca-central-1": "CA", "mx-central-1": "MX"}
    expected |= {key: central[key] for key, value in expected.items() if value is None}

    assert {key: REGIONS["aws"].get(key) for key in expected} == expected


def test_no_region_is_in_two_countries() -> None:
    for cloud in CLOUDS:
        for country in REGIONS[cloud].values():
            assert len(country) == 2
            assert country.isupper()


@pytest.mark.parametrize(
    ("model", "region", "scope", "countries"),
    [
        ("us.anthropic.claude-opus-4-8", "us-east-1", "fixed", ("US",)),
        ("jp.anthropic.claude-opus-4-8", "ap-northeast-1", "fixed", ("JP",)),
        ("us-gov.anthropic.claude-x", "us-gov-west-1", "fixed", ("US",)),
        # Which countries: the list of the profile says it, its name does not.
        ("eu.anthropic.claude-fable-5", "eu-central-1", "fixed", None),
        ("apac.anthropic.claude-x", "ap-south-1", "fixed", None),
        # The region of the URL is where the call is made, not where it is answered.
        ("global.anthropic.claude-fable-5", "eu-central-1", "global", None),
        ("anthropic.claude-fable-5", "eu-west-2", "fixed", ("GB",)),
        ("anthropic.claude-fable-5", "eu-isoe-west-1", None, None),
        ("anthropic.claude-fable-5", None, None, None),
        ("europe.model", "eu-west-1", "fixed", ("IE",)),
    ],
)
def test_a_profile_of_bedrock_says_as_much_as_its_name_does(
    model: str, region: str | None, scope: str | None, countries: tuple[str, ...] | None
) -> None:
    found = bedrock_processing(model=model, region=region)

    assert (found.scope, found.countries) == (scope, countries)


@pytest.mark.parametrize(
    ("sku", "scope", "countries"),
    [
        ("Standard", "fixed", ("GB",)),
        ("ProvisionedManaged", "fixed", ("GB",)),
        ("DataZoneStandard", "fixed", None),
        ("GlobalStandard", "global", None),
        ("GlobalProvisionedManaged", "global", None),
        ("Developer", None, None),
    ],
)
def test_data_at_rest_in_london_is_not_inference_in_london(
    sku: str, scope: str | None, countries: tuple[str, ...] | None
) -> None:
    found = azure_processing(sku=sku, region="uksouth")

    assert (found.scope, found.countries) == (scope, countries)


def test_the_global_location_of_google_is_anywhere() -> None:
    assert gcp_processing(location="global") == Processing(
        scope="global", countries=None, why="the global location may run anywhere"
    )
    assert gcp_processing(location="europe-west9").countries == ("FR",)
