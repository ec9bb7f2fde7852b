"""Running counts in the guard: given to rules, reserved before calls, settled after."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import openai
import pytest
from guards import FR, MESSAGES, SUMMER, TICKETS
from integration.loopback import remembered
from integration.test_own_policy import with_rules
from offline import Upstream
from unit.bundle.test_additions import HEAD

from policyguard import ApprovalRequired, Guard, PolicyDenied
from policyguard.audit.vault_reading import read_content
from policyguard.errors import ConfigurationError
from policyguard.guard.persons import NOBODY
from policyguard.guard.tally import Counted, first_of_january, twelve_months_before
from policyguard.vocabulary.call import DataFacts
from policyguard.vocabulary.rolling import Counts

LIMIT: Final = (
    HEAD
    + """findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": sprintf("%d people would be too many", [number]),
	"facts": {},
	"missing": [],
	"remedy": "",
} if {
	is_array(input.rolling.us_twelve_months)
	some entry in input.rolling.us_twelve_months
	number := entry.counts.pii + input.data.counts.pii
	number > 5
}

findings contains {
	"id": "ACME-01",
	"effect": "indeterminate",
	"msg": "it is not known how many people there were",
	"facts": {},
	"missing": ["rolling.us_twelve_months"],
	"remedy": "",
} if {
	input.data.counts.pii != null
	input.rolling.us_twelve_months == null
}
"""
)


@pytest.fixture
def guard(tmp_path: Path):
    with Guard(settings=with_rules(tmp_path, LIMIT), clock=lambda: SUMMER) as made:
        yield made


@pytest.fixture
def client():
    return Upstream().client(FR)


def call(guard: Guard, client: Any, *people: str, **data: Any) -> Any:
    facts = {"classes": ["pii"], "subjects": ["US"], "persons": {"US": people}, **data}
    return guard.bind(**{**TICKETS, "data": facts}).call(
        client.chat.completions.create, model="glm-5.2", messages=MESSAGES
    )


def refused(guard: Guard, client: Any, *people: str, **data: Any) -> bool:
    try:
        call(guard, client, *people, **data)
    except PolicyDenied:
        return True
    return False


def questions(guard: Guard) -> list[Any]:
    """Return the recorded questions, oldest first."""
    ids = [item["id"] for item in remembered(guard) if item["kind"] != "outcome"]
    (vault,) = guard.trail_directory.glob("logs/*/vault.sqlite")
    found = []
    for name in ids:
        (sealed,) = read_content(vault, record=name)
        found.append(json.loads(sealed.body)["input"])
    return found


def test_a_rule_gets_the_people_of_earlier_calls_without_those_of_this_one(
    guard: Guard, client: Any
) -> None:
    call(guard, client, "a", "b", "c")
    call(guard, client, "c", "d")

    second = questions(guard)[1]
    (entry,) = second["rolling"]["us_twelve_months"]
    assert entry["counterparty"] == "scaleway"
    assert (entry["counts"]["pii"], second["data"]["counts"]["pii"]) == (2, 2)
    assert entry["counts"]["health"] == 0


def test_the_call_that_would_pass_the_threshold_is_not_made(
    guard: Guard, client: Any
) -> None:
    call(guard, client, "a", "b", "c")

    assert refused(guard, client, "d", "e", "f")
    # What was refused has added nobody, and who was sent before is nobody new.
    call(guard, client, "a", "d", "e")


def test_calls_at_once_do_not_pass_it_together(guard: Guard, client: Any) -> None:
    with ThreadPoolExecutor(6) as pool:
        denied = list(
            pool.map(
                lambda number: refused(guard, client, f"{number}-a", f"{number}-b"),
                range(8),
            )
        )

    assert 1 <= denied.count(False) <= 2


def test_only_numbers_count_as_somebody_new_each_time(
    guard: Guard, client: Any
) -> None:
    counts = {"persons": {}, "counts": {"pii": 3}}

    assert [refused(guard, client, **counts) for _ in range(2)] == [False, True]


def test_a_check_reads_the_counts_and_adds_nobody(guard: Guard, client: Any) -> None:
    call(guard, client, "a", "b", "c")
    with pytest.raises(PolicyDenied) as caught:
        call(guard, client, "d", "e", "f")
    asked = caught.value.decision.call

    verdicts = [guard.check(asked).verdict for _ in range(3)]

    assert verdicts == ["deny"] * 3
    call(guard, client, "d", "e")


def test_counts_that_a_caller_makes_up_are_dropped(guard: Guard, client: Any) -> None:
    call(guard, client, "a")
    asked = refused_call(guard, client)
    made_up = asked.model_copy(
        update={"rolling": asked.rolling.model_copy(update={"us_twelve_months": ()})}
    )

    assert guard.check(made_up).verdict == "deny"


def refused_call(guard: Guard, client: Any) -> Any:
    with pytest.raises(PolicyDenied) as caught:
        call(guard, client, *"bcdefg")
    return caught.value.decision.call


def test_a_count_that_cannot_be_reached_is_unknown(guard: Guard, client: Any) -> None:
    call(guard, client, "a")
    (guard.trail_directory / "counters.sqlite").write_bytes(b"damaged" * 999)

    with pytest.raises(ApprovalRequired, match="by ACME-01"):
        call(guard, client, "b")

    assert questions(guard)[-1]["rolling"]["us_twelve_months"] is None


def test_a_call_that_fails_counts_because_it_was_sent(guard: Guard) -> None:
    broken = Upstream(answer=lambda _: httpx2.Response(500)).client(FR)
    with pytest.raises(openai.InternalServerError):
        call(guard, broken, "a", "b", "c")

    assert refused(guard, Upstream().client(FR), "d", "e", "f")


def test_a_call_that_the_transport_stops_does_not_count(guard: Guard) -> None:
    def moved(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200)

    client = Upstream(answer=moved).client(FR)
    guard.protect(client)
    facts = {"classes": ["pii"], "subjects": ["DE"], "persons": {"US": ["a", "b", "c"]}}
    bound = guard.bind(**{**TICKETS, "data": facts})
    with pytest.raises(PolicyDenied):
        # The wrapper sees one host, and the transport another.
        bound.call(_to_china(client), model="glm-5.2", messages=MESSAGES)

    assert not refused(guard, Upstream().client(FR), "d", "e", "f")


def _to_china(client: Any) -> Any:
    http = client._client
    send = http.send

    def diverted(request: Any, **more: Any) -> Any:
        request.url = request.url.copy_with(host="open.bigmodel.cn")
        request.headers["host"] = "open.bigmodel.cn"
        return send(request, **more)

    http.send = diverted
    return client.chat.completions.create


def test_people_are_forgotten_after_twelve_months(guard: Guard, client: Any) -> None:
    def at(instant: datetime) -> Guard:
        return Guard.of_core(replace(guard.core, clock=lambda: instant))

    # A year after summer the shipped lists are stale, so the first call was a year before.
    call(at(SUMMER.replace(year=SUMMER.year - 1)), client, "a", "b", "c")

    assert refused(guard, client, "d", "e", "f")
    assert not refused(at(SUMMER + timedelta(seconds=1)), client, "d", "e", "f")


def test_no_id_of_a_person_leaves_the_process_memory(guard: Guard, client: Any) -> None:
    call(guard, client, "canary-person@acme.example")
    guard.core.trail.flush()

    stored = b"".join(
        path.read_bytes() for path in guard.trail_directory.rglob("*") if path.is_file()
    )
    assert b"canary-person" not in stored
    assert "canary" not in repr(guard.bind(**TICKETS)._facts.persons)


def test_an_ordinary_call_opens_no_counters(guard: Guard, client: Any) -> None:
    guard.bind(**TICKETS).call(
        client.chat.completions.create, model="glm-5.2", messages=MESSAGES
    )

    assert not (guard.trail_directory / "counters.sqlite").exists()


@pytest.mark.parametrize(
    ("persons", "says"),
    [
        ({"DE": ["a"]}, "known are CN, US"),
        ({"US": "alice"}, "give a list"),
        ({"US": [1]}, "an id is a text"),
        (["a"], "give a mapping"),
    ],
)
def test_people_in_a_wrong_form_are_refused(
    guard: Guard, persons: object, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        guard.bind(data={"classes": ["pii"], "persons": persons})


@pytest.mark.parametrize(
    ("at", "before"),
    [
        ("2026-07-10T12:00:00", "2025-07-10T12:00:00"),
        ("2028-02-29T01:00:00", "2027-02-28T01:00:00"),
        ("2027-03-01T00:00:00", "2026-03-01T00:00:00"),
    ],
)
def test_twelve_months_are_counted_by_the_calendar(at: str, before: str) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert f"{twelve_months_before(instant):%Y-%m-%dT%H:%M:%S}" == before


@pytest.mark.parametrize(
    ("at", "first"),
    [
        ("2026-12-31T15:59:59", "2025-12-31T16:00:00"),
        ("2026-12-31T16:00:00", "2026-12-31T16:00:00"),
    ],
)
def test_the_year_begins_in_beijing(at: str, first: str) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert f"{first_of_january(instant).astimezone(UTC):%Y-%m-%dT%H:%M:%S}" == first


def test_other_deployments_are_asked_with_the_counts_that_they_would_have(
    guard: Guard, client: Any
) -> None:
    def full() -> set[str]:
        """Return the other deployments that a refused call names as full already."""
        with pytest.raises(PolicyDenied) as refusal:
            call(guard, client, "f")
        decision = refusal.value.decision
        assert {item.id for item in decision.findings if item.effect == "deny"} == {
            "ACME-01"
        }
        return {
            item.deployment for item in decision.rejected if "ACME-01" in item.rules
        }

    call(guard, client, "a", "b", "c", "d", "e")
    before = full()
    sent = guard.core.tally.begin(
        Counted(
            call=guard.core.empty_question().model_copy(
                update={
                    "at": SUMMER,
                    "route": ("glm-5.2@inference.baseten.co",),
                    "data": DataFacts(classes=("pii",), counts=Counts(pii=5)),
                }
            ),
            persons=NOBODY,
            reservation="elsewhere",
            call_id="elsewhere",
            keep=True,
        ),
        catalog=guard.core.catalog,
    )
    guard.core.tally.settle("elsewhere", made=True)

    assert sent.rolling.us_twelve_months is not None
    assert (before, full()) == (set(), {"glm-5.2@inference.baseten.co"})
