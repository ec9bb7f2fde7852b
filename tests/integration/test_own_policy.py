"""A guard under rules of a tenant's own and signed overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import BOB, approve_all, line
from guards import CN, FR, MESSAGES, TICKETS, settings
from integration.loopback import remembered
from offline import Upstream
from unit.bundle.test_additions import FILES, PATH, RULE

from policyguard import ApprovalRequired, Guard, PolicyDenied, Settings
from policyguard.assembly import bundle_of
from policyguard.assembly_authority import overriding_of
from policyguard.bundle.additions import tenant_digest
from policyguard.errors import AuthorityError, BundleError, ConfigurationError
from policyguard.identity import new_id
from policyguard.settings import AuthoritySettings, BundleSettings, EngineSettings
from policyguard.vocabulary.call import Contract
from policyguard.vocabulary.override import Override

NOW = datetime.now(UTC).replace(microsecond=0)


def with_rules(folder: Path, text: str = RULE, **more: Any) -> Settings:
    place = folder / "rules"
    for name, data in {**FILES, PATH: text.encode()}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    trusted = tenant_digest({**FILES, PATH: text.encode()})
    known = BundleSettings(**{"tenant": place, "tenant_digest": trusted, **more})
    return settings(folder).model_copy(update={"bundle": known})


def with_override(folder: Path, **changes: Any) -> Settings:
    people = folder / "people"
    people.write_text(line(BOB, role="overrider") + line(BOB))
    # All that a processor has to sign, and nothing that would carry a transfer.
    signed = Contract(
        operator="zhipu-bigmodel",
        dpa=True,
        transfer_tool="none",
        training=False,
        retention_days=0,
        remote_access_countries=(),
        sub_processors=True,
    )
    bare = settings(folder, contracts=(signed,)).model_copy(
        update={"authority": AuthoritySettings(people=people)}
    )
    fields: dict[str, Any] = {
        "id": new_id(),
        "rule": "GDPR-01",
        "tenant": "acme",
        "to": "require_approval",
        "since": NOW - timedelta(hours=1),
        "until": NOW + timedelta(hours=1),
        "author": BOB.key_name,
        "reason": "assessment under way",
    }
    override = Override.model_validate({**fields, **changes})
    note = overriding_of(bare, bundle=bundle_of(bare)).sign(
        override, signer=BOB, now=override.since
    )
    file = folder / "softer.note"
    file.write_text(note)
    authority = AuthoritySettings(people=people, overrides=(file,))
    return bare.model_copy(update={"authority": authority})


def call(guard: Guard, client: Any, model: str = "glm-5.2") -> Any:
    return guard.bind(**TICKETS).call(
        client.chat.completions.create, model=model, messages=MESSAGES
    )


def test_a_rule_of_ones_own_denies_what_no_shipped_rule_does(tmp_path: Path) -> None:
    text = RULE.replace('"kimi-k2"', '"glm-5.2"')
    with Guard(settings=with_rules(tmp_path, text), clock=lambda: NOW) as guard:
        with pytest.raises(PolicyDenied, match="denied by ACME-01"):
            call(guard, Upstream().client(FR))

        (record,) = remembered(guard)
        assert record["bundle"]["digest"] == guard.core.bundle.digest


def test_a_rule_of_ones_own_clears_nothing(tmp_path: Path) -> None:
    text = RULE.replace('"deny"', '"advise"').replace('"kimi-k2"', '"glm-5.2"')
    with (
        Guard(settings=with_rules(tmp_path, text), clock=lambda: NOW) as guard,
        pytest.raises(PolicyDenied, match="denied by GDPR-01"),
    ):
        call(guard, Upstream().client(CN))


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"tenant_digest": None}, ConfigurationError, "tenant_digest = "),
        ({"tenant_digest": "ab" * 32}, BundleError, "trusted one is `abab"),
        ({"tenant": Path("nowhere")}, BundleError, "nowhere"),
    ],
)
def test_rules_that_nobody_trusts_stop_the_start(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Guard(settings=with_rules(tmp_path, **changes))


def test_additions_need_the_embedded_engine(tmp_path: Path) -> None:
    engine = EngineSettings(name="opa", url="http://127.0.0.1:9")
    known = with_rules(tmp_path).model_copy(update={"engine": engine})

    with pytest.raises(ConfigurationError, match="need the engine `regorus`"):
        Guard(settings=known)


def test_an_overridden_denial_asks_for_approval_and_says_why(tmp_path: Path) -> None:
    with Guard(settings=with_override(tmp_path), clock=lambda: NOW) as guard:
        client = Upstream().client(CN)
        with pytest.raises(ApprovalRequired, match=r"softened +from deny by override"):
            call(guard, client)

        (record,) = remembered(guard)
        (softened,) = [item["softened"] for item in record["rules"] if item["softened"]]
        assert [(item["by"], item["effect"]) for item in softened] == [
            ("override", "deny")
        ]


def test_an_overridden_denial_can_be_approved_and_both_are_recorded(
    tmp_path: Path,
) -> None:
    with Guard(settings=with_override(tmp_path), clock=lambda: NOW) as guard:
        client = Upstream().client(CN)
        with pytest.raises(ApprovalRequired) as caught:
            call(guard, client)
        approve_all(
            guard,
            caught.value.decision,
            since=NOW - timedelta(minutes=1),
            until=NOW + timedelta(minutes=1),
        )

        call(guard, client)

        record = [item for item in remembered(guard) if item["kind"] == "decision"][-1]
        (softened,) = [item["softened"] for item in record["rules"] if item["softened"]]
        assert [(item["by"], item["effect"]) for item in softened] == [
            ("override", "deny"),
            ("approval", "require_approval"),
        ]


@pytest.mark.parametrize("minutes", [-61, 60, 61])
def test_an_override_holds_between_its_ends_alone(tmp_path: Path, minutes: int) -> None:
    instant = NOW + timedelta(minutes=minutes)
    with (
        Guard(settings=with_override(tmp_path), clock=lambda: instant) as guard,
        pytest.raises(PolicyDenied),
    ):
        call(guard, Upstream().client(CN))


def test_an_override_that_has_ended_stops_the_start(tmp_path: Path) -> None:
    ended = {"since": NOW - timedelta(hours=2), "until": NOW - timedelta(hours=1)}

    with pytest.raises(AuthorityError, match="has ended"):
        Guard(settings=with_override(tmp_path, **ended))


def test_a_changed_override_stops_the_start(tmp_path: Path) -> None:
    known = with_override(tmp_path)
    file = tmp_path / "softer.note"
    file.write_text(file.read_text().replace("require_approval", "advise"))

    with pytest.raises(AuthorityError, match=r"softer\.note.*was changed"):
        Guard(settings=known)


def test_an_override_without_people_stops_the_start(tmp_path: Path) -> None:
    known = with_override(tmp_path)
    authority = known.authority.model_copy(update={"people": None})

    with pytest.raises(AuthorityError, match="no known key"):
        Guard(settings=known.model_copy(update={"authority": authority}))


def test_an_override_that_is_named_twice_stops_the_start(tmp_path: Path) -> None:
    known = with_override(tmp_path)
    twice = known.authority.model_copy(
        update={"overrides": known.authority.overrides * 2}
    )

    with pytest.raises(ConfigurationError, match="named twice"):
        Guard(settings=known.model_copy(update={"authority": twice}))
