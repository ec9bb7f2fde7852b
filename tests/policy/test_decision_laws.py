"""Laws of whole decisions, on calls that the kit draws of the declared facts.

Asked is what a guard asks: the shipped bundle and catalog on the embedded engine, and the
whole answer. Each law takes a policy, so that it is shown to fail on one with a fault:
what its passing on the shipped one is worth.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from policy.test_rule_laws import OF_MODELS, ORDER, TRANSFER, seconds_in
from policy.test_swaps import OTHERS

from benchmarks.meant import MEANT
from policyguard.assembly import bundle_of, policy_set
from policyguard.assembly import catalog_of as catalog_for
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog, catalog_of
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import Settings
from policyguard.testing.changes import places, set_in
from policyguard.testing.instants import instant
from policyguard.testing.moves import derived_instants, instant_of
from policyguard.testing.policies import configured_policy
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.rule_table import OBJECTS
from policyguard.testing.strategies import calls
from policyguard.testing.trial import Trial

Call: TypeAlias = Any
Ask: TypeAlias = Callable[[Call], Any]
Law: TypeAlias = Callable[[PolicySet], None]
LISTED, CLEAN = "zhipu-bigmodel", "scaleway"
SINCE: Final = "2025-01-16T00:00:00Z"
"""From when on the listed operator is listed."""
FALLS_BACK: Final = {"tenant.contracts.training", "tenant.contracts.retention_days"}
"""Where a contract says nothing, what the vendor tells everybody counts."""
FACTS: Final = (
    "at", "model", "route", "purpose", "purpose.kind", "purpose.competes",
    "purpose.end_use", "caller", "caller.location", "caller.person_status",
    "caller.citizenships", "exporter.establishment", "exporter.article_3",
    "data.classes", "data.subjects", "data.itar", "data.ear.classification",
    "data.ear.us_origin", "data.ear.evidence", "data.ofac_exemption",
    "data.counts.pii", "data.brokerage", "context.dod_contract", "context.state_body",
    "tenant.profile", "tenant.residency_allowed", "tenant.zero_retention",
    "tenant.sectors", "tenant.contracts", "tenant.contracts.dpa",
    "tenant.contracts.transfer_tool", "tenant.contracts.remote_access_countries",
    "tenant.contracts.training", "tenant.contracts.transfer_assessed",
    "tenant.licences", "tenant.licences.authority", "tenant.licences.countries",
    "tenant.licences.expires", "tenant.product.resells", "tenant.organisation.owners",
)  # fmt: skip
"""Facts in which drawn calls differ from one to which nobody objects."""


ROUTED: Final = (
    "model", "route", "exporter.establishment", "data.classes", "data.subjects",
    "data.ear.classification", "data.ear.us_origin", "tenant.residency_allowed",
    "tenant.contracts", "tenant.contracts.transfer_tool",
)  # fmt: skip
"""Facts by which a hop is objected to or is not."""


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


@cache
def trial() -> Trial:
    return Trial(shipped())


@cache
def catalog() -> Catalog:
    return catalog_for(Settings())


def asking(policy: PolicySet) -> Ask:
    """Return what answers an `input` with the whole decision.

    A policy with a fault breaks golden vectors, so the embedded engine refuses to load
    it. It is asked of the interpreter alone: the laws have to find it by themselves.
    """
    if policy.modules == shipped().modules:
        snapshot = RegorusEngine().load(policy)
        return lambda call: snapshot.evaluate(canonical_bytes(call))
    engine = compile_modules(join_modules(policy.modules).modules)
    engine.add_data_json(canonical_bytes(policy.data).decode())

    def ask(call: Call) -> Any:
        engine.set_input_json(canonical_bytes(call).decode())
        text, message = answer_of(engine, policy.entrypoint)
        assert not message
        return json.loads(text)

    return ask


def with_catalog(policy: PolicySet, **sections: Any) -> PolicySet:
    """Return the same rules over a catalog of which some entries are others."""
    entries = catalog().entries.model_copy(update=sections)
    known = catalog_of(entries, version="swapped")
    swapped = policy_set(bundle=bundle_of(Settings()), catalog=known)
    return replace(swapped, modules=policy.modules)


def faulty(module: str, before: str, after: str) -> PolicySet:
    """Return the shipped policy with one text of one module replaced."""
    name = f"policyguard/{module}.rego"
    text = shipped().modules[name]
    assert text.count(before) == 1
    changed = text.replace(before, after)
    return replace(shipped(), modules={**shipped().modules, name: changed})


def drawn(facts: tuple[str, ...] = FACTS) -> st.SearchStrategy[Call]:
    """Draw what a guard asks: calls that the vocabulary accepts, as `input`."""
    return calls(trial(), facts=facts).map(lambda call: call.engine_input())


def holds(
    policy: PolicySet, examples: int, *strategies: st.SearchStrategy[Any]
) -> Callable[[Any], None]:
    """Run a body on drawn values; a decorator that runs at once."""
    # A fault is only to be found; where the shipped policy breaks a law, a person reads.
    # What is drawn depends on which modules are imported, and a fault ends the search.
    faultless = policy.modules == shipped().modules
    shrunk = (Phase.shrink,) if faultless else ()
    most = examples if faultless else 8 * examples

    def run(body: Any) -> None:
        settings(
            max_examples=most,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, *shrunk),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )(given(*strategies)(body))()

    return run


def objecting(decision: Any) -> set[str]:
    return {item["id"] for item in decision["findings"] if item["effect"] in OBJECTS}


def transfers(decision: Any) -> list[Any]:
    return [
        item
        for item in decision["findings"]
        if (TRANSFER.fullmatch(item["id"]) or OTHERS.fullmatch(item["id"]))
        and item["id"] not in OF_MODELS
    ]


def forgotten(call: Call) -> Iterator[tuple[str, Call]]:
    """Yield a call with each of its facts unknown in turn."""
    for name in FACTS:
        dim = trial().space.dim(name)
        for place, value in places(call, dim.path):
            if name == "route":
                yield name, set_in(call, place, [None])
            elif value is not None and None in dim.values:
                yield name, set_in(call, place, None)


def is_meant(name: str, call: Call, rules: set[str]) -> bool:
    """Say whether an exception that the proofs name is met: of a rule, or of an answer."""
    return name in FALLS_BACK or any(
        item.changed == name and item.holds(call)
        for item in MEANT
        if item.rule != "BLK-01" or rules == {"BLK-01"}
    )


def forgetting_allows_nothing(policy: PolicySet) -> None:
    ask = asking(policy)

    @holds(policy, 60, drawn())
    def body(call: Call) -> None:
        before = ask(call)
        assume(before["verdict"] != "allow")
        rules = objecting(before)
        for name, changed in forgotten(call):
            if not is_meant(name, call, rules):
                assert ask(changed)["verdict"] != "allow", (name, rules)


def another_developer_changes_no_transfer(policy: PolicySet) -> None:
    answers = [
        asking(
            with_catalog(
                policy,
                models={
                    key: item.model_copy(update={"developer": developer})
                    for key, item in catalog().entries.models.items()
                },
            )
        )
        for developer in ("zhipu", "openai")
    ]

    @holds(policy, 100, drawn())
    def body(call: Call) -> None:
        one, other = (transfers(ask(call)) for ask in answers)
        assert one == other


def another_operator_changes_a_transfer(policy: PolicySet) -> None:
    by_operator = [
        asking(
            with_catalog(
                policy,
                deployments={
                    key: item
                    if item.mode == "self_hosted"
                    else item.model_copy(
                        update={"operator": operator, "host_cloud": None}
                    )
                    for key, item in catalog().entries.deployments.items()
                },
            )
        )
        for operator in (LISTED, CLEAN)
    ]

    @holds(policy, 100, drawn())
    def body(call: Call) -> None:
        known = catalog().entries.deployments
        hops = [known.get(name or "") for name in call["route"]]
        assume(any(hop and hop.mode != "self_hosted" for hop in hops))
        assume(call["at"] >= SINCE)
        call["data"]["ear"] |= {"classification": "EAR99", "us_origin": True}
        call["tenant"]["licences"] = []
        found = [
            {
                item["effect"]
                for item in transfers(ask(call))
                if item["id"] == "EAR-01" and not item["missing"]
            }
            for ask in by_operator
        ]
        assert found == [{"deny"}, set()]


def one_more_hop_loosens_nothing(policy: PolicySet) -> None:
    ask = asking(policy)
    hops = st.sampled_from([*sorted(catalog().entries.deployments), None])

    @holds(policy, 100, drawn(ROUTED), hops, st.booleans())
    def body(call: Call, more: str | None, first: bool) -> None:
        route = [more, *call["route"]] if first else [*call["route"], more]
        before = ask(call)
        after = ask({**call, "route": route})
        assert ORDER.index(after["verdict"]) >= ORDER.index(before["verdict"])
        assert objecting(after) >= objecting(before) - {"FACT-01"}


def time_matters_where_something_begins_or_ends(policy: PolicySet) -> None:
    ask = asking(policy)

    @holds(policy, 100, at_declared_instants(), st.floats(0, 1))
    def body(call: Call, share: float) -> None:
        at = int(instant_of(call["at"]).timestamp())  # type: ignore[union-attr]
        edges = sorted({*declared(), *derived_instants({**call, "at": None})})
        index = bisect_right(edges, at)
        since = edges[index - 1] if index else at
        until = edges[index] if index < len(edges) else at + 86_400
        later = since + int(share * (until - since - 1))
        answers = [
            ask({**call, "at": instant(second)}) for second in (since, later, until - 1)
        ]
        assert answers[0] == answers[1] == answers[2]


def at_declared_instants() -> st.SearchStrategy[Call]:
    edges = st.sampled_from(declared()).map(instant)
    moved = st.builds(lambda call, at: {**call, "at": at}, drawn(), edges)
    return st.one_of(drawn(), moved)


@cache
def declared() -> tuple[int, ...]:
    """Return each second at which bundle or catalog say something else."""
    return tuple(sorted({*trial().boundaries, *seconds_in(shipped().data)}))


def order_of_lists_is_no_fact(policy: PolicySet) -> None:
    ask = asking(policy)

    @holds(policy, 100, drawn(), st.integers(0, 2**32))
    def body(call: Call, seed: int) -> None:
        turned = shuffled(call, Random(seed))
        one, two = (comparable(ask(item)) for item in (call, turned))
        assert one == two


def shuffled(value: Any, chooser: Random) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(item, chooser) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [shuffled(item, chooser) for item in value]
    chooser.shuffle(items)
    return items


def comparable(decision: Any) -> Any:
    """Return a decision with the lists that it repeats from the call in one order.

    A message names them in the call's order, too: its words are compared.
    """
    findings = [
        {
            **item,
            "msg": sorted(re.findall(r"[^\s,]+", item["msg"])),
            "facts": {
                key: sorted(fact, key=str) if isinstance(fact, list) else fact
                for key, fact in item["facts"].items()
            },
        }
        for item in decision["findings"]
    ]
    return {**decision, "findings": sorted(findings, key=canonical_bytes)}


LAWS: Final[dict[str, tuple[Law, tuple[str, str, str]]]] = {
    "no fact that is forgotten turns a refusal into leave": (
        forgetting_allows_nothing,
        (
            "main/main",
            '_by_profile(effect, profile) := "require_approval" if',
            '_by_profile(effect, profile) := "advise" if',
        ),
    ),
    "who made the model decides no transfer": (
        another_developer_changes_no_transfer,
        (
            "rules/ofac/ofac_01",
            '"US" in {party.country | some hop in input.hops; some party in hop.parties}',
            'input.model.developer.country == "US"',
        ),
    ),
    "who runs it does": (
        another_operator_changes_a_transfer,
        (
            "rules/ear/ear_01",
            "\t_ear_01_receives(hop, party)\n\tnot",
            '\t_ear_01_receives(hop, party)\n\tparty.role == "host_cloud"\n\tnot',
        ),
    ),
    "one more hop loosens nothing": (
        one_more_hop_loosens_nothing,
        (
            "facts/facts",
            "_hops := [_hop(id) | some id in input.route] if",
            "_hops := [_hop(input.route[0])] if",
        ),
    ),
    "an instant matters only where something begins or ends": (
        time_matters_where_something_begins_or_ends,
        (
            "facts/facts",
            "some edge in dated.boundaries; edge <= _now",
            "some edge in dated.boundaries; edge < _now",
        ),
    ),
    "the order of a list is no fact": (
        order_of_lists_is_no_fact,
        (
            "facts/facts",
            "\tsome class in sent.classes\n",
            "\tclass := sent.classes[0]\n",
        ),
    ),
}
"""Each law, and a fault that breaks it: module, text, and what stands in its place."""


@pytest.mark.parametrize("name", LAWS)
def test_the_shipped_policy_keeps_the_law(name: str) -> None:
    law, _ = LAWS[name]

    assert law(shipped()) is None


@pytest.mark.parametrize("name", LAWS)
def test_a_policy_with_a_fault_does_not(name: str) -> None:
    law, (module, before, after) = LAWS[name]

    with pytest.raises(AssertionError):
        law(faulty(module, before, after))
