"""Routes: which deployment is chosen, what is asked again, what is remembered of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, MESSAGES, NOWHERE, SUMMER, TICKETS, guard_in, settings
from integration.loopback import Since
from offline import Upstream

from policyguard import Guard, NoDecision, PolicyDenied
from policyguard.audit.reader import TrailReader
from policyguard.canonical import parse_json
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.guard.messages import caller_view
from policyguard.guard.policy import PolicyInUse

ANTHROPIC = "https://api.anthropic.com/v1"
US = "https://inference.baseten.co/v1"
BLOG: dict[str, Any] = {
    "caller": {
        "id": "somebody",
        "person_status": "foreign",
        "location": "FR",
        "organisation": {
            "name": "ACME",
            "country": "FR",
            "headquarters": "FR",
            "owners": [],
            "listed": [],
            "annexes": [],
        },
    },
    "purpose": {"kind": "inference", "competes": False},
    "context": {"dod_contract": False, "state_body": "none"},
    "exporter": {"establishment": "FR", "article_3": "establishment"},
    "data": {
        "classes": ["public"],
        "subjects": [],
        "ear": {"classification": "not_technology", "us_origin": False},
        "itar": False,
    },
}
"""Public text, which Fable 5 may see whenever it is not switched off."""


@pytest.fixture
def guard(shared: Guard) -> Guard:
    return shared


def vaulted(guard: Guard) -> list[dict[str, Any]]:
    """Return what the vault holds of each decision, oldest first."""
    guard.core.trail.flush()
    (log,) = TrailReader.open(guard.trail_directory).logs
    found = []
    for entry in log.entries():
        sealed = log.content(entry.record().id)
        if sealed is not None:
            found.append(parse_json(sealed.body))
    return found  # type: ignore[return-value]


def ask(guard: Guard, client: Any, **more: Any) -> Any:
    return guard.call(
        client.chat.completions.create,
        **{"model": "glm-5.2", "messages": MESSAGES, **more},
    )


def test_the_cheapest_permitted_host_of_the_model_is_the_route(guard: Guard) -> None:
    route = guard.bind(**TICKETS).route("glm-5.2")

    assert route.to is not None
    assert (route.to.deployment, route.to.microusd) == (
        "glm-5.2@api.scaleway.ai",
        7_300_000,
    )
    # Three are cheaper at one price: they were asked in the order of their ids.
    assert [(item.deployment, item.verdict) for item in route.decision.rejected] == [
        ("glm-5.2@api.z.ai", "deny"),
        ("glm-5.2@inference.baseten.co", "deny"),
        ("glm-5.2@open.bigmodel.cn", "deny"),
    ]
    assert {"GDPR-01", "GDPR-04"} <= set(route.decision.rejected[0].rules)


def test_a_route_leaves_one_record_with_the_rejected_in_its_vault(
    guard: Guard, trail: Since
) -> None:
    route = guard.bind(**TICKETS).route("glm-5.2")

    (leaf,) = trail.records
    content = vaulted(guard)[-1]
    assert (leaf["id"], leaf["kind"], leaf["verdict"], leaf["deployments"]) == (
        route.decision.id,
        "check",
        "allow",
        ["glm-5.2@api.scaleway.ai"],
    )
    assert "rejected" not in leaf
    assert content["rejected"] == [
        item.model_dump(mode="json") for item in route.decision.rejected
    ]


def test_where_nothing_is_permitted_there_is_no_route(
    guard: Guard, trail: Since
) -> None:
    route = guard.bind(**TICKETS).route("kimi-k2")

    (leaf,) = trail.records
    assert route.to is None
    assert not route.decision.allowed
    assert [item.deployment for item in route.decision.rejected] == [
        "kimi-k2@api.moonshot.ai",
        "kimi-k2@api.moonshot.cn",
        "kimi-k2@self-hosted",
    ]
    assert (leaf["verdict"], leaf["deployments"]) == (route.decision.verdict, [None])


def test_a_model_that_nobody_knows_has_no_route(guard: Guard) -> None:
    route = guard.bind(**TICKETS).route("no-such-model")

    assert (route.to, route.decision.verdict) == (None, "require_approval")


def test_other_models_are_taken_only_where_they_are_accepted(guard: Guard) -> None:
    blog = guard.bind(**BLOG)

    alone = blog.route("kimi-k2")
    accepted = blog.route("kimi-k2", models=["glm-5.2", "gpt-oss-120b"])
    cheapest = blog.route("kimi-k2", models="any")

    assert alone.to is None
    # The caller's order comes before the price.
    assert accepted.to is not None
    assert accepted.to.deployment == "glm-5.2@api.z.ai"
    assert cheapest.to is not None
    assert cheapest.to.deployment == "gpt-oss-120b@api.scaleway.ai"


def test_hosts_of_the_same_weights_come_before_cheaper_models(guard: Guard) -> None:
    route = guard.bind(**TICKETS).route("glm-5.2", models="any")

    assert route.to is not None
    assert route.to.model == "glm-5.2"


def test_a_rank_of_ones_own_orders_the_candidates(guard: Guard) -> None:
    blog = guard.bind(**BLOG)

    by_name = blog.route("claude-fable-5", rank=lambda item: item.deployment)
    backwards = blog.route(
        "claude-fable-5", rank=lambda item: [-ord(c) for c in item.deployment]
    )

    assert [by_name.to is not None, backwards.to is not None] == [True, True]
    assert by_name.to != backwards.to


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"models": ["no-such-model"]}, "no model `no-such-model`"),
        ({"models": "kimi-k2"}, "give a list of ids, or `any`"),
        ({"rank": "speed"}, "there is no rank `speed`"),
    ],
)
def test_what_cannot_be_ranked_is_said(
    guard: Guard, trail: Since, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        guard.bind(**TICKETS).route("glm-5.2", **given)

    assert trail.records == []


def test_alternatives_of_a_refusal_are_asked_without_a_record(
    guard: Guard, trail: Since
) -> None:
    with pytest.raises(PolicyDenied) as caught:
        ask(guard.bind(**TICKETS), Upstream().client(CN))
    before = trail.records

    same = guard.alternatives(caught.value.decision)
    wider = guard.alternatives(caught.value.decision, models="any")

    assert [item.deployment for item in same] == ["glm-5.2@api.scaleway.ai"]
    assert [item.deployment for item in wider] == [
        "glm-5.2@api.scaleway.ai",
        "gpt-oss-120b@api.scaleway.ai",
    ]
    assert trail.records == before


def test_a_refusal_names_the_cheapest_and_its_price_to_the_operator_alone(
    guard: Guard,
) -> None:
    with pytest.raises(PolicyDenied) as caught:
        ask(guard.bind(**TICKETS), Upstream().client(CN))

    decision = caught.value.decision
    said = "would pass   glm-5.2 at api.scaleway.ai (FR), $1.80 in, $5.50 out"
    assert said in str(caught.value)
    assert caller_view(decision)["permitted"] == [
        {
            "deployment": "glm-5.2@api.scaleway.ai",
            "model": "glm-5.2",
            "host": "api.scaleway.ai",
        }
    ]
    # Whom else rules object to, and why, is nothing that a caller may learn.
    assert "baseten" not in str(caller_view(decision))
    assert vaulted(guard)[-1]["rejected"] == [
        item.model_dump(mode="json") for item in decision.rejected
    ]


def test_an_allowed_call_asks_about_no_other_deployment(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        ask(guard.bind(**TICKETS), Upstream().client(FR))

    counts = guard.core.policies.newest.memo.use
    assert (counts.misses, counts.entries) == (1, 1)


def test_a_refused_call_moves_to_a_client_that_may_be_used(
    guard: Guard, trail: Since
) -> None:
    upstream = Upstream()
    support = guard.bind(
        **TICKETS,
        on_deny="reroute",
        clients=[upstream.client(NOWHERE), upstream.client(FR)],
    )

    reply = ask(support, upstream.client(CN))

    refused, decision, outcome = trail.records
    assert reply.choices[0].message.content == "hello"
    assert upstream.hosts == ["api.scaleway.ai"]
    assert [refused["verdict"], decision["verdict"]] == ["deny", "allow"]
    assert refused["call_id"] == decision["call_id"] == outcome["call_id"]
    assert (outcome["decision"], outcome["outcome"]) == (decision["id"], "complete")


def test_an_asynchronous_call_moves_to_an_asynchronous_client(guard: Guard) -> None:
    upstream = Upstream()
    support = guard.bind(
        **TICKETS,
        on_deny="reroute",
        clients=[upstream.client(FR), upstream.aclient(FR)],
    )

    reply = asyncio.run(
        support.acall(
            upstream.aclient(CN).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
    )

    assert reply.choices[0].message.content == "hello"
    assert upstream.hosts == ["api.scaleway.ai"]


@pytest.mark.parametrize(
    ("model", "host", "name"),
    [
        ("gpt-oss-120b", "api.scaleway.ai", b"gpt-oss-120b"),
        ("glm-5.2", "inference.baseten.co", b"zai-org/GLM-5.2"),
    ],
)
def test_a_moved_call_asks_for_the_model_by_the_name_it_has_there(
    tmp_path: Path, model: str, host: str, name: bytes
) -> None:
    upstream = Upstream()
    with guard_in(tmp_path, at=datetime(2026, 6, 15, 12, tzinfo=UTC)) as guard:
        moving = guard.bind(
            **BLOG,
            on_deny="reroute",
            clients=[upstream.client(f"https://{host}/v1")],
            models=[model],
        )
        ask(moving, upstream.client(ANTHROPIC), model="claude-fable-5")

    assert upstream.hosts == [host]
    assert b'"model":"' + name + b'"' in upstream.bodies[0]


@pytest.mark.parametrize(
    "own",
    [
        {"extra_headers": {"authorization": "Bearer canary-key"}},
        {"extra_query": {"key": "canary-key"}},
        {"extra_body": {"provider": {"key": "canary-key"}}},
    ],
    ids=lambda own: next(iter(own)),
)
def test_a_call_with_what_belongs_to_one_client_moves_nowhere(
    guard: Guard, own: dict[str, Any]
) -> None:
    upstream = Upstream()
    support = guard.bind(**TICKETS, on_deny="reroute", clients=[upstream.client(FR)])

    with pytest.raises(PolicyDenied, match="GDPR-01"):
        ask(support, upstream.client(CN), **own)

    assert upstream.hosts == []


def test_a_wrapped_method_moves_nowhere(guard: Guard) -> None:
    upstream = Upstream()
    support = guard.bind(**TICKETS, on_deny="reroute", clients=[upstream.client(FR)])
    raw = upstream.client(CN).chat.completions.with_raw_response.create

    with pytest.raises(PolicyDenied, match="GDPR-01"):
        support.call(raw, model="glm-5.2", messages=MESSAGES)

    assert upstream.hosts == []


def test_without_a_client_for_it_the_refusal_says_so(guard: Guard) -> None:
    upstream = Upstream()
    support = guard.bind(**TICKETS, on_deny="reroute", clients=[upstream.client(US)])

    with pytest.raises(PolicyDenied) as caught:
        ask(support, upstream.client(CN))

    assert caught.value.__notes__ == ["no client was given for glm-5.2@api.scaleway.ai"]
    assert upstream.hosts == []


class Broken:
    """Is a snapshot whose engine fails."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def evaluate(self, input_json: bytes) -> Any:
        raise EvaluationError("it broke", code="engine.panic")


def test_a_failed_engine_gives_no_route_and_moves_nothing(tmp_path: Path) -> None:
    upstream = Upstream()
    with guard_in(tmp_path) as whole:
        policy = whole.core.policies.newest
        snapshot: Any = Broken(policy.snapshot)
        broken = PolicyInUse(replace(policy, snapshot=snapshot))
        guard = Guard.of_core(replace(whole.core, policies=broken))
        support = guard.bind(
            **TICKETS, on_deny="reroute", clients=[upstream.client(FR)]
        )
        route = support.route("glm-5.2")
        with pytest.raises(NoDecision, match=r"engine\.panic"):
            ask(support, upstream.client(CN))

    assert (route.to, route.decision.code) == (None, "engine.panic")
    assert {item.code for item in route.decision.rejected} == {"engine.panic"}
    assert upstream.hosts == []


def test_a_route_without_a_durable_record_is_none(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        pass

    route = guard.bind(**TICKETS).route("glm-5.2")

    assert (route.to, route.decision.code) == (None, "trail.not_durable")


def test_what_is_withdrawn_after_the_route_is_not_called(tmp_path: Path) -> None:
    upstream = Upstream()
    now = [datetime(2026, 6, 12, 21, 20, tzinfo=UTC)]
    with Guard(settings=settings(tmp_path), clock=lambda: now[0]) as guard:
        route = guard.bind(**BLOG).route("claude-fable-5")
        now[0] = datetime(2026, 6, 12, 21, 22, tzinfo=UTC)
        with pytest.raises(PolicyDenied) as caught:
            ask(guard.bind(**BLOG), upstream.client(ANTHROPIC), model="claude-fable-5")

    assert route.to is not None
    assert route.to.deployment == "claude-fable-5@api.anthropic.com"
    assert "EAR-07" in str(caught.value)
    assert upstream.hosts == []


def test_a_call_moves_on_where_the_first_place_is_withdrawn_on_the_way(
    tmp_path: Path,
) -> None:
    upstream = Upstream()
    before, after = (datetime(2026, 6, 12, 21, n, tzinfo=UTC) for n in (20, 22))
    trails: list[Since] = []

    def clock() -> datetime:
        # Fable 5 is withdrawn once the refusal is recorded, before the call moves.
        return after if any(trail.records for trail in trails) else before

    with Guard(settings=settings(tmp_path), clock=clock) as guard:
        trails.append(Since(guard))
        moving = guard.bind(
            **BLOG,
            on_deny="reroute",
            clients=[upstream.client(ANTHROPIC), upstream.client(FR)],
            models=("glm-5.2",),
        )
        ask(moving, upstream.client(NOWHERE), model="claude-fable-5")
        verdicts = trails[0].verdicts

    assert verdicts == ["require_approval", "deny", "allow"]
    assert upstream.hosts == ["api.scaleway.ai"]


def test_observing_makes_the_call_where_it_was_asked(tmp_path: Path) -> None:
    upstream = Upstream()
    with guard_in(tmp_path, mode="observe") as guard:
        support = guard.bind(
            **TICKETS, on_deny="reroute", clients=[upstream.client(FR)]
        )
        ask(support, upstream.client(CN))
        route = support.route("glm-5.2")
        nowhere = support.route("kimi-k2")

    # Observing changes no call; what rules object to is no route all the same.
    assert upstream.hosts == ["open.bigmodel.cn"]
    assert route.to is not None
    assert route.to.deployment == "glm-5.2@api.scaleway.ai"
    assert nowhere.to is None


def test_many_threads_find_the_same_route_and_leave_a_record_each(
    guard: Guard,
    trail: Since,
) -> None:
    support = guard.bind(**TICKETS)
    with ThreadPoolExecutor(8) as pool:
        routes = list(pool.map(support.route, ["glm-5.2"] * 32))

    records = trail.records
    assert {item.to.deployment for item in routes if item.to} == {
        "glm-5.2@api.scaleway.ai"
    }
    assert {item["id"] for item in records} == {item.decision.id for item in routes}
    assert len(records) == len(routes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on_deny": "reroute"}, "no client to move to"),
        ({"on_deny": "retry"}, "give `raise` or `reroute`"),
        ({"clients": [object()]}, 'give `on_deny="reroute"` too'),
    ],
)
def test_a_detour_that_makes_no_sense_is_refused(
    guard: Guard, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        guard.bind(**given)


def test_a_detour_is_kept_by_what_is_bound_from_it_and_can_be_taken_back(
    guard: Guard,
) -> None:
    upstream = Upstream()
    moving = guard.bind(on_deny="reroute", clients=[upstream.client(FR)])

    ask(moving.bind(**TICKETS), upstream.client(CN))
    with pytest.raises(PolicyDenied):
        ask(moving.bind(**TICKETS, on_deny="raise"), upstream.client(CN))

    assert upstream.hosts == ["api.scaleway.ai"]


def test_the_clock_of_alternatives_is_the_decisions_own(tmp_path: Path) -> None:
    with Guard(settings=settings(tmp_path), clock=lambda: SUMMER) as guard:
        route = guard.bind(**TICKETS).route("glm-5.2")
        old = route.decision.call.model_copy(
            update={"at": datetime(2026, 7, 9, tzinfo=UTC)}
        )
        decision = guard.check(old)

        assert guard.alternatives(decision) == ()
        assert decision.call.at == datetime(2026, 7, 9, tzinfo=UTC)
