"""Obligations: done by the guard, shown to be done, or the call is not made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from guards import FR, MESSAGES, SUMMER, TICKETS
from integration.loopback import Loopback, remembered
from integration.test_own_policy import with_rules
from unit.bundle.test_additions import HEAD

from policyguard import Guard, NoDecision, Settings, denial_of
from policyguard.settings import ObligationSettings, TenantSettings
from policyguard.vocabulary.call import Product


def obliging(kind: str, properties: dict[str, Any], *, model: str = "glm-5.2") -> str:
    duty = json.dumps({"type": kind, "properties": properties})
    return (
        HEAD
        + f"""findings contains {{
	"id": "ACME-01",
	"effect": "oblige",
	"msg": "something has to be done",
	"facts": {{}},
	"missing": [],
	"remedy": "",
	"obligation": {duty},
}} if input.model.id == "{model}"
"""
    )


def settings(folder: Path, text: str, **tenant: Any) -> Settings:
    known = with_rules(folder, text)
    changed = known.tenant.model_dump() | tenant
    return known.model_copy(update={"tenant": TenantSettings.model_validate(changed)})


@pytest.fixture
def loopback():
    with Loopback() as made:
        yield made


@pytest.fixture
def client(loopback: Loopback):
    http = loopback.client(httpx2)
    with openai.OpenAI(
        base_url=FR, api_key="none", max_retries=0, http_client=http
    ) as made:
        yield made


def call(guard: Guard, client: Any, **more: Any) -> Any:
    return guard.bind(**TICKETS).call(
        client.chat.completions.create, model="glm-5.2", messages=MESSAGES, **more
    )


def sent(loopback: Loopback) -> list[Any]:
    return [json.loads(body) for body in loopback.bodies]


def test_the_wrapper_sets_where_inference_happens(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    text = obliging("set_inference_geo", {"geo": "eu"})
    with Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard:
        guard.protect(client)

        call(guard, client)
        call(guard, client, extra_body={"top_k": 1})
        call(guard, client, extra_body={"inference_geo": "eu"})

        records = [item for item in remembered(guard) if item["kind"] == "decision"]
        assert [item["verdict"] for item in records] == ["allow"] * 3
        assert "set_inference_geo" in records[0]["obligations"]
    bodies = sent(loopback)
    assert [body["inference_geo"] for body in bodies] == ["eu"] * 3
    assert bodies[1]["top_k"] == 1


def test_another_place_than_the_obliged_one_is_refused(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    text = obliging("set_inference_geo", {"geo": "eu"})
    with (
        Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard,
        pytest.raises(NoDecision, match=r"obligation\.undischarged"),
    ):
        call(guard, client, extra_body={"inference_geo": "us"})

    assert loopback.bodies == []


def test_a_transport_changes_nothing_and_refuses_what_lacks_it(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    text = obliging("set_inference_geo", {"geo": "eu"})
    with Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard:
        bound = guard.bind(**TICKETS)
        bound.protect(client)
        create = client.chat.completions.create

        with pytest.raises(openai.PermissionDeniedError) as caught:
            create(model="glm-5.2", messages=MESSAGES)
        create(model="glm-5.2", messages=MESSAGES, extra_body={"inference_geo": "eu"})

        decision = denial_of(caught.value)
        assert decision is not None
        assert decision.code == "obligation.undischarged"
    assert [body["inference_geo"] for body in sent(loopback)] == ["eu"]


def test_a_body_that_lost_it_on_the_way_is_refused(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    text = obliging("set_inference_geo", {"geo": "eu"})
    http = client._client
    send = http.send

    def losing(request: Any, **more: Any) -> Any:
        document = json.loads(request.content)
        document.pop("inference_geo", None)
        changed = http.build_request(request.method, request.url, json=document)
        return send(changed, **more)

    with Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard:
        guard.protect(client)
        http.send = losing
        with pytest.raises(NoDecision, match="cannot discharge `set_inference_geo`"):
            call(guard, client)

    assert loopback.bodies == []


def test_the_body_of_the_anthropic_sdk_is_read_where_it_is_sent(
    tmp_path: Path, loopback: Loopback
) -> None:
    text = obliging("set_inference_geo", {"geo": "us"}, model="claude-fable-5")
    client = anthropic.Anthropic(
        api_key="none", max_retries=0, http_client=loopback.client(httpx2)
    )
    facts = {
        "caller": {
            "id": "canary-alice@acme.example",
            "person_status": "us_citizen",
            "location": "US",
            "organisation": {
                "name": "ACME",
                "country": "US",
                "headquarters": "US",
                "owners": [],
                "listed": [],
                "annexes": [],
            },
        },
        "data": {"classes": ["none"], "ear": {"classification": "not_technology"}},
        "purpose": "inference",
        "exporter": "US",
        "context": TICKETS["context"],
    }
    message: Any = {"role": "user", "content": "canary-prompt"}

    def ask(**more: Any) -> None:
        client.messages.with_raw_response.create(
            model="claude-fable-5", max_tokens=1, messages=[message], **more
        )

    with (
        client,
        Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard,
    ):
        guard.bind(**facts).protect(client._client)
        for geo in ({}, {"inference_geo": "global"}):
            with pytest.raises(anthropic.PermissionDeniedError):
                ask(**geo)
        ask(inference_geo="us")

    assert [body["inference_geo"] for body in sent(loopback)] == ["us"]


@pytest.mark.parametrize(
    ("duty", "code"),
    [
        (("water_the_plants", {}), "obligation.unknown"),
        (("record_processing", {"until": "ever"}), "obligation.undischarged"),
        (("set_inference_geo", {}), "obligation.undischarged"),
        (("set_inference_geo", {"geo": "eu", "only": True}), "obligation.undischarged"),
        (("cap_retention", {"days": 30}), "obligation.undischarged"),
        (("cap_retention", {"days": "30"}), "obligation.undischarged"),
        (("display_name", {"name": "Kimi K2"}), "obligation.undischarged"),
        (("notify", {"about": "a call"}), "obligation.undischarged"),
    ],
)
def test_what_cannot_be_done_is_no_permission(
    tmp_path: Path,
    loopback: Loopback,
    client: Any,
    duty: tuple[str, dict[str, Any]],
    code: str,
) -> None:
    text = obliging(*duty)
    with Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as guard:
        with pytest.raises(NoDecision) as caught:
            call(guard, client)
        (record,) = remembered(guard)

    assert caught.value.decision.code == code
    assert (record["verdict"], record["code"]) == ("deny", code)
    assert loopback.bodies == []


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("record_processing", {"article": "15 CFR part 762", "years": 5}),
        ("record_keeping", {"years": 10}),
        ("cap_retention", {"days": 30}),
        ("display_name", {"name": "Kimi K2"}),
    ],
)
def test_what_is_done_already_is_discharged(
    tmp_path: Path, client: Any, kind: str, properties: dict[str, Any]
) -> None:
    tenant = {
        "product": Product(attributions=("Kimi K2",)).model_dump(),
        "contracts": [
            {
                "operator": "scaleway",
                "dpa": True,
                "transfer_tool": "none",
                "training": False,
                "retention_days": 30,
                "remote_access_countries": ["FR"],
                "sub_processors": True,
            }
        ],
    }
    known = settings(tmp_path, obliging(kind, properties), **tenant)
    with Guard(settings=known, clock=lambda: SUMMER) as guard:
        call(guard, client)

        record = remembered(guard)[0]
        assert record["verdict"] == "allow"
        assert kind in record["obligations"]


def test_a_call_that_asks_to_be_stored_has_no_capped_retention(
    tmp_path: Path, client: Any
) -> None:
    contract = {
        "operator": "scaleway",
        "dpa": True,
        "transfer_tool": "none",
        "training": False,
        "retention_days": 0,
        "remote_access_countries": ["FR"],
        "sub_processors": True,
    }
    known = settings(
        tmp_path, obliging("cap_retention", {"days": 0}), contracts=[contract]
    )
    with Guard(settings=known, clock=lambda: SUMMER) as guard:
        call(guard, client)
        call(guard, client, store=False)
        with pytest.raises(NoDecision, match="cap_retention"):
            call(guard, client, store=True)


def test_somebody_is_told_before_the_call_and_without_personal_data(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    file = tmp_path / "notices.jsonl"
    known = settings(tmp_path, obliging("notify", {"about": "data leaves"})).model_copy(
        update={"obligations": ObligationSettings(notify=file)}
    )
    with Guard(settings=known, clock=lambda: SUMMER) as guard:
        guard.protect(client)
        call(guard, client)
        decision = remembered(guard)[0]

    (notice,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (notice["decision"], notice["rule"]) == (decision["id"], "ACME-01")
    assert notice["about"] == "data leaves"
    assert "canary" not in file.read_text()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert len(loopback.bodies) == 1


def test_nobody_could_be_told_so_nothing_is_sent(
    tmp_path: Path, loopback: Loopback, client: Any
) -> None:
    known = settings(tmp_path, obliging("notify", {"about": "it"})).model_copy(
        update={"obligations": ObligationSettings(notify=tmp_path / "none/notices")}
    )
    with (
        Guard(settings=known, clock=lambda: SUMMER) as guard,
        pytest.raises(NoDecision, match="cannot write the notice"),
    ):
        call(guard, client)

    assert loopback.bodies == []
