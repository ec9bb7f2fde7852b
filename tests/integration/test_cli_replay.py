"""`policyguard audit replay`: real trails, computed once more from what they kept."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, SUMMER, TICKETS, guard_in
from integration.program import run
from integration.test_own_policy import with_rules
from trails import copied

from policyguard import Guard, ModelCall
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.catalog.catalog import Catalog
from policyguard.engines.regorus import RegorusSnapshot
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.recording import record_decision
from policyguard.identity import new_id
from policyguard.replay.answering import MOST_VERSIONS, KeptVersions
from policyguard.replay.replay import replay
from policyguard.vocabulary.decision import Decision

VAULT = "logs/app-1/vault.sqlite"
LOG = "logs/app-1/log.sqlite"


def question(guard: Guard, base: str) -> ModelCall:
    host = base.split("/")[2]
    return guard.core.question(
        described=Described(model="glm-5.2", host=host), facts=facts_of(**TICKETS)
    )


@dataclass(frozen=True)
class Made:
    """Is a trail with an allowed and a denied decision."""

    trail: Path
    allowed: str
    denied: str

    def replayed(self, *arguments: object) -> Any:
        return run("audit", "replay", *map(str, arguments), "--trail", str(self.trail))

    def document(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        done = self.replayed(*arguments, "--json")
        return done.exit_code, json.loads(done.stdout)


def made_by(guard: Guard, folder: Path) -> Made:
    with guard:
        allowed = guard.check(question(guard, FR))
        denied = guard.check(question(guard, CN))
    assert (allowed.verdict, denied.verdict) == ("allow", "deny")
    return Made(trail=folder / "trail", allowed=allowed.id, denied=denied.id)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("original")
    return made_by(guard_in(folder), folder)


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    return replace(original, trail=copied(original.trail, tmp_path / "trail"))


def test_every_decision_comes_out_as_it_was_recorded(made: Made) -> None:
    done = made.replayed("--all")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "2 of 2 decisions come out as recorded\n"


@pytest.mark.parametrize("name", ["whole", "prefix", "place"])
def test_one_decision_is_named_as_everywhere(made: Made, name: str) -> None:
    meant = {"whole": made.denied, "prefix": made.denied[:30], "place": "app-1:2"}[name]

    code, document = made.document(meant)

    assert (code, document["decisions"], document["equal"]) == (0, 1, 1)


def test_what_only_was_observed_comes_out_as_well(tmp_path: Path) -> None:
    observed = made_by(guard_in(tmp_path, mode="observe"), tmp_path)

    assert observed.document("--all")[1]["equal"] == 2


def test_rules_of_a_tenant_and_of_long_ago_are_kept_with_the_trail(
    made: Made, tmp_path: Path
) -> None:
    with Guard(settings=with_rules(tmp_path), clock=lambda: SUMMER) as later:
        later.check(question(later, FR))

    code, document = made.document("--all")

    (log,) = TrailReader.open(made.trail).logs
    bundles = {
        entry.record().bundle.digest  # type: ignore[union-attr]
        for entry in log.entries()
        if entry.record().kind == "check"
    }
    assert (code, document["equal"], len(bundles)) == (0, 3, 2)


@cache
def decided() -> tuple[Path, Decision, Catalog]:
    """Return what the rules say of a call to China, and the trail that kept them."""
    folder = Path(tempfile.mkdtemp())
    with guard_in(folder) as guard:
        core = guard.core
        decision = core.consider(
            question(guard, CN),
            asking=Asking(call_id=new_id(), kind="check"),
            policy=core.policies.current,
        )
        return folder / "trail", decision, core.catalog


def recorded_as(folder: Path, change: Callable[[Decision], Decision]) -> Made:
    """Make a trail in whose signed record something else is than the rules said."""
    kept, decision, catalog = decided()
    wrong = change(decision)
    trail = Trail.open_or_create(folder / "trail")
    shutil.copytree(kept / "versions", folder / "trail/versions", dirs_exist_ok=True)
    asking = Asking(call_id=new_id(), kind="check")
    record_decision(wrong, asking=asking, trail=trail, catalog=catalog)
    trail.close()
    return Made(trail=folder / "trail", allowed="", denied=wrong.id)


def test_another_verdict_is_a_difference(tmp_path: Path) -> None:
    made = recorded_as(
        tmp_path,
        lambda it: it.model_copy(update={"verdict": "allow", "findings": ()}),
    )

    code, document = made.document("--all")
    shown = made.replayed("--all")

    (difference,) = document["differences"]
    assert code == 1
    assert (difference["id"], difference["place"]) == (made.denied, "app-1:1")
    assert difference["changes"][0] == {
        "what": "verdict",
        "recorded": "allow",
        "replayed": "deny",
    }
    assert 'verdict: recorded "allow", now "deny"' in shown.stdout
    assert "0 of 1 decisions come out as recorded" in shown.stdout


def test_another_message_of_one_finding_is_a_difference(tmp_path: Path) -> None:
    def reworded(decision: Decision) -> Decision:
        first, *others = decision.findings
        changed = first.model_copy(update={"msg": "nothing to see"})
        return decision.model_copy(update={"findings": (changed, *others)})

    _, document = recorded_as(tmp_path, reworded).document("--all")

    (change,) = document["differences"][0]["changes"]
    assert change["what"].endswith(" msg")
    assert change["recorded"] == "nothing to see"


def test_what_the_guard_could_not_obey_is_compared_as_the_rules_answered(
    tmp_path: Path,
) -> None:
    made = recorded_as(
        tmp_path,
        lambda it: it.model_copy(update={"code": "obligation.undischarged"}),
    )

    (difference,) = made.document("--all")[1]["differences"]
    assert difference["changes"] == [
        {"what": "verdict", "recorded": "allow", "replayed": "deny"}
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": "engine.panic"}, "the rules gave no answer (`engine.panic`)"),
        (
            {"engine": {"name": "opa", "version": "1.9.0", "digest": "remote"}},
            "another engine decided (opa 1.9.0)",
        ),
        (
            {"bundle": {"revision": "0", "digest": "0" * 64}},
            "the bundle is not kept any more",
        ),
        (
            {"catalog": {"version": "0", "digest": "0" * 64, "replaced": ()}},
            "the catalog is not kept any more",
        ),
    ],
)
def test_what_cannot_be_computed_is_counted_with_its_reason(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    made = recorded_as(
        tmp_path, lambda it: Decision.model_validate({**it.__dict__, **change})
    )

    code, document = made.document("--all")

    assert (code, document["equal"], document["reasons"]) == (2, 0, {reason: 1})
    assert made.replayed("--all").stdout == (
        f"1 cannot be computed: {reason}\n0 of 1 decisions come out as recorded\n"
    )


def test_another_engine_is_asked_to_agree_if_somebody_wants_to_know(
    tmp_path: Path,
) -> None:
    change = {"engine": {"name": "opa", "version": "1.9.0", "digest": "remote"}}
    made = recorded_as(
        tmp_path, lambda it: Decision.model_validate({**it.__dict__, **change})
    )

    assert made.document("--all", "--any-engine") == (
        0,
        {
            "intact": True,
            "decisions": 1,
            "equal": 1,
            "differences": [],
            "unanswered": [],
            "reasons": {},
        },
    )


def changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_erased_content_leaves_the_others_to_be_computed(made: Made) -> None:
    changed(made.trail / VAULT, f"DELETE FROM content WHERE record = '{made.allowed}'")

    code, document = made.document("--all")

    assert (code, document["equal"]) == (2, 1)
    assert document["unanswered"] == [
        {
            "id": made.allowed,
            "place": "app-1:1",
            "reason": "its content is gone from the vault",
        }
    ]


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        (VAULT, "UPDATE content SET body = CAST(replace(body, 'DE', 'FR') AS BLOB)"),
        (LOG, "UPDATE entry SET body = CAST(replace(body, 'GDPR', 'XDPR') AS BLOB)"),
        (LOG, "DELETE FROM entry WHERE idx = 1"),
        (LOG, "DELETE FROM entry WHERE idx = 2"),
    ],
)
@pytest.mark.parametrize("asked", ["--all", "app-1:2"])
def test_a_trail_that_was_changed_is_not_replayed(
    made: Made, file: str, statement: str, asked: str
) -> None:
    if asked != "--all" and statement.endswith("idx = 2") and "DELETE" in statement:
        pytest.skip("what is not there cannot be named")
    changed(made.trail / file, statement)

    done = made.replayed(asked, "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["intact"] is False


@pytest.mark.parametrize("kind", ["bundle", "catalog"])
def test_a_kept_version_that_was_changed_is_found(made: Made, kind: str) -> None:
    (path,) = (made.trail / "versions" / kind).iterdir()
    if kind == "catalog":
        path.write_bytes(path.read_bytes().replace(b"glm-5.2", b"glm-5.3"))
        done = made.replayed("--all")
        assert (done.exit_code, "was changed" in done.stdout) == (1, True)
    else:
        path.write_bytes(b"no archive")
        (reason,) = made.document("--all")[1]["reasons"]
        assert reason.startswith("its policy does not load: ")


@pytest.mark.parametrize(
    "arguments", [(), ("--all", "app-1:1"), ("01a2182d",), ("app-1:0",)]
)
def test_a_question_that_cannot_be_answered_is_refused(
    made: Made, arguments: tuple[str, ...]
) -> None:
    done = made.replayed(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")


def test_an_empty_trail_has_nothing_to_replay(tmp_path: Path) -> None:
    Trail.open_or_create(tmp_path / "trail").close()

    done = run("audit", "replay", "--all", "--trail", str(tmp_path / "trail"))

    assert (done.exit_code, done.stdout) == (
        2,
        "0 of 0 decisions come out as recorded\n",
    )


def test_each_distinct_question_is_evaluated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with guard_in(tmp_path) as guard:
        guard.check_many([question(guard, FR), question(guard, CN)] * 10)
    evaluated: list[bytes] = []
    real = RegorusSnapshot.evaluate

    def counting(self: RegorusSnapshot, given: bytes) -> Any:
        evaluated.append(given)
        return real(self, given)

    monkeypatch.setattr(RegorusSnapshot, "evaluate", counting)
    report = replay(TrailReader.open(tmp_path / "trail"))

    assert (report.equal, len(evaluated)) == (20, 2)


def test_few_versions_are_held_at_once(made: Made) -> None:
    versions = KeptVersions(store=TrailReader.open(made.trail).source.versions())

    first = versions.of(("0" * 64, "0" * 64))
    for number in range(1, MOST_VERSIONS + 1):
        versions.of((f"{number}" * 64, "0" * 64))

    assert first == "the bundle is not kept any more"
    assert len(versions._loaded) == MOST_VERSIONS
    assert ("0" * 64, "0" * 64) not in versions._loaded
