"""The catalog's compiler and the fixture that rules are tested with see the same.

What rules see of the catalog is written twice: in Python, compiled once for each
version with an interval for each span in which nothing changes, and in Rego, for one
instant, where tests change plain entries. Either one is the other's test.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regorus
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.assembly import catalog_of
from policyguard.bundle.source import load_directory
from policyguard.canonical import Json
from policyguard.catalog.document import with_views
from policyguard.settings import CatalogSettings, Settings

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
OVERLAY = ROOT / "policyguard/demo/acme.yaml"
SPREAD = 12
FIXTURE = """package policyguard.twice

held := {
    "compiled": [hop.parties | some hop in data.policyguard.facts._hops],
    "plain": [dated.intervals[0].parties | some dated in views.deployments],
} if {
    views := data.policyguard.plain.views with data.catalog as data.plain
}

view := data.policyguard.fixture.view_in(input, data.plain)

call := data.policyguard.fixture.asking(input)
"""


@cache
def documents() -> dict[str, dict[str, Json]]:
    configured = Settings(catalog=CatalogSettings(overlays=(OVERLAY,)))
    return {
        "shipped": catalog_of(configured).document,
        "golden": with_views(load_directory(POLICIES).golden.catalog),
    }


@cache
def bare() -> Any:
    made = regorus.Engine()
    for path in sorted((POLICIES / "policyguard").rglob("*.rego")):
        made.add_policy(str(path), path.read_text("utf-8"))
    made.add_policy("twice.rego", FIXTURE)
    return made


@cache
def engine(name: str) -> Any:
    document = documents()[name]
    made = bare().clone()
    rulebook = (POLICIES / "policyguard/rulebook/data.json").read_text("utf-8")
    plain = {key: value for key, value in document.items() if key != "views"}
    made.add_data_json(
        json.dumps(
            {
                "policyguard": {"rulebook": json.loads(rulebook)},
                "catalog": document,
                "plain": plain,
            }
        )
    )
    return made


def evaluated(name: str, rule: str, asked: object) -> Any:
    clone = engine(name).clone()
    clone.set_input_json(json.dumps(asked))
    return json.loads(clone.eval_rule_as_json(rule))


def instants(name: str) -> list[str]:
    """Return the seconds at and just before which any view changes."""
    views: Any = documents()[name]["views"]
    edges = {
        edge
        for kind in ("models", "deployments", "countries", "regions")
        for view in views[kind].values()
        for edge in view["boundaries"]
    }
    chosen = sorted(edges)
    return [_text(edge - before) for edge in chosen for before in (1, 0)]


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("name", ["shipped", "golden"])
def test_both_see_the_same_of_every_deployment_at_every_boundary(name: str) -> None:
    document: Any = documents()[name]
    deployments = sorted(document["deployments"])
    times = instants(name)
    assert len(times) > 4

    for index, deployment in enumerate(deployments):
        patch = {
            "model": document["deployments"][deployment]["model"],
            "route": [deployment, "unknown@nowhere"],
            "caller": {"citizenships": ["IS", "CN"], "location": "JP"},
        }
        # Each instant for some deployment, and each deployment at some instants.
        for at in times[index % SPREAD :: SPREAD]:
            asked = evaluated(name, "data.policyguard.twice.call", {**patch, "at": at})
            compiled = evaluated(name, "data.policyguard.facts.view", asked)

            assert compiled == evaluated(name, "data.policyguard.twice.view", asked), (
                deployment,
                at,
            )


@pytest.mark.parametrize("name", ["shipped", "golden"])
def test_both_see_the_same_of_every_model(name: str) -> None:
    document: Any = documents()[name]

    for model in [*sorted(document["models"]), "unknown", None]:
        asked = evaluated(name, "data.policyguard.twice.call", {"model": model})

        assert evaluated(name, "data.policyguard.facts.view", asked) == evaluated(
            name, "data.policyguard.twice.view", asked
        ), model


PARTIES = ("a", "b", "c", "d", "e")
SHARE = {"source": None, "verified": True, "owner": "somebody", "country": None}


@st.composite
def shares(draw: st.DrawFn) -> dict[str, Any]:
    return {
        **SHARE,
        "party": draw(st.sampled_from([None, *PARTIES, "lost"])),
        "country": draw(st.sampled_from([None, "CN", "FR"])),
        "listed": draw(st.sampled_from([None, [], ["ofac-sdn"], ["bis-meu"]])),
        "share_bp": draw(st.sampled_from([None, 1000, 2500, 5000, 10000])),
        "since": draw(st.sampled_from([None, None, 1783684800])),
        "until": draw(st.sampled_from([None, None, 1783684801])),
    }


@st.composite
def operators(draw: st.DrawFn) -> dict[str, Any]:
    return {
        party: {
            "name": party,
            "legal_name": None,
            "country": draw(st.sampled_from([None, "CN", "US"])),
            "control_country": draw(st.sampled_from([None, "US"])),
            "parent": None,
            "owners": draw(st.none() | st.lists(shares(), max_size=3)),
            "source": "s",
            "as_of": "2026-01-01",
        }
        for party in PARTIES
    }


@given(owned=operators(), listed=st.sets(st.sampled_from(PARTIES)))
@settings(deadline=None, max_examples=60)
def test_both_see_the_same_of_who_holds_what(
    owned: dict[str, Any], listed: set[str]
) -> None:
    golden: Any = documents()["golden"]
    deployment = "glm-5.2@us"
    members = {party: [{"since": None, "until": None}] for party in sorted(listed)}
    plain = {
        **{key: value for key, value in golden.items() if key != "views"},
        "operators": owned,
        "deployments": {
            deployment: {**golden["deployments"][deployment], "operator": "a"}
        },
        "lists": {
            **golden["lists"],
            "ofac-sdn": {**golden["lists"]["ofac-sdn"], "parties": members},
        },
    }
    engine = bare().clone()
    engine.add_data_json(json.dumps({"plain": plain, "catalog": with_views(plain)}))

    for at in ("2026-07-10T11:59:59Z", "2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z"):
        asked = {"at": at, "route": [deployment], "model": "glm-5.2"}
        engine.set_input_json(json.dumps(asked))
        held = json.loads(engine.eval_rule_as_json("data.policyguard.twice.held"))

        assert held["compiled"] == held["plain"]
