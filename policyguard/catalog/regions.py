"""Says in which country a cloud region lies, and where a routed profile may run.

A region's name is no residency: `eu-west-2` is London, `eu-central-2` Zurich,
`ap-east-1` Hong Kong, and a profile or SKU that routes may run in none of the regions
that its URL names. What a name alone does not settle is `None`: unknown, never a guess.

Source: the regions of each cloud's public documentation, by general knowledge; those of
AWS are compared with botocore's `partitions.json` by a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Cloud: TypeAlias = Literal["aws", "azure", "gcp"]

CLOUDS: Final[tuple[Cloud, ...]] = ("aws", "azure", "gcp")


def _table(text: str) -> Mapping[str, str]:
    """Read lines of a country and its regions."""
    rows = (line.split() for line in text.strip().splitlines())
    return MappingProxyType({region: row[0] for row in rows for region in row[1:]})


REGIONS: Final[Mapping[Cloud, Mapping[str, str]]] = MappingProxyType(
    {
        "aws": _table(
            """
            AE me-central-1
            AU ap-southeast-2 ap-southeast-4
            BH me-south-1
            BR sa-east-1
            CA ca-central-1 ca-west-1
            CH eu-central-2
            CL sa-west-1
            CN cn-north-1 cn-northwest-1
            DE eu-central-1 eusc-de-east-1
            ES eu-south-2
            FR eu-west-3
            GB eu-west-2
            HK ap-east-1
            ID ap-southeast-3
            IE eu-west-1
            IL il-central-1
            IN ap-south-1 ap-south-2
            IT eu-south-1
            JP ap-northeast-1 ap-northeast-3
            KR ap-northeast-2
            MX mx-central-1
            MY ap-southeast-5
            NZ ap-southeast-6
            SA me-west-1
            SE eu-north-1
            SG ap-southeast-1
            TH ap-southeast-7
            TW ap-east-2
            US us-east-1 us-east-2 us-west-1 us-west-2 us-gov-east-1 us-gov-west-1
            US us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1
            US us-isof-east-1 us-isof-south-1
            ZA af-south-1
            """
        ),
        "azure": _table(
            """
            AE uaecentral uaenorth
            AT austriaeast
            AU australiacentral australiacentral2 australiaeast australiasoutheast
            BE belgiumcentral
            BR brazilsouth brazilsoutheast
            CA canadacentral canadaeast
            CH switzerlandnorth switzerlandwest
            CL chilecentral
            CN chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3
            DE germanynorth germanywestcentral
            DK denmarkeast
            ES spaincentral
            FR francecentral francesouth
            GB uksouth ukwest
            HK eastasia
            ID indonesiacentral
            IE northeurope
            IL israelcentral
            IN centralindia jioindiacentral jioindiawest southindia westindia
            IT italynorth
            JP japaneast japanwest
            KR koreacentral koreasouth
            MX mexicocentral
            MY malaysiawest
            NL westeurope
            NO norwayeast norwaywest
            NZ newzealandnorth
            PL polandcentral
            QA qatarcentral
            SE swedencentral swedensouth
            SG southeastasia
            US centralus eastus eastus2 northcentralus southcentralus westcentralus
            US westus westus2 westus3 usgovarizona usgovtexas usgovvirginia
            ZA southafricanorth southafricawest
            """
        ),
        "gcp": _table(
            """
            AU australia-southeast1 australia-southeast2
            BE europe-west1
            BR southamerica-east1
            CA northamerica-northeast1 northamerica-northeast2
            CH europe-west6
            CL southamerica-west1
            DE europe-west3 europe-west10
            ES europe-southwest1
            FI europe-north1
            FR europe-west9
            GB europe-west2
            HK asia-east2
            ID asia-southeast2
            IL me-west1
            IN asia-south1 asia-south2
            IT europe-west8 europe-west12
            JP asia-northeast1 asia-northeast2
            KR asia-northeast3
            MX northamerica-south1
            NL europe-west4
            PL europe-central2
            QA me-central1
            SA me-central2
            SE europe-north2
            SG asia-southeast1
            TW asia-east1
            US us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2
            US us-west3 us-west4
            ZA africa-south1
            """
        ),
    }
)

# The geographies of Bedrock's inference profiles that are one country. `eu` and `apac`
# are several, and which ones has to be read from the list of each profile: whether an
# `eu` profile reaches London or Zurich is not in its name. `global` is anywhere.
_PROFILES: Final = MappingProxyType(
    {"us": "US", "us-gov": "US", "jp": "JP", "au": "AU", "ca": "CA"}
)
_PROFILE: Final = re.compile(r"(us-gov|us|eu|apac|jp|au|ca|global)\.[a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """Says where a routed call is processed, as a deployment of the catalog says it."""

    scope: Literal["fixed", "global"] | None
    countries: tuple[str, ...] | None
    why: str
    """What settles it, or what has to be read to settle it."""


def country_of(*, cloud: Cloud, region: str) -> str | None:
    """Return the ISO 3166-1 code of the country of a region, or `None`: unknown.

    Args:
        cloud: Whose region it is.
        region: Its programmatic name, as `eu-west-2`, `uksouth` or `europe-west2`.
    """
    return REGIONS[cloud].get(region)


def bedrock_processing(*, model: str, region: str | None) -> Processing:
    """Say where a model id or inference profile of Amazon Bedrock is processed.

    Args:
        model: The id in the URL, as `eu.anthropic.claude-fable-5`.
        region: The region of the endpoint; it decides only where nothing is routed.
    """
    found = _PROFILE.match(model)
    if found is None:
        return _in_region("aws", region)
    geography = found[1]
    if geography == "global":
        return Processing(
            scope="global", countries=None, why="a global profile may run anywhere"
        )
    country = _PROFILES.get(geography)
    if country is None:
        why = f"read the regions of this profile: `{geography}.` does not name them"
        return Processing(scope="fixed", countries=None, why=why)
    why = f"an inference profile of the geography `{geography}`"
    return Processing(scope="fixed", countries=(country,), why=why)


def azure_processing(*, sku: str, region: str | None) -> Processing:
    """Say where a deployment of Azure is processed.

    Args:
        sku: The deployment's SKU name, as `DataZoneStandard`.
        region: The location of the resource: where data is at rest, and the place of
            inference for a SKU that is not routed.
    """
    if sku in {"Standard", "ProvisionedManaged"}:
        return _in_region("azure", region)
    if sku in {"DataZoneStandard", "DataZoneProvisionedManaged", "DataZoneBatch"}:
        why = "read the countries of this data zone: its SKU does not name them"
        return Processing(scope="fixed", countries=None, why=why)
    if sku.startswith("Global"):
        return Processing(
            scope="global", countries=None, why="a global SKU may run anywhere"
        )
    return Processing(scope=None, countries=None, why=f"`{sku}` is no SKU known here")


def gcp_processing(*, location: str) -> Processing:
    """Say where a location of Google Cloud is processed; `global` is anywhere."""
    if location == "global":
        return Processing(
            scope="global", countries=None, why="the global location may run anywhere"
        )
    return _in_region("gcp", location)


def _in_region(cloud: Cloud, region: str | None) -> Processing:
    country = None if region is None else country_of(cloud=cloud, region=region)
    if country is None:
        named = "no region is named" if region is None else f"`{region}` is not known"
        return Processing(scope=None, countries=None, why=f"{named}: look it up")
    return Processing(
        scope="fixed", countries=(country,), why=f"the region `{region}` alone"
    )
