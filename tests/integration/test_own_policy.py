"""A guard under rules of a tenant's own and signed overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import BOB, approve_all, line
from call_space import CallSpace
from guards import CN, FR, MESSAGES, TICKETS, settings
from integration.loopback import remembered
from offline import Upstream
from opa import catalog_archive, opa_server
from unit.bundle.test_additions import FILES, PATH, RULE

from policyguard import ApprovalRequired, Guard, PolicyDenied, Settings
from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.assembly_authority import overriding_of
from policyguard.bundle.additions import tenant_digest
from policyguard.bundle.archive import pack
from policyguard.bundle.opening import built_files
from policyguard.canonical import canonical_bytes
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import (
    AuthorityError,
    BundleError,
    ConfigurationError,
    EngineLoadError,
)
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


def test_opa_serves_rules_and_overrides_as_the_embedded_engine_does(
    tmp_path: Path,
) -> None:
    rules = with_rules(tmp_path)
    known = with_override(tmp_path).model_copy(update={"bundle": rules.bundle})
    bundle, catalog = bundle_of(known), catalog_of(known)
    policy = policy_set(bundle=bundle, catalog=catalog)
    archives = [tmp_path / "bundle.tar.gz", tmp_path / "catalog.tar.gz"]
    archives[0].write_bytes(pack(built_files(bundle.files, name="in force")))
    archives[1].write_bytes(catalog_archive(catalog))
    space = CallSpace(catalog, seed=48)
    drawn = [{**space.typed(), "model": "kimi-k2"} for _ in range(20)]
    overridden = [
        {**vector.input, "at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
        for vector in policy.golden
    ]
    found: set[str] = set()
    with opa_server(tmp_path, archives=archives) as url:
        remote = OpaEngine(OpaServer(url=url, deadline=20.0))
        there, here = remote.load(policy), RegorusEngine().load(policy)
        for question in map(canonical_bytes, [*drawn, *overridden]):
            answer: Any = here.evaluate(question)
            assert there.evaluate(question) == answer, question
            found |= {item["id"] for item in answer["findings"]}
            found |= {
                softened["by"]
                for item in answer["findings"]
                for softened in item.get("softened", ())
            }
        remote.close()
        asking = EngineSettings(name="opa", url=url, deadline_ms=20_000)
        with (
            Guard(settings=known.model_copy(update={"engine": asking})) as guard,
            pytest.raises(ApprovalRequired, match=r"softened +from deny by override"),
        ):
            call(guard, Upstream().client(CN))

    assert {"ACME-01", "override"} <= found


def test_an_opa_without_the_rules_is_noticed_at_the_start(tmp_path: Path) -> None:
    with opa_server(tmp_path) as url:
        engine = EngineSettings(name="opa", url=url, deadline_ms=20_000)
        known = with_rules(tmp_path).model_copy(update={"engine": engine})

        with pytest.raises(EngineLoadError, match=r"\[engine.skew\]"):
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
