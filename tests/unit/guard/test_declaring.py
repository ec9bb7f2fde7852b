"""What a denial tells people to write is what makes the fact known."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from policyguard.guard.declaring import (
    _FORMS,
    _ORGANISATION,
    _PAPERS,
    _TENANT,
    can_be_declared,
    declarations,
)
from policyguard.guard.facts import Facts, facts_of
from policyguard.settings import Settings
from policyguard.vocabulary.call import ModelCall, Tenant

AT = datetime(2026, 11, 24, tzinfo=UTC)


class Binding:
    """Stands for a guard, and keeps what was bound."""

    def bind(self, **groups: Any) -> Facts:
        return facts_of(**groups)


def call(**declared: Any) -> ModelCall:
    facts = facts_of(**declared)
    groups = {item.name: getattr(facts, item.name) for item in fields(facts)}
    # Who the data is about is in no question.
    known = {
        name: value
        for name, value in groups.items()
        if value is not None and name != "persons"
    }
    return ModelCall(at=AT, tenant=Tenant(id="acme"), **known)


def pasted(lines: list[str]) -> Facts:
    names: dict[str, Any] = {"guard": Binding()}
    exec("\n".join(lines), names)
    bound = names["guard"]
    assert isinstance(bound, Facts)
    return bound


def known(facts: Facts, name: str) -> object:
    value: object = facts
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", sorted(_FORMS))
def test_what_is_shown_for_a_fact_makes_it_known(name: str) -> None:
    given = {"caller": "alice", "purpose": "train"} if "." in name else {}

    facts = pasted(declarations([name], call=call(**given)))

    assert known(facts, name) is not None


def test_facts_of_one_group_are_declared_together_with_those_that_are_known() -> None:
    asked = call(data={"classes": ["source_code"], "ear": {"us_origin": True}})

    lines = declarations(["data.ear.classification", "data.subjects"], call=asked)

    assert pasted(lines) == facts_of(
        data={
            "classes": ["source_code"],
            "subjects": ["DE"],
            "ear": {"us_origin": True, "classification": "EAR99"},
        }
    )


def test_the_callers_id_is_not_repeated() -> None:
    asked = call(caller={"id": "alice@acme.example", "citizenships": ["FR"]})

    lines = declarations(["caller.person_status"], call=asked)

    assert "alice" not in "\n".join(lines)
    assert known(pasted(lines), "caller.citizenships") == ("FR",)


def test_three_facts_that_every_decision_needs_are_one_call_to_paste() -> None:
    lines = declarations(["purpose", "caller", "data.classes"], call=call())

    assert [line for line in lines if not line.lstrip().startswith("#")] == [
        "guard = guard.bind(",
        '    caller="alice@example.com",',
        '    data={"classes": ["none"]},',
        '    purpose="inference",',
        ")  # lost in a thread? what is bound goes along, a context block does not",
    ]


@pytest.mark.parametrize("name", ["tenant.contracts", *sorted(_PAPERS)])
def test_what_is_shown_for_a_contract_is_a_settings_file(name: str) -> None:
    lines = declarations([name], call=call(), operators=["zhipu-bigmodel"])

    settings = Settings.model_validate(tomllib.loads("\n".join(lines)))

    (contract,) = settings.tenant.contracts or ()
    field = "transfer_tool" if name == "tenant.contracts" else name.partition(".")[2]
    value: object = contract
    for part in field.split("."):
        value = getattr(value, part)
    assert contract.operator == "zhipu-bigmodel"
    assert value is not None


@pytest.mark.parametrize("name", sorted(_TENANT))
def test_what_is_shown_for_the_tenant_is_a_settings_file(name: str) -> None:
    lines = declarations([name, "contract.dpa"], call=call(), operators=["scaleway"])

    settings = Settings.model_validate(tomllib.loads("\n".join(lines)))

    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    assert value is not None
    assert len(settings.tenant.contracts or ()) == 1


@pytest.mark.parametrize("name", sorted(_ORGANISATION))
def test_what_is_shown_for_ones_own_company_is_a_settings_file(name: str) -> None:
    lines = declarations([name], call=call())

    settings = Settings.model_validate(tomllib.loads("\n".join(lines)))

    own = settings.tenant.organisation
    assert own is not None
    assert getattr(own, name.rpartition(".")[2]) is not None


def test_all_that_belongs_to_the_tenant_is_one_settings_file() -> None:
    missing = [*_TENANT, *_ORGANISATION, *_PAPERS]
    lines = declarations(missing, call=call(), operators=["scaleway"])

    tenant = Settings.model_validate(tomllib.loads("\n".join(lines))).tenant

    assert lines.count("[tenant]") == 1
    assert tenant.product is not None
    assert tenant.organisation is not None
    assert len(tenant.contracts or ()) == 1


def test_a_caller_who_acts_for_another_company_is_told_where_that_is_said() -> None:
    acting = call(caller={"id": "a", "organisation": {"name": "Other GmbH"}})

    (first, *_) = declarations(["caller.organisation.listed"], call=acting)

    assert first.startswith("# of whom this caller acts for, in caller=")


def test_a_fact_that_belongs_to_the_catalog_is_not_declared_with_a_call() -> None:
    assert not can_be_declared("deployment.processing_scope")
    assert declarations(["deployment.processing_scope"], call=call()) == []
