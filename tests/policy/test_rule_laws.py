"""Laws of the rules: whose model it is, one more hop, an instant, an order.

Calls come from the generator of the law of the unknown (`test_missing_facts.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from policy.test_missing_facts import OVERLAY, answer, calls, catalog

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.engines.protocol import Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import CatalogSettings, Settings
from policyguard.vocabulary.call import ModelCall

ORDER = ("allow", "require_approval", "unavailable", "deny")
TRANSFER = re.compile(r"(EAR|ITAR|OFAC|DSP|GDPR|RES)-[0-9]{2}")
"""Rules on what goes where, to whom: whoever made the weights."""
OF_MODELS = {"EAR-07", "EAR-10"}
"""These two are about a model: a letter that bars it, what it was tuned on."""
LICENCES: tuple[dict[str, Any], ...] = (
    {"authority": "BIS", "operators": ["zhipu-bigmodel"], "persons": ["CN"]},
    {"authority": "BIS", "operators": ["zhipu-bigmodel"], "countries": ["SG"]},
    {"authority": "DDTC", "operators": ["scaleway"], "persons": ["FR", "IN"]},
    {"authority": "OFAC", "countries": ["IR"]},
)
"""Licences that cover one thing together with others, or nothing here."""
YEAR = timedelta(days=365)
SWAPPED = """
models:
  glm-5.2:
    replaces: true
    name: GLM-5.2
    family: glm
    developer: openai
    names: ["GLM-5.2", "zai-org/GLM-5.2"]
    base_models: []
    open_weights: true
    published: true
    source: what if somebody else had made it
    as_of: 2026-07-02
"""


@cache
def swapped() -> Snapshot:
    """Return the rules over a catalog in which somebody else made GLM-5.2."""
    with TemporaryDirectory() as folder:
        overlay = Path(folder) / "swapped.yaml"
        overlay.write_text(SWAPPED, encoding="utf-8")
        overlays = CatalogSettings(overlays=(OVERLAY, overlay))
        known = catalog_of(Settings(catalog=overlays))
    return RegorusEngine().load(policy_set(bundle=bundle_of(Settings()), catalog=known))


def transfers(decision: Mapping[str, Any]) -> list[Any]:
    return [
        item
        for item in decision["findings"]
        if TRANSFER.fullmatch(item["id"]) and item["id"] not in OF_MODELS
    ]


@settings(max_examples=40)
@given(call=calls())
def test_who_made_the_model_decides_no_transfer(
    call: dict[str, Any],
) -> None:
    to = {"model": "glm-5.2", "route": ["glm-5.2@api.scaleway.ai"]}
    asked = call if call["model"] == "glm-5.2" else {**call, **to}
    question = ModelCall.model_validate(asked).engine_input()

    other: Any = swapped().evaluate(canonical_bytes(question))

    assert transfers(other) == transfers(answer(asked))


def test_who_runs_it_does() -> None:
    code = {
        "at": "2026-07-10T12:00:00Z",
        "caller": {"id": "a", "person_status": "us_citizen"},
        "exporter": {"establishment": "US"},
        "tenant": {"id": "acme"},
        "data": {
            "classes": ["source_code"],
            "ear": {"classification": "EAR99", "us_origin": True},
        },
        "model": "glm-5.2",
    }
    found = {
        to: {item["id"] for item in answer({**code, "route": [to]})["findings"]}
        for to in ("glm-5.2@open.bigmodel.cn", "glm-5.2@inference.baseten.co")
    }

    assert ["EAR-01" in ids for ids in found.values()] == [True, False]


@settings(max_examples=60)
@given(call=calls(), data=st.data())
def test_one_more_hop_never_loosens(call: dict[str, Any], data: st.DataObject) -> None:
    hops = sorted(
        key
        for key, entry in catalog().entries.deployments.items()
        if entry.model == call["model"]
    )
    more = data.draw(st.sampled_from([*hops, None]))
    first = data.draw(st.booleans())
    route = [more, *call["route"]] if first else [*call["route"], more]

    before, after = answer(call), answer({**call, "route": route})

    event(f"{before['verdict']} then {after['verdict']}")
    assert ORDER.index(after["verdict"]) >= ORDER.index(before["verdict"])


@cache
def declared() -> tuple[int, ...]:
    """Return each instant of rulebook and catalog, in seconds."""
    rulebook: Any = bundle_of(Settings()).rulebook
    return tuple(sorted({*seconds_in(catalog().document), *rulebook["boundaries"]}))


def seconds_in(value: Any) -> Iterator[int]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in {"since", "until", "relief_since"} and item is not None:
                yield item
            else:
                yield from seconds_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from seconds_in(item)


def own_instants(call: Mapping[str, Any]) -> Iterator[int]:
    """Yield the instants of a call: of papers, and a year and a second after them."""
    security = call["tenant"]["data_security"]
    given = [security["certified"], security["audited"]]
    given += [paper["transfer_assessed"] for paper in call["tenant"]["contracts"]]
    for text in filter(None, given):
        instant = datetime.fromisoformat(text)
        yield int(instant.timestamp())
        yield int((instant + YEAR).timestamp()) + 1


@settings(max_examples=60)
@given(call=calls(), share=st.floats(0, 1), other=st.floats(0, 1))
def test_an_instant_matters_only_where_one_is_declared(
    call: dict[str, Any], share: float, other: float
) -> None:
    at = datetime.fromisoformat(call["at"]).timestamp()
    edges = [*declared(), *own_instants(call)]
    since = max((edge for edge in edges if edge <= at), default=at)
    until = min((edge for edge in edges if edge > at), default=at + 86_400)

    def moved(part: float) -> Any:
        seconds = since + part * (until - since - 1)
        when = datetime.fromtimestamp(seconds, UTC).isoformat()
        return answer({**call, "at": when})

    assert moved(share) == moved(other)


@settings(max_examples=40)
@given(call=calls(), data=st.data())
def test_the_order_of_a_list_is_no_fact(
    call: dict[str, Any], data: st.DataObject
) -> None:
    turned = deepcopy(call)
    turned["caller"]["citizenships"] = ["FR", "IN", "CN"]
    signed = {item["operator"] for item in turned["tenant"]["contracts"]}
    turned["tenant"]["contracts"] += [
        {"operator": name, "dpa": True}
        for name in ("anthropic", "scaleway", "zhipu-bigmodel")
        if name not in signed
    ]
    turned["tenant"]["licences"] = [
        {"id": f"L{number}", "expires": "2027-01-01T00:00:00Z", **licence}
        for number, licence in enumerate(LICENCES)
    ]
    shuffled = deepcopy(turned)
    for above, last in (
        (shuffled["caller"], "citizenships"),
        (shuffled["caller"]["organisation"], "owners"),
        (shuffled["data"], "classes"),
        (shuffled["data"], "subjects"),
        (shuffled["tenant"], "contracts"),
        (shuffled["tenant"], "licences"),
    ):
        above[last] = data.draw(st.permutations(above[last]))

    one, two = answer(turned), answer(shuffled)

    assert comparable(one) == comparable(two)


def comparable(decision: Mapping[str, Any]) -> Any:
    """Return a decision with the lists that it repeats from the call in one order."""
    return {
        **decision,
        "findings": [
            {**item, "facts": {k: ordered(v) for k, v in item["facts"].items()}}
            for item in decision["findings"]
        ],
    }


def ordered(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
