"""The law of the unknown: forgetting a fact never turns a refused call into an allowed one.

Calls are generated over the shipped rules and the shipped catalog, with facts that do
not contradict each other; then any of the facts are forgotten. Demands of the tenant are
left out on purpose, which are no facts: who forgets a demand does not make it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.protocol import Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import CatalogSettings, Settings
from policyguard.vocabulary.call import ModelCall

OVERLAY = Path(__file__).parents[2] / "policyguard/demo/acme.yaml"
INSTANTS = (
    "2026-06-11T12:00:00Z",
    "2026-06-15T12:00:00Z",
    "2026-06-28T12:00:00Z",
    "2026-07-10T12:00:00Z",
    "2026-11-23T12:00:00Z",
)
MARCH = "2026-03-02T09:00:00Z"
TECHNOLOGY = ("source_code", "technical", "confidential")
PERSONAL = ("pii", "health", "financial", "special_category", "biometric")
EEA = {"DE", "FR"}
FORGETTABLE = (
    "caller",
    "caller.person_status",
    "caller.organisation",
    "caller.organisation.annexes",
    "purpose",
    "purpose.competes",
    "purpose.end_use",
    "purpose.beneficiary_headquarters",
    "caller.location",
    "caller.citizenships",
    "caller.latest_citizenship",
    "caller.organisation.listed",
    "caller.organisation.owners",
    "caller.organisation.headquarters",
    "data.brokerage",
    "data.counts.genomic",
    "data.counts.pii",
    "data.itar",
    "rolling.us_twelve_months",
    "tenant.data_security.requirements",
    "tenant.data_security.certified",
    "exporter.establishment",
    "exporter.article_3",
    "data.classes",
    "data.subjects",
    "data.anonymous_evidence",
    "data.ear.classification",
    "data.ear.us_origin",
    "data.ear.evidence",
    "model",
    "route.0",
    "tenant.contracts",
    "tenant.contracts.0.dpa",
    "tenant.contracts.0.transfer_tool",
    "tenant.contracts.0.transfer_assessed",
    "tenant.contracts.0.remote_access_countries",
)
"""Paths in a call, of facts that may be null. Null is: nobody knows."""


@cache
def catalog() -> Catalog:
    return catalog_of(Settings(catalog=CatalogSettings(overlays=(OVERLAY,))))


@cache
def snapshot() -> Snapshot:
    bundle = bundle_of(Settings())
    return RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog()))


@st.composite
def data(draw: st.DrawFn) -> dict[str, Any]:
    technology = draw(st.booleans())
    classes = draw(st.sets(st.sampled_from((*PERSONAL, "genomic")), max_size=2))
    itar = technology and draw(st.booleans())
    if technology:
        classes |= {draw(st.sampled_from(TECHNOLOGY))}
    classification = (
        st.sampled_from(["EAR99", "3E001", "published", "not_technology"])
        if technology
        else st.just("not_technology")
    )
    subjects = draw(
        st.lists(st.sampled_from(["DE", "US", "CN"]), min_size=1, max_size=2)
    )
    people = st.sampled_from([0, 100, 101, 100_001] if "US" in subjects else [0])
    return {
        "classes": sorted(classes) or ["none"],
        "subjects": subjects,
        "counts": {
            name: draw(people)
            for name in ("genomic", "biometric", "health", "financial", "pii")
        },
        "brokerage": draw(st.booleans()),
        "anonymous_evidence": draw(st.sampled_from([None, None, "aggregates"])),
        "ear": {
            # What the ITAR covers has no classification under the EAR.
            "classification": None if itar else draw(classification),
            "us_origin": draw(st.booleans()),
            "evidence": draw(st.sampled_from([None, "https://example.com/code"])),
        },
        "itar": itar,
    }


@st.composite
def callers(draw: st.DrawFn) -> dict[str, Any]:
    latest = draw(st.sampled_from(["FR", "IN", "IR"]))
    return {
        "id": "alice",
        "person_status": draw(st.sampled_from(["us_citizen", "us_lpr", "foreign"])),
        "citizenships": [latest],
        "latest_citizenship": latest,
        "location": draw(st.sampled_from(["DE", "US", "IR", "CN"])),
        "organisation": {
            "name": "Acme",
            "headquarters": draw(st.sampled_from(["DE", "CN"])),
            "owners": draw(
                st.sampled_from([[], [_owner("ofac-sdn"), _owner("bis-entity-list")]])
            ),
            "listed": draw(st.sampled_from([[], ["ofac-sdn"]])),
            "annexes": draw(st.sampled_from([[], ["bis-2026-06-26:A"]])),
        },
    }


def _owner(listed: str) -> dict[str, Any]:
    return {"name": listed, "country": "CN", "listed": [listed], "share_bp": 5000}


@st.composite
def exporters(draw: st.DrawFn, subjects: list[str]) -> dict[str, Any]:
    where = draw(st.sampled_from(["DE", "US", "CN"]))
    if where in EEA:
        return {"establishment": where, "article_3": "establishment"}
    targets = bool(EEA & set(subjects)) and draw(st.booleans())
    return {"establishment": where, "article_3": "targeting" if targets else "none"}


@st.composite
def contracts(draw: st.DrawFn, operator: str) -> list[dict[str, Any]]:
    return [
        {
            "operator": operator,
            "dpa": draw(st.booleans()),
            "transfer_tool": draw(
                st.sampled_from(["none", "scc", "bcr", "dpf", "idta", "derogation"])
            ),
            "transfer_assessed": draw(
                st.sampled_from([None, "2026-03-02T09:00:00Z", "2024-03-02T09:00:00Z"])
            ),
            "remote_access_countries": ["FR"],
        }
    ]


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    deployment = draw(st.sampled_from(sorted(catalog().document["deployments"])))
    entry = catalog().deployment(deployment)
    sent = draw(data())
    return {
        "at": draw(st.sampled_from(INSTANTS)),
        "purpose": {
            "kind": draw(st.sampled_from(["inference", "distil", "train"])),
            "competes": draw(st.booleans()),
            "end_use": draw(st.sampled_from(["civil", "military", "wmd"])),
            "beneficiary_headquarters": draw(st.sampled_from(["DE", "CN"])),
        },
        "caller": draw(callers()),
        "rolling": {
            "us_twelve_months": draw(
                st.sampled_from(
                    [
                        [],
                        [
                            {
                                "counterparty": "zhipu-bigmodel",
                                "counts": {"pii": 100_000},
                            }
                        ],
                    ]
                )
            )
        },
        "exporter": draw(exporters(sent["subjects"])),
        "tenant": {
            "id": "acme",
            "profile": draw(st.sampled_from(["balanced", "strict"])),
            "residency_allowed": draw(st.sampled_from(["anywhere", ["DE", "FR"]])),
            "contracts": draw(contracts(entry.operator or "nobody")),
            "data_security": {
                "requirements": draw(st.booleans()),
                "certified": draw(st.sampled_from([MARCH, "2024-03-02T09:00:00Z"])),
                "audited": MARCH,
            },
        },
        "data": sent,
        "asked": {"model": entry.model, "host": next(iter(entry.hosts), None)},
        "model": entry.model,
        "route": [deployment],
    }


def forgotten(call: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    """Return the call without these facts; forgetting a group forgets what is in it."""
    changed: dict[str, Any] = deepcopy(dict(call))
    for path in paths:
        *above, last = (
            int(part) if part.isdecimal() else part for part in path.split(".")
        )
        node: Any = changed
        for part in above:
            node = None if node is None else node[part]
        if node is not None:
            node[last] = None
    return changed


def answer(call: Mapping[str, Any]) -> Any:
    question = ModelCall.model_validate(call).engine_input()
    return snapshot().evaluate(canonical_bytes(question))


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    call=calls(),
    paths=st.lists(st.sampled_from(FORGETTABLE), min_size=1, max_size=4, unique=True),
)
def test_forgetting_facts_never_allows_what_was_refused(
    call: dict[str, Any], paths: list[str]
) -> None:
    before = answer(call)
    event(before["verdict"])
    assume(before["verdict"] != "allow")

    after = answer(forgotten(call, paths))

    assert after["verdict"] != "allow", {
        "forgotten": paths,
        "was refused by": [item["id"] for item in before["findings"]],
    }


@settings(max_examples=100)
@given(call=calls())
def test_a_call_of_which_nothing_is_known_is_never_allowed(
    call: dict[str, Any],
) -> None:
    found = answer(forgotten(call, list(FORGETTABLE)))

    assert found["verdict"] in {"deny", "require_approval"}
    assert {"FACT-01", "FACT-02", "FACT-03", "FACT-04", "FACT-05"} <= {
        item["id"] for item in found["findings"]
    }


@settings(max_examples=60)
@given(call=calls())
def test_a_fact_that_an_answer_misses_is_null_in_the_question(
    call: dict[str, Any],
) -> None:
    without = forgotten(call, ["caller.person_status", "tenant.contracts"])

    for finding in answer(without)["findings"]:
        assert finding["missing"] == sorted(set(finding["missing"]))
        assert finding["effect"] != "indeterminate"
        if finding["missing"]:
            assert finding["effect"] in {"deny", "require_approval"}
