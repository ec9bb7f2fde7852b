"""A guard takes its own checkpoints outside, and nothing outside holds a record up."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from guards import FR, MESSAGES, TICKETS, settings
from integration.program import run
from offline import Upstream
from outsiders import quorum_of, witness_for
from trails import append_pair

from policyguard import ConfigurationError, Guard, Settings
from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.outside.hook import Hook
from policyguard.audit.outside.sinks import Sink
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import OutsideError, TamperedError
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import Checkpoint
from policyguard.trail_settings import OutsideSettings, SinkSettings


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, or for 20 seconds."""
    for _ in range(2_000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never held")


@dataclass
class Memory:
    """Takes checkpoints, or does first what it is told to."""

    first: Callable[[], None] | None = None
    name: str = "memory"
    sizes: list[int] = field(default_factory=list)

    def send(self, checkpoint: Checkpoint, *, note: str) -> None:
        if self.first is not None:
            work, self.first = self.first, None
            work()
        self.sizes.append(checkpoint.size)


@dataclass
class Told:
    """Remembers events."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __call__(self, event: str, **values: object) -> None:
        self.events.append((event, values))


@pytest.fixture
def trail(tmp_path: Path):
    made = Trail.create(tmp_path / "trail", name="acme.example")
    yield made
    made.close()


def hook(
    trail: Trail,
    *sinks: Sink,
    told: Told | None = None,
    trust: TrustFile | None = None,
    patience: float = 20,
) -> Hook:
    made = Hook(
        trail,
        outside=lambda own: Outside(trust=trust or own, sinks=sinks),
        every=0.01,
        patience=patience,
        tell=told or Told(),
    )
    made.start()
    return made


def configured(folder: Path, **outside: Any) -> Settings:
    return settings(folder).model_copy(update={"outside": OutsideSettings(**outside)})


def test_a_guard_takes_its_last_record_outside_when_it_is_closed(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    known = configured(
        tmp_path, every_seconds=3_600, sinks=(SinkSettings(directory=kept),)
    )

    with Guard(settings=known) as guard:
        guard.bind(**TICKETS).call(
            Upstream().client(FR).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )

    head = TrailReader.open(tmp_path / "trail").logs[0].head()
    (file,) = kept.iterdir()
    assert file.name.endswith(f"@{head.size}.checkpoint")
    assert file.read_text() == head.note


def test_checkpoints_are_cosigned_while_the_log_is_written(
    trail: Trail, tmp_path: Path
) -> None:
    append_pair(trail)
    with witness_for(trail.directory, tmp_path / "state") as (_, trusted):
        trust = quorum_of(trusted)
        running = hook(trail, trust=trust)
        until(lambda: running.rounds > 0)
        append_pair(trail)
        before = running.rounds
        until(lambda: running.rounds > before)
        running.close()

    verified = verify_trail(trail.directory, vouchers=Vouchers(trust=trust))
    ((_, attested),) = verified.outside
    assert running.failures == 0
    assert not attested.lacks_quorum


def test_what_hangs_outside_delays_no_record_and_no_end(trail: Trail) -> None:
    entered, release, told = threading.Event(), threading.Event(), Told()

    def hang() -> None:
        entered.set()
        release.wait(60)

    append_pair(trail)
    running = hook(trail, Memory(hang), told=told, patience=0.05)
    assert entered.wait(20)

    append_pair(trail)
    running.close()

    # Both came before anybody released it.
    assert told.events == [("outside.not_finished", {"seconds": 0.05})]
    assert verify_trail(trail.directory).logs[0][1] == 5
    release.set()


def test_a_failure_is_counted_told_shown_and_tried_again(
    trail: Trail,
) -> None:
    def fail() -> None:
        raise OutsideError("no space left")

    told, memory = Told(), Memory(fail)
    append_pair(trail)
    running = hook(trail, memory, told=told)
    until(lambda: running.rounds > 0)
    running.close()

    assert (running.failures, memory.sizes[0]) == (1, 3)
    assert told.events == [
        ("outside.failed", {"place": "memory", "reason": "no space left"})
    ]
    report = json.loads(
        run("audit", "report", "--json", "--trail", trail.directory).stdout
    )
    (attempts,) = report["attempts"].values()
    assert attempts["memory"]["failure"] is None
    said = run("audit", "report", "--trail", trail.directory).stdout
    assert "memory" in said


def test_a_library_that_panics_ends_no_rounds(trail: Trail) -> None:
    class Panic(BaseException):
        pass

    def panic() -> None:
        raise Panic("gave up")

    told, memory = Told(), Memory(panic)
    append_pair(trail)
    running = hook(trail, memory, told=told)
    until(lambda: running.rounds > 0)
    running.close()

    assert (running.failures, memory.sizes) == (1, [3])
    assert told.events == [("outside.failed", {"reason": "gave up"})]


def test_another_history_outside_is_told_by_its_own_event(trail: Trail) -> None:
    def contradict() -> None:
        raise TamperedError("two histories")

    told = Told()
    append_pair(trail)
    running = hook(trail, Memory(contradict), told=told)
    until(lambda: bool(told.events))
    running.close()

    assert told.events[0] == (
        "outside.contradicted",
        {"place": "memory", "reason": "two histories"},
    )


def test_a_trail_that_cannot_be_read_is_told_and_stops_nothing(trail: Trail) -> None:
    told, memory = Told(), Memory()
    trust = trail.layout.trust
    kept = trust.read_bytes()
    append_pair(trail)
    trust.write_bytes(b"nonsense")
    running = hook(trail, memory, told=told)
    until(lambda: bool(told.events))
    trust.write_bytes(kept)
    until(lambda: running.rounds > 0)
    running.close()

    assert told.events[0][0] == "outside.failed"
    assert running.failures == len(told.events)
    assert memory.sizes == [3]


def test_a_forked_child_takes_its_own_log_outside(trail: Trail, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()

    @dataclass
    class Files:
        name: str = "files"

        def send(self, checkpoint: Checkpoint, *, note: str) -> None:
            (seen / checkpoint.origin.replace("/", "_")).touch()

    append_pair(trail)
    running = hook(trail, Files())
    until(lambda: running.rounds > 0)

    child = os.fork()
    if child == 0:
        code = 1
        try:
            append_pair(trail)
            running.close()
            trail.close()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    running.close()

    assert status == 0
    assert {path.name for path in seen.iterdir()} == {
        "acme.example_app-1",
        "acme.example_app-2",
    }


def test_a_cadence_without_anybody_to_tell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nobody to take checkpoints to"):
        Guard(settings=configured(tmp_path, every_seconds=60))
