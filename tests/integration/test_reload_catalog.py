"""Tests of new facts that take over while calls are made."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from guards import SUMMER, TICKETS, settings
from trails import entries

from policyguard import Guard, Settings
from policyguard.assembly import build_core, kept_policy
from policyguard.errors import ConfigurationError
from policyguard.guard.core import Core
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.settings import CatalogSettings
from policyguard.vocabulary.call import ModelCall

PATIENCE = 30.0
OVERLAY = """\
deployments:
  ours-{number}:
    model: glm-5.2
    mode: vendor_api
    operator: scaleway
    hosts: [llm-{number}.acme.example]
    source: https://acme.example/{number}
    as_of: 2026-06-01
"""


def configured(folder: Path, *, seconds: int | None = 1) -> Settings:
    overlay = folder / "ours.yaml"
    if not overlay.exists():
        put(folder, OVERLAY.format(number=1))
    catalog = CatalogSettings(overlays=(overlay,), poll_seconds=seconds)
    return settings(folder).model_copy(update={"catalog": catalog})


def put(folder: Path, text: str) -> None:
    draft = folder / "draft"
    draft.write_text(text)
    draft.replace(folder / "ours.yaml")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    made = build_core(settings=configured(tmp_path), clock=lambda: SUMMER)
    yield made
    made.close()


def records(folder: Path, kind: str) -> list[Any]:
    found = [entry.record() for entry in entries(folder / "trail")]
    return [record for record in found if record.kind == kind]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def question(core: Core, number: int) -> ModelCall:
    described = Described(model="glm-5.2", host=f"llm-{number}.acme.example")
    return core.question(described=described, facts=facts_of(**TICKETS))


def test_new_facts_take_over_and_the_memo_with_them(core: Core, tmp_path: Path) -> None:
    with Guard.of_core(core) as guard:
        before = guard.check(question(core, 2))
        again = guard.check(question(core, 2))
        old = core.policies.newest
        put(tmp_path, OVERLAY.format(number=2))
        until(lambda: core.policies.newest is not old)
        after = guard.check(question(core, 2))

    assert "FACT-02" in {item.id for item in before.findings}
    assert again.findings == before.findings
    assert "FACT-02" not in {item.id for item in after.findings}
    assert after.call.route == ("ours-2",)
    assert before.catalog != after.catalog
    assert before.bundle == after.bundle
    (load,) = records(tmp_path, "policy.load")
    assert (load.source, load.signed_by, load.catalog.digest, load.previous) == (
        "overlays",
        None,
        after.catalog.digest,
        after.bundle,
    )


def test_new_facts_under_a_policy_that_is_known_need_no_other_process(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = core.policies.newest
    monkeypatch.setattr(sys, "executable", "/nothing")
    put(tmp_path, OVERLAY.format(number=2))
    until(
        lambda: (
            core.policies.newest is not old or records(tmp_path, "policy.reject") != []
        )
    )

    assert records(tmp_path, "policy.reject") == []


def test_what_decided_before_and_after_is_kept_for_replay(
    core: Core, tmp_path: Path
) -> None:
    old = core.policies.newest
    put(tmp_path, OVERLAY.format(number=2))
    until(lambda: core.policies.newest is not old)
    new = core.policies.newest

    for policy in (old, new):
        bundle, kept = kept_policy(
            core.trail.versions,
            bundle=policy.bundle.digest,
            catalog=policy.catalog.digest,
        )
        assert (bundle.digest, kept.catalog_digest) == (
            policy.bundle.digest,
            policy.catalog.digest,
        )


@pytest.mark.parametrize(
    "text",
    [
        "deployments: [",
        OVERLAY.format(number=2).replace("glm-5.2", "no-such-model"),
        OVERLAY.format(number=2).replace("as_of: 2026-06-01", "as_of: soon"),
        "",
    ],
)
def test_bad_facts_are_refused_once_and_those_in_use_stay(
    text: str, core: Core, tmp_path: Path
) -> None:
    before = core.policies.newest
    put(tmp_path, text)
    until(lambda: bool(records(tmp_path, "policy.reject")))
    time.sleep(2.5)

    (refusal,) = records(tmp_path, "policy.reject")
    assert (refusal.code, refusal.source, refusal.offered) == (
        "catalog.malformed",
        "overlays",
        None,
    )
    assert refusal.kept is not None
    assert refusal.kept.digest == before.bundle.digest
    assert core.policies.newest is before

    put(tmp_path, OVERLAY.format(number=3))
    until(lambda: core.policies.newest is not before)


LIST = """\
lists:
  our-list:
    name: Ours
    parties:
      - {party: scaleway, names: [Scaleway], until: 2026-06-01T00:00:00Z}
      - {party: scaleway, names: [Scaleway], since: 2026-06-01T00:00:00Z}
    source: https://acme.example/list
    as_of: 2026-06-01
"""
WRONG = {
    "a field that there is not": LIST.replace("    name:", "    title: x\n    name:"),
    "a value of another type": LIST.replace("name: Ours", "name: 5"),
    "a party that nobody knows": LIST.replace("{party: scaleway", "{party: nobody", 1),
    "a date in another form": LIST.replace("as_of: 2026-06-01", "as_of: 1 June"),
    "an instant without its offset": LIST.replace("T00:00:00Z", "T00:00:00", 1),
    "a window that overlaps": LIST.replace("until: 2026-06-01", "until: 2026-07-01"),
}


def test_each_kind_of_bad_input_leaves_the_facts_in_use_as_they_are(
    core: Core, tmp_path: Path
) -> None:
    before = core.policies.newest
    for number, text in enumerate(WRONG.values(), start=1):
        assert text != LIST
        put(tmp_path, text)
        until(lambda number=number: len(records(tmp_path, "policy.reject")) == number)

    assert core.policies.newest is before
    put(tmp_path, LIST)
    until(lambda: core.policies.newest is not before)
    assert "our-list" in core.policies.newest.catalog.entries.lists


def test_facts_that_are_gone_are_refused_and_those_in_use_stay(
    core: Core, tmp_path: Path
) -> None:
    before = core.policies.newest
    (tmp_path / "ours.yaml").unlink()
    until(lambda: bool(records(tmp_path, "policy.reject")))

    assert core.policies.newest is before


def test_files_that_say_the_same_change_nothing(core: Core, tmp_path: Path) -> None:
    before = core.policies.newest
    put(tmp_path, f"# a comment\n{OVERLAY.format(number=1)}")
    time.sleep(3)

    assert core.policies.newest is before
    assert records(tmp_path, "policy.load") == []


def test_each_decision_names_the_facts_that_made_it(core: Core, tmp_path: Path) -> None:
    stopped = threading.Event()
    wrong: list[Any] = []
    seen: set[str] = set()

    def ask(guard: Guard) -> None:
        while not stopped.is_set():
            decision = guard.check(question(core, 2))
            known = decision.call.route == ("ours-2",)
            missing = "FACT-02" in {item.id for item in decision.findings}
            seen.add(decision.catalog.digest)
            # The question is put together from one catalog, and answered from it or the
            # next: what it names, it knows.
            if missing and known and decision.catalog.digest == newest[-1]:
                wrong.append(decision)

    newest = [core.policies.newest.catalog.digest]
    with Guard.of_core(core) as guard:
        threads = [threading.Thread(target=ask, args=(guard,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in (2, 1, 2):
            old = core.policies.newest
            put(tmp_path, OVERLAY.format(number=number))
            until(lambda old=old: core.policies.newest is not old)
            if number == 2:
                newest.append(core.policies.newest.catalog.digest)
        until(lambda: newest[-1] in seen)
        stopped.set()
        for thread in threads:
            thread.join()

    assert wrong == []
    assert newest[-1] in seen


def test_there_has_to_be_something_to_look_at(tmp_path: Path) -> None:
    catalog = CatalogSettings(poll_seconds=1)
    known = settings(tmp_path).model_copy(update={"catalog": catalog})

    with pytest.raises(ConfigurationError, match="has nothing to look at"):
        Guard(settings=known)


def test_nobody_looks_unless_the_settings_say_so(tmp_path: Path) -> None:
    core = build_core(settings=configured(tmp_path, seconds=None))
    old = core.policies.newest
    put(tmp_path, OVERLAY.format(number=2))
    stop = core.stop
    core.close()

    assert stop is None
    assert core.policies.newest is old
