"""The law of the memo: it changes the cost of a decision, and nothing else.

Calls are generated with instants of their own (licences, assessments, owners), and each
is asked at and around every instant at which bundle, catalog or call can change the
answer, in any order. What is remembered must be what evaluation says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.catalog.views import LIVES
from policyguard.engines.memo import instants_in
from policyguard.engines.regorus import RegorusEngine
from policyguard.guard.answer import read_answer
from policyguard.guard.input_bytes import input_bytes
from policyguard.guard.policy import Policy
from policyguard.settings import CatalogSettings, Settings
from policyguard.vocabulary.call import ModelCall

OVERLAY = Path(__file__).parents[2] / "policyguard/demo/acme.yaml"
YEAR = 365 * 86_400
BEGINNING = datetime(1975, 1, 1, tzinfo=UTC)
DATES = ("2025-07-10T12:00:00Z", "2026-07-10T12:00:00.5Z", "2026-11-01T00:00:00Z")


@cache
def policy(*, overlay: bool = True) -> Policy:
    overlays = (OVERLAY,) if overlay else ()
    settled = Settings(catalog=CatalogSettings(overlays=overlays))
    bundle, catalog = bundle_of(settled), catalog_of(settled)
    snapshot = RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog))
    return Policy(snapshot=snapshot, bundle=bundle, catalog=catalog)


@cache
def edges() -> tuple[int, ...]:
    """Return the instants of bundle and catalog alone."""
    used = policy()
    return tuple(
        sorted(
            {
                *instants_in(canonical_bytes(used.bundle.rulebook)),
                *instants_in(used.catalog.document_json),
            }
        )
    )


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    deployment = draw(st.sampled_from(sorted(policy().catalog.entries.deployments)))
    entry = policy().catalog.deployment(deployment)
    dates = st.sampled_from([None, *DATES])
    owner = {"name": "o", "country": "CN", "share_bp": 9_000}
    return {
        "caller": {
            "id": draw(st.sampled_from(["alice", "bob"])),
            "person_status": draw(st.sampled_from([None, "foreign", "us_citizen"])),
            "organisation": {
                "name": "Acme",
                "annexes": ["bis-2026-06-26:A"],
                "owners": [{**owner, "since": draw(dates)}],
            },
        },
        "purpose": {"kind": "inference"},
        "exporter": {"establishment": draw(st.sampled_from(["DE", "US", None]))},
        "data": {
            "classes": draw(st.sampled_from([["pii"], ["source_code"], ["none"]])),
            "subjects": ["DE"],
            "ear": {"classification": "EAR99", "us_origin": True},
        },
        "tenant": {
            "id": "acme",
            "contracts": [
                {
                    "operator": entry.operator or "scaleway",
                    "transfer_tool": draw(st.sampled_from(["scc", "bcr", None])),
                    "transfer_assessed": draw(dates),
                }
            ],
            "licences": [
                {
                    "id": "D1",
                    "authority": "BIS",
                    "operators": [entry.operator or "scaleway"],
                    "models": [entry.model],
                    "expires": draw(st.sampled_from(DATES)),
                }
            ],
        },
        "asked": {"model": entry.model, "host": "api.example"},
        "model": entry.model,
        "route": [deployment],
    }


@st.composite
def instants(draw: st.DrawFn) -> datetime:
    own = [
        int(datetime.fromisoformat(date).timestamp()) + life
        for date in DATES
        for life in (0, *LIVES.values())
    ]
    edge = draw(st.sampled_from([*edges(), *own]))
    near = draw(st.sampled_from([-1, 0, 1, 2, 86_400]))
    seconds = max(edge + near, int(BEGINNING.timestamp()))
    micro = draw(st.sampled_from([0, 1, 999_999]))
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micro)


@given(asked=calls(), times=st.lists(instants(), min_size=2, max_size=6))
@settings(deadline=None, max_examples=60)
def test_what_is_remembered_is_what_evaluation_says(
    asked: dict[str, Any], times: list[datetime]
) -> None:
    used = policy()
    for at in times:
        call = ModelCall.model_validate({**asked, "at": at})
        document = used.snapshot.evaluate(canonical_bytes(call.engine_input()))

        assert used.answer(call) == read_answer(document, rules=used.bundle)


@given(asked=calls(), edge=st.integers(min_value=0), far=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_between_two_instants_nothing_changes(
    asked: dict[str, Any], edge: int, far: float
) -> None:
    used = policy()
    question = input_bytes(
        ModelCall.model_validate({**asked, "at": BEGINNING})
    ).question
    every = sorted(
        {*edges(), *instants_in(question, lives=LIVES.values())}
        - {edge for edge in edges() if edge < BEGINNING.timestamp()}
    )
    spans = [(a, b) for a, b in pairwise(every) if b - a > 1]
    first, after = spans[edge % len(spans)]
    middle = first + int((after - 1 - first) * far)
    answers = [
        used.snapshot.evaluate(
            canonical_bytes(
                ModelCall.model_validate(
                    {**asked, "at": datetime.fromtimestamp(second, UTC)}
                ).engine_input()
            )
        )
        for second in (first, middle, after - 1)
    ]

    assert answers[0] == answers[1] == answers[2]


@given(asked=calls(), at=instants())
@settings(deadline=None, max_examples=40)
def test_the_bytes_that_are_joined_are_the_canonical_ones(
    asked: dict[str, Any], at: datetime
) -> None:
    call = ModelCall.model_validate({**asked, "at": at})
    whole = call.engine_input()
    without = {key: value for key, value in whole.items() if key != "at"}

    for _ in range(2):
        assert input_bytes(call) == (canonical_bytes(without), canonical_bytes(whole))


@given(asked=calls(), at=instants())
@settings(deadline=None, max_examples=30)
def test_another_catalog_answers_for_itself(
    asked: dict[str, Any], at: datetime
) -> None:
    call = ModelCall.model_validate({**asked, "at": at})
    answers = {}
    for overlay in (True, False):
        used = policy(overlay=overlay)
        document = used.snapshot.evaluate(canonical_bytes(call.engine_input()))
        answers[overlay] = read_answer(document, rules=used.bundle)
        assert used.answer(call) == answers[overlay]

    assert {way: policy(overlay=way).answer(call) for way in answers} == answers


def test_a_question_with_a_rolling_count_is_not_remembered() -> None:
    used = policy()
    given_ = {"at": "2026-07-10T12:00:00Z", "tenant": {"id": "acme"}}
    counted = {"rolling": {"china_since_january": {"persons": 1}}}
    before = used.memo.use
    used.answer(ModelCall.model_validate({**given_, **counted}))
    used.answer(ModelCall.model_validate({**given_, **counted}))

    assert used.memo.use == before


def test_an_answer_cannot_be_changed_by_who_reads_it() -> None:
    used = policy()
    call = ModelCall.model_validate(
        {"at": "2026-07-10T12:00:00Z", "tenant": {"id": "acme"}, "model": "glm-5.2"}
    )
    first, second = used.answer(call), used.answer(call)

    assert first is second
    for finding in first.findings:
        facts: Any = finding.facts
        try:
            facts["x"] = 1
        except TypeError:
            continue
        raise AssertionError(finding.id)
