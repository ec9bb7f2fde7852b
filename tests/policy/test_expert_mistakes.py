"""What an expert would call naive: each mistake is a pair that a naive rule takes for one.

Of each pair the rules must give two answers, or one answer where the naive rule gives
two. A rule that makes the mistake fails the test, whatever else it does.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from policy.scenario_table import CATALOG, read_base, with_facts

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.protocol import Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import CatalogSettings, Settings
from policyguard.vocabulary.call import ModelCall

SETTINGS = Settings(catalog=CatalogSettings(overlays=(CATALOG,)))
US = {
    "caller.person_status": "us_citizen",
    "caller.citizenships": ["US"],
    "caller.location": "US",
    "exporter.establishment": "US",
    "exporter.article_3": "none",
    "data.classes": ["none"],
    "data.subjects": [],
}
"""A company in the United States that sends nothing that a rule asks about."""
CODE = US | {
    "data.classes": ["source_code"],
    "data.ear": {"classification": "EAR99", "us_origin": True},
}
RTL = US | {
    "data.classes": ["technical"],
    "data.ear": {"classification": "3E001", "us_origin": True},
}
FABLE = "claude-fable-5@api.anthropic.com"
PROSE = {"data.classes": ["public"], "data.subjects": []}


@cache
def catalog() -> Catalog:
    return catalog_of(SETTINGS)


@cache
def snapshot() -> Snapshot:
    return RegorusEngine().load(
        policy_set(bundle=bundle_of(SETTINGS), catalog=catalog())
    )


def answer(
    to: str, facts: dict[str, Any], *, at: str = "2026-07-10T12:00:00Z"
) -> dict[str, Any]:
    """Return the decision on the ordinary call, sent elsewhere with other facts."""
    entry = catalog().deployment(to)
    call = with_facts(
        {
            **read_base().call,
            "at": at,
            "model": entry.model,
            "route": (to,),
            "asked": {"model": entry.model, "host": next(iter(entry.hosts), None)},
        },
        facts,
    )
    question = ModelCall.model_validate(call).engine_input()
    found: Any = snapshot().evaluate(canonical_bytes(question))
    return dict(found)


def objections(
    to: str, facts: dict[str, Any], *, at: str = "2026-07-10T12:00:00Z"
) -> dict[str, str]:
    """Return the strongest effect of each rule that objects."""
    order = ("require_approval", "unavailable", "deny")
    found: dict[str, str] = {}
    for item in answer(to, facts, at=at)["findings"]:
        if item["effect"] in order:
            before = found.get(item["id"], order[0])
            found[item["id"]] = max(before, item["effect"], key=order.index)
    return found


@pytest.mark.parametrize("to", ["kimi-k2@lab", "glm-5.2@ohio", "glm-5.2@works"])
def test_1_a_model_from_china_is_no_reason(to: str) -> None:
    assert objections(to, US) == {}


def test_2_a_listed_developer_bars_nobody_from_the_model() -> None:
    assert objections("glm-5.2@ohio", CODE) == {}
    assert objections("glm-5.2@open.bigmodel.cn", CODE) == {"EAR-01": "deny"}


def test_3_on_no_list_is_not_fine() -> None:
    assert objections("glm-5.2@singapore", RTL) == {"EAR-04": "deny"}


def test_4_one_model_name_is_many_answers() -> None:
    asked = {
        to: sorted(objections(f"glm-5.2@{to}", CODE, at="2026-11-23T12:00:00Z"))
        for to in ("ohio", "open.bigmodel.cn", "lion", "singapore", "ascend")
    }

    assert asked == {
        "ohio": [],
        "open.bigmodel.cn": ["EAR-01"],
        "lion": ["EAR-02"],
        "singapore": [],
        "ascend": ["EAR-08"],
    }


def test_7_the_lists_are_not_one_list() -> None:
    def company(*lists: str) -> dict[str, Any]:
        known = {"name": "X", "headquarters": "DE", "owners": [], "listed": list(lists)}
        return US | {"caller.organisation": known}

    assert objections("glm-5.2@ohio", company("ofac-sdn")) == {"OFAC-01": "deny"}
    for other in ("bis-entity-list", "bis-unverified", "dod-1260h", "bis-meu"):
        assert objections("glm-5.2@ohio", company(other)) == {}


def test_7_a_name_on_a_list_is_a_question_and_no_name_is_no_answer() -> None:
    def company(name: str, **more: Any) -> dict[str, Any]:
        known = {"name": name, "headquarters": "AE", "owners": [], "listed": []}
        return US | {"caller.organisation": known | more}

    asked = {"FACT-07": "require_approval"}
    assert objections("glm-5.2@ohio", company("Borealis Shipping LLC")) == asked
    assert objections("glm-5.2@ohio", company("Huawei Technologies")) == asked
    # That no list has the name does not screen whom nobody has screened.
    assert objections("glm-5.2@ohio", company("Other", listed=None)) == {
        "OFAC-01": "require_approval"
    }


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (4_999, {"OFAC-01": False, "LIC-03": False}),
        (5_000, {"OFAC-01": True, "LIC-03": False}),
        (5_001, {"OFAC-01": True, "LIC-03": True}),
    ],
)
def test_8_there_is_more_than_one_fifty_percent(
    share: int, expected: dict[str, bool]
) -> None:
    owner = {"name": "O", "country": "CN", "listed": ["ofac-sdn"], "share_bp": share}

    found = objections(FABLE, PROSE | {"caller.organisation.owners": [owner]})

    assert {rule: rule in found for rule in expected} == expected


def test_8_that_of_bis_is_dated_and_that_of_the_treasury_is_not() -> None:
    at = "2026-10-01T12:00:00Z"

    assert objections("glm-5.2@lion", CODE, at=at) == {"EAR-02": "require_approval"}
    assert objections("glm-5.2@blocked", US, at=at) == {"OFAC-01": "deny"}


def test_9_a_passport_and_a_place_make_no_foreign_person() -> None:
    june = "2026-06-15T12:00:00Z"
    resident = {"caller.person_status": "us_lpr", "caller.citizenships": ["CN"]}
    abroad = {"caller.person_status": "us_citizen", "caller.location": "FR"}
    at_home = {"caller.person_status": "foreign", "caller.location": "US"}

    assert objections(FABLE, PROSE | resident, at=june) == {"VEND-01": "unavailable"}
    assert objections(FABLE, PROSE | abroad, at=june) == {"VEND-01": "unavailable"}
    assert objections(FABLE, PROSE | at_home, at=june)["EAR-07"] == "deny"


def test_9_the_latest_citizenship_for_the_ear_and_all_of_them_for_the_itar() -> None:
    person = {
        "caller.person_status": "foreign",
        "caller.citizenships": ["IR", "CA"],
        "caller.latest_citizenship": "CA",
    }
    agreement = {
        "id": "TA-1",
        "authority": "DDTC",
        "operators": ["ohio-host"],
        "countries": ["US"],
        "persons": ["CA"],
        "expires": "2027-01-01T00:00:00Z",
    }
    military = {"data.itar": True, "data.ear.classification": None}

    assert objections("kimi-k2@lab", RTL | person) == {}
    assert objections(
        "kimi-k2@lab", RTL | person | military | {"tenant.licences": [agreement]}
    ) == {"ITAR-01": "deny"}


def test_10_an_old_call_gets_the_old_answer() -> None:
    instants = ("2025-11-09T23:59:59Z", "2025-11-10T00:00:00Z", "2026-11-10T00:00:00Z")

    assert [objections("glm-5.2@dune", CODE, at=at)["EAR-02"] for at in instants] == [
        "deny",
        "require_approval",
        "deny",
    ]


def test_10_what_nobody_verified_says_so() -> None:
    found = answer("glm-5.2@lion", CODE, at="2026-11-23T12:00:00Z")["findings"]

    (affiliates,) = [item for item in found if item["id"] == "EAR-02"]
    assert affiliates["verified"] is False
    assert "not verified" in affiliates["msg"]


def test_11_the_letter_of_june_is_over_and_it_was_there() -> None:
    foreign = PROSE | {"caller.person_status": "foreign"}
    days = ("2026-06-11T12:00:00Z", "2026-06-15T12:00:00Z", "2026-07-02T12:00:00Z")

    assert ["EAR-07" in objections(FABLE, foreign, at=at) for at in days] == [
        False,
        True,
        False,
    ]


def test_11_the_relief_for_mythos_is_none_for_fable() -> None:
    relieved = PROSE | {"caller.organisation.annexes": ["bis-2026-06-26:A"]}
    at = "2026-06-28T12:00:00Z"

    assert "EAR-07" in objections(FABLE, relieved, at=at)
    assert "EAR-07" not in objections(
        "claude-mythos-5@api.anthropic.com", relieved, at=at
    )


def test_12_encryption_blesses_no_inference() -> None:
    assert objections("glm-5.2@relay", RTL) == {}
    assert objections("glm-5.2@tls", RTL) == {"EAR-04": "deny"}
    assert objections("glm-5.2@enclave", RTL) == {"EAR-06": "require_approval"}


def test_12_the_itar_asks_where_it_is_sent_from() -> None:
    military = RTL | {"data.itar": True, "data.ear.classification": None}

    assert objections("glm-5.2@relay", military) == {}
    assert objections("glm-5.2@relay", military | {"exporter.establishment": "CN"}) == {
        "ITAR-01": "deny"
    }


def test_13_ear99_is_subject_to_the_ear() -> None:
    free = CODE | {"data.ear.classification": "not_technology"}

    assert objections("glm-5.2@open.bigmodel.cn", CODE) == {"EAR-01": "deny"}
    assert objections("glm-5.2@open.bigmodel.cn", free) == {}


def records(number: int, **facts: Any) -> dict[str, Any]:
    """Return identifiers of so many people, of whom no earlier call has sent any."""
    return (
        US
        | {
            "data.classes": ["pii"],
            "data.subjects": ["US"],
            "data.counts": {"pii": number},
            "data.brokerage": False,
            "rolling": {"us_twelve_months": []},
            "tenant.data_security": {
                "requirements": False,
                "certified": "2026-03-01T00:00:00Z",
                "audited": "2026-03-01T00:00:00Z",
            },
        }
        | facts
    )


def test_14_bulk_is_more_than_the_number_and_adds_up_over_twelve_months() -> None:
    earlier = [{"counterparty": "lion-cloud", "counts": {"pii": 99_999}}]

    assert objections("glm-5.2@lion", records(100_000)) == {}
    assert objections("glm-5.2@lion", records(100_001)) == {"DSP-02": "deny"}
    assert objections(
        "glm-5.2@lion", records(2, rolling={"us_twelve_months": earlier})
    ) == {"DSP-02": "deny"}


def test_14_pseudonyms_change_nothing() -> None:
    veiled = records(100_001, **{"data.anonymous_evidence": "keyed pseudonyms"})

    assert objections("glm-5.2@lion", veiled) == {"DSP-02": "deny"}


def test_14_a_vendor_is_restricted_and_not_banned() -> None:
    met = {"requirements": True, "certified": "2026-03-01T00:00:00Z"}
    papers = {"tenant.data_security": met | {"audited": "2026-03-01T00:00:00Z"}}

    assert objections("glm-5.2@lion", records(100_001, **papers)) == {}


def test_14_to_host_the_weights_oneself_gives_nobody_access() -> None:
    assert objections("kimi-k2@lab", records(100_001)) == {}


@pytest.mark.parametrize("country", ["CN", "HK", "MO", "CU", "IR", "KP", "RU", "VE"])
def test_14_countries_of_concern_are_eight_codes(country: str) -> None:
    listed = catalog().document["lists"]["dsp-countries-of-concern"]  # type: ignore[index,call-overload]

    assert country in listed["countries"]  # type: ignore[index,operator,call-overload]


def test_17_weights_are_neither_controlled_as_such_nor_is_4e091_repealed() -> None:
    training = PROSE | {
        "purpose.kind": "train",
        "purpose.compute_zettaops": 100_000,
        "purpose.publishes": False,
    }

    found = answer("glm-5.2@paris", training)

    assert found["verdict"] == "allow"
    assert "EAR-09" in {advice["id"] for advice in found["advice"]}


def test_17_the_number_of_the_ear_is_not_that_of_the_ai_act() -> None:
    training = PROSE | {"purpose.kind": "train", "purpose.compute_zettaops": 10_000}

    advice = answer("glm-5.2@paris", training)["advice"]

    assert "EAR-09" not in {item["id"] for item in advice}


def test_18_a_name_like_an_open_models_is_not_that_model() -> None:
    found = catalog().resolve(asked_model="glm-5-turbo", host="api.z.ai")

    assert (found.model, found.deployment) == (None, None)


def test_18_the_licence_of_the_code_is_not_that_of_the_weights() -> None:
    glm = catalog().model("glm-5.2")

    assert (glm.weights_licence, glm.code_licence) == ("MIT", "Apache-2.0")


def test_19_terms_of_a_vendor_are_contract_and_no_law() -> None:
    distilling = PROSE | {"purpose.kind": "distil", "purpose.competes": True}

    (finding,) = [
        item for item in answer(FABLE, distilling)["findings"] if item["id"] == "LIC-02"
    ]

    assert (finding["effect"], finding["status"]) == ("deny", "contractual")


def test_20_no_rule_reads_a_signature_as_more_than_it_is() -> None:
    # It says who signed these bytes: neither lineage nor licence nor a pin.
    rules = [text for _, text in sorted(bundle_of(SETTINGS).modules.items())]

    assert [text for text in rules if ".signature" in text] == []


def test_22_a_licence_for_one_law_clears_no_other() -> None:
    licence = {
        "id": "D1",
        "authority": "BIS",
        "operators": ["zhipu-bigmodel"],
        "expires": "2027-01-01T00:00:00Z",
    }
    cleared = CODE | {"tenant.licences": [licence]}
    sent = cleared | {
        "data.classes": ["source_code", "pii"],
        "data.subjects": ["DE"],
        "exporter.article_3": "targeting",
    }

    assert objections("glm-5.2@open.bigmodel.cn", cleared) == {}
    assert objections("glm-5.2@open.bigmodel.cn", sent)["GDPR-01"] == "deny"


def test_22_each_objection_says_why_by_what_and_as_of_when() -> None:
    (finding,) = [
        item
        for item in answer("glm-5.2@open.bigmodel.cn", CODE)["findings"]
        if item["effect"] == "deny"
    ]

    assert finding["facts"]["lists.bis-entity-list.as_of"] == "2026-06-18"
    assert finding["remedy"]


def test_24_a_fine_tune_on_controlled_data_is_not_published() -> None:
    tuning = RTL | {
        "purpose.kind": "fine_tune",
        "purpose.beneficiary_headquarters": "US",
    }

    assert objections("kimi-k2@lab", RTL) == {}
    assert objections("kimi-k2@lab", tuning) == {"EAR-10": "require_approval"}


@pytest.mark.parametrize("facts", [CODE, RTL, US, records(100_001)])
def test_25_no_message_claims_what_is_legal(facts: dict[str, Any]) -> None:
    for to in ("glm-5.2@open.bigmodel.cn", "glm-5.2@lion", "glm-5.2@ascend"):
        for item in answer(to, facts, at="2026-11-23T12:00:00Z")["findings"]:
            assert "legal" not in item["msg"].replace("legal entity", "").lower()
