"""What an expert would call naive about data, procurement and licences.

Each test states one mistake by what the naive rule would answer, and fails on it. The
scenarios have both sides of each boundary; here is why the boundary is where it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from policy.scenario_table import Scenario, with_facts
from policy.test_scenarios import all_scenarios, embedded

from policyguard.canonical import canonical_bytes
from policyguard.vocabulary.call import ModelCall


@cache
def told() -> dict[str, Scenario]:
    return {item.it: item for item in all_scenarios()}


def answer(it: str, **facts: Any) -> tuple[str, set[str]]:
    """Return the verdict on a scenario with facts replaced, and which rules object.

    Args:
        it: The scenario's sentence.
        facts: By dotted name, with `__` for the dots.
    """
    call = told()[it].call
    document = with_facts(
        call.model_dump(mode="json"),
        {name.replace("__", "."): value for name, value in facts.items()},
    )
    found: Any = embedded().evaluate(
        canonical_bytes(ModelCall.model_validate(document).engine_input())
    )
    objecting = {
        item["id"]
        for item in found["findings"]
        if item["effect"] in {"deny", "require_approval", "unavailable"}
    }
    return str(found["verdict"]), objecting


ORDINARY = "the ordinary call"
SINGAPORE = "a processing agreement is no transfer tool"
OHIO = "the United States without a certification are not adequate"


@pytest.mark.parametrize(
    ("mistake", "it", "expected"),
    [
        ("1: a Chinese model is denied", ORDINARY, "allow"),
        (
            "3: who is on no list is fine",
            SINGAPORE,
            "deny",
        ),
        (
            "4: a model's name decides",
            "GLM-5.2 for tickets of European customers at its developer",
            "deny",
        ),
        (
            "6: the region in the URL is where it runs",
            "the region in the URL is Frankfurt and the profile is global",
            "deny",
        ),
        (
            "6: eu-west-2 is in the Union",
            "London is not in the Union",
            "deny",
        ),
        (
            "6: where it is stored is where it is",
            "data in France that support staff in China can read is a transfer",
            "deny",
        ),
        (
            "7: the 1260H list is a list of sanctions",
            "a cloud on the 1260H list outside such a contract is told and barred by nothing",
            "allow",
        ),
        ("15: the United States are adequate", OHIO, "deny"),
        ("15: Brazil is not", "Brazil after the decision on it", "allow"),
        (
            "15: clauses do without an assessment",
            "clauses without an assessment are no basis yet",
            "require_approval",
        ),
        (
            "15: a derogation serves for routine",
            "a derogation suits no routine",
            "require_approval",
        ),
        ("15: a processing agreement is a transfer tool", SINGAPORE, "deny"),
        (
            "16: India has a list of what is allowed",
            "India restricts nothing that it has not listed",
            "allow",
        ),
        (
            "16: Russia bars every export",
            "what a database in Russia holds first may go abroad after notice",
            "allow",
        ),
        (
            "16: HIPAA keeps data in the United States",
            "a hospital's records in France with one, for HIPAA is no rule of residency",
            "allow",
        ),
        (
            "16: DORA keeps data in the Union",
            "a bank may go to Singapore, for DORA is no localisation",
            "allow",
        ),
        (
            "18: open weights ask nothing",
            (
                "a product of a hundred and sixty-seven million dollars on a model made"
                " from Kimi K2 (G17)"
            ),
            "deny",
        ),
        (
            "18: Llama's exclusion of the Union means its end users",
            "a company in the Union calls somebody's service of it",
            "allow",
        ),
        (
            "19: an accusation of distillation taints the weights",
            "an accusation of distillation against Moonshot is no defect of its weights",
            "allow",
        ),
        (
            "20: a branch is a pin",
            "weights of a branch can move",
            "require_approval",
        ),
        (
            "21: a draft is law",
            "a draft clause for schedules of the GSA advises",
            "allow",
        ),
    ],
)
def test_a_naive_rule_would_answer_otherwise(
    mistake: str, it: str, expected: str
) -> None:
    assert (mistake, answer(it)[0]) == (mistake, expected)


def test_the_developer_changes_no_rule_on_transfers_and_the_operator_does() -> None:
    # Mistake 5: the same model at two operators, and two models at the same one.
    verdict, rules = answer(ORDINARY, route=["glm-5.2@singapore"])
    other = answer(ORDINARY, model="gpt-oss-120b", route=["gpt-oss-120b@paris"])

    assert (verdict, rules) == ("deny", {"GDPR-01"})
    assert other == answer(ORDINARY) == ("allow", set())


def test_thresholds_of_licences_are_passed_by_more_and_those_of_china_by_as_much() -> (
    None
):
    # Mistake 14's cousin: "more than" and "from … on" are two operators.
    kimi = "exactly a hundred million users"
    china = "the hundred-thousandth person whose information leaves China"

    assert answer(kimi)[0] == "allow"
    assert answer(kimi, tenant__product__monthly_active_users=100_000_001)[0] == "deny"
    assert answer(china)[0] == "deny"
    assert answer(china, data__persons=0)[0] == "allow"


def test_a_third_of_the_computing_is_of_another_kind_than_ten_to_the_twenty_fifth() -> (
    None
):
    # Mistake 17: what makes a provider is a share of the original, and it only advises.
    share = "a fine-tune with more than a third does"

    assert answer(share, purpose__compute_share_bp=10_000) == ("allow", set())


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-06-29T23:59:59Z", "PROC-02"), ("2026-06-30T00:00:00Z", "PROC-02")],
)
def test_what_a_date_changes_is_a_status_and_no_logic(at: str, expected: str) -> None:
    # Mistake 10: the same finding before and after the day, with another effect.
    call = told()["the Department would contract with a cloud on the list"].call
    document = with_facts(call.model_dump(mode="json"), {"at": at})
    found: Any = embedded().evaluate(
        canonical_bytes(ModelCall.model_validate(document).engine_input())
    )
    (finding,) = [item for item in found["findings"] if item["id"] == expected]

    assert finding["effect"] == ("deny" if at >= "2026-06-30" else "advise")
    assert finding["verified"] is False


def test_no_regime_clears_what_another_objects_to() -> None:
    # Mistake 22: two laws, and a basis under one of them.
    both = "a German company that targets people in the UK is under both laws"
    idta = {"uk": "idta"}

    verdict, rules = answer(
        both,
        **{
            "tenant__contracts__singapore-host__local_tools": idta,
            "tenant__contracts__singapore-host__transfer_assessed": "2026-05-01T00:00:00Z",
        },
    )

    assert (verdict, rules) == ("deny", {"GDPR-01"})


def test_a_blocking_statute_sends_to_counsel_and_lifts_nothing() -> None:
    # Mistake 23.
    verdict, rules = answer(
        "an establishment in China would refuse a party that a list of the US names"
    )

    assert verdict == "deny"
    assert {"BLK-01", "EAR-01"} <= rules


def test_no_message_speaks_of_what_is_legal() -> None:
    # Mistake 25: what is found, which fact decided it, and what would change it.
    texts = [
        f"{item['msg']} {item['remedy']}".lower()
        for scenario in all_scenarios()
        for item in _findings(scenario)
    ]

    assert [text for text in texts if "illegal" in text or "lawful" in text] == []
    assert len(texts) > len(told())


def _findings(scenario: Scenario) -> list[dict[str, Any]]:
    found: Any = embedded().evaluate(canonical_bytes(scenario.call.engine_input()))
    return list(found["findings"])
