"""The question: closed, frozen, and explicit about what is unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from policyguard.vocabulary.call import Contract, DataFacts, ModelCall, Tenant

MINIMAL: dict[str, Any] = {"at": "2026-07-10T12:00:00Z", "tenant": {"id": "acme"}}


def test_everything_that_nobody_declared_is_null_in_input() -> None:
    document = ModelCall.model_validate(MINIMAL).engine_input()

    assert document == {
        "at": "2026-07-10T12:00:00Z",
        "purpose": None,
        "context": {
            "dod_contract": None,
            "dod_tier": None,
            "gsa_schedule": None,
            "state_body": None,
            "eu_market": None,
            "weights_evidence": None,
        },
        "caller": None,
        "exporter": {
            "establishment": None,
            "article_3": None,
            "uk_article_3": None,
            "swiss_effect": None,
        },
        "tenant": {
            "id": "acme",
            "profile": "balanced",
            "residency_allowed": "anywhere",
            "zero_retention": False,
            "retention_max_days": None,
            "sectors": None,
            "assumed": [],
            "contracts": None,
            "licences": [],
            "product": {
                "monthly_active_users": None,
                "monthly_revenue_usd": None,
                "attributions": None,
                "users_at_release": None,
                "resells": None,
            },
            "organisation": None,
            "data_security": {"requirements": None, "certified": None, "audited": None},
        },
        "data": {
            "classes": None,
            "undeclared": None,
            "subjects": None,
            "anonymous_evidence": None,
            "citizenships": None,
            "persons": None,
            "employment": None,
            "collection_at_source": None,
            "direct_from_subject": False,
            "important_data": None,
            "china_exemption": None,
            "counts": dict.fromkeys(
                [
                    "genomic",
                    "omic",
                    "biometric",
                    "geolocation",
                    "health",
                    "financial",
                    "pii",
                ]
            ),
            "brokerage": None,
            "dsp_exemption": None,
            "ofac_exemption": None,
            "ear": {
                "classification": None,
                "us_origin": None,
                "evidence": None,
                "exception": None,
                "no_licence_countries": None,
            },
            "itar": None,
        },
        "rolling": {"us_twelve_months": None, "china_since_january": None},
        "approvals": [],
        "asked": {"model": None, "host": None, "opaque": False},
        "model": None,
        "route": [None],
    }


def test_the_callers_id_stays_out_of_input() -> None:
    call = ModelCall.model_validate({**MINIMAL, "caller": {"id": "canary"}})

    assert "canary" not in str(call.engine_input())
    assert call.engine_input()["caller"] == {
        "person_status": None,
        "citizenships": None,
        "latest_citizenship": None,
        "residence": None,
        "location": None,
        "subdivision": None,
        "organisation": None,
    }


def test_the_order_of_classes_is_no_fact() -> None:
    one = DataFacts(classes=("pii", "health", "pii"), subjects=("FR", "DE"))
    two = DataFacts(classes=("health", "pii"), subjects=("DE", "FR", "DE"))

    assert one == two
    assert one.classes == ("health", "pii")


def test_an_instant_is_kept_in_utc() -> None:
    given = {**MINIMAL, "at": "2026-07-10T14:00:00+02:00"}

    call = ModelCall.model_validate(given)

    assert call == ModelCall.model_validate_json(json.dumps(given), strict=True)
    assert call.at == datetime(2026, 7, 10, 12, tzinfo=UTC)
    assert call.at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    "at",
    [
        "2026-07-10T12:00:00",
        "2026-07-10",
        "1767225600",
        1767225600,
        1767225600.5,
        True,
        None,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "yesterday",
    ],
)
def test_what_is_no_instant_is_refused(at: object) -> None:
    with pytest.raises(ValidationError):
        ModelCall.model_validate({**MINIMAL, "at": at})


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"route": []},
        {"data": {"classes": []}},
        {"data": {"classes": ["secret"]}},
        {"data": {"subjects": ["Germany"]}},
        {"data": {"ear": {"classification": "ear99"}}},
        {"purpose": {"kind": "chat"}},
        {"purpose": {"kind": "inference", "competes": "maybe"}},
        {"caller": {"person_status": "foreign"}},
        {"caller": {"id": ""}},
        {"tenant": {"id": "Acme"}},
        {"tenant": {"id": "acme", "residency_allowed": "everywhere"}},
        {"exporter": {"establishment": "de"}},
        {"context": {"state_body": "Texas"}},
        {"model": "GLM 5.2"},
    ],
)
def test_what_the_vocabulary_does_not_know_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelCall.model_validate({**MINIMAL, **change})


def test_one_operator_has_one_contract() -> None:
    with pytest.raises(ValidationError, match="two contracts with one operator"):
        Tenant(
            id="acme",
            contracts=(Contract(operator="x"), Contract(operator="x", dpa=True)),
        )


def test_a_call_is_frozen() -> None:
    call = ModelCall.model_validate(MINIMAL)

    with pytest.raises(ValidationError, match="frozen"):
        call.model = "glm-5.2"
