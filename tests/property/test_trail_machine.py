"""A trail under any order of events: what was promised is still there.

The machine appends with and without waiting, shares one trail between threads, publishes,
closes and reopens it, tells the lock database seldom, rotates keys, forks, crashes, loses
an unacknowledged tail of the lock database, and erases callers. After each step
everything that was acknowledged is stored in its place, the trail verifies, and of whom
was erased there is no byte left.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from datetime import date
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from trails import CALLER, decision, entries, outcome

from policyguard.audit.erasure import erase
from policyguard.audit.erasure_plan import Wanted, plan_erasure
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping
from policyguard.audit.stores.place import Lock
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.vocabulary.decision import Place

ERASER = Ed25519Signer.from_seed(b"e" * 32, key_name="privacy@machine.example")


class TrailMachine(RuleBasedStateMachine):
    """Does things to a trail, and remembers what it was told."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trail-machine-"))
        self.directory = self.folder / "trail"
        self.trail = Trail.create(self.directory, name="machine.example")
        self.told: dict[Place, str] = {}
        self.handed: list[str] = []
        self.failed: list[BaseException] = []
        self.leaked: list[Trail] = []
        self.published: dict[str, int] = {}
        self.erased: set[str] = set()
        self.callers: set[str] = set()

    @rule(number=st.integers(0, 3), prompted=st.booleans())
    def append_about_somebody(self, number: int, prompted: bool) -> None:
        caller = f"canary-{number}-{len(self.erased)}@acme.example"
        fields = decision()
        place = self.trail.append_decision(
            fields,
            caller=caller,
            content={"input": f"secret of {caller}"},
            prompt=f"prompt of {caller}".encode() if prompted else None,
        )
        self.told[place] = fields["id"]
        self.callers.add(caller)

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def erase_a_caller(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from(sorted(self.callers)))
        self.callers.discard(caller)
        self.erased.add(caller)
        plan = plan_erasure(
            TrailReader.open(self.directory),
            Wanted(callers=frozenset({caller})),
            keeping=Keeping(),
            today=date(2026, 11, 25),
        )
        command = Trail.open(self.directory, role="cli")
        erase(
            plan,
            trail=command,
            reader=TrailReader.open(self.directory),
            signer=ERASER,
            erasers=(VerifierKey.of_signer(ERASER),),
            reason="request",
        )
        command.close()

    @rule()
    def append_a_decision(self) -> None:
        fields = decision()
        place = self.trail.append_decision(fields, caller=CALLER, content={"input": 1})
        self.told[place] = fields["id"]

    @rule(count=st.integers(1, 5))
    def append_without_waiting(self, count: int) -> None:
        for _ in range(count):
            record = outcome("x")
            self.trail.append_later(record, failed=self.failed.append)
            self.handed.append(record.id)

    @rule(count=st.integers(2, 6))
    def append_from_threads(self, count: int) -> None:
        def work() -> None:
            record = outcome("x")
            self.told[self.trail.append(record)] = record.id

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @rule()
    def close_and_open(self) -> None:
        self.trail.close()
        self.trail = Trail.open(self.directory)

    @rule(every=st.integers(2, 9))
    def open_to_tell_the_lock_database_seldom(self, every: int) -> None:
        self.trail.close()
        self.trail = Trail.open(self.directory, lock=Lock(every=every))

    @rule()
    def publish(self) -> None:
        self.trail.flush()
        for log in TrailReader.open(self.directory).logs:
            place = self.folder / "published" / log.slot
            done = export_tiles(log, place)
            assert done.checkpoint == verify_tiles(place, vkeys=log.vkeys)
            # What was published once is never taken back.
            assert done.before == self.published.get(log.origin, 0)
            assert done.checkpoint.size >= done.before
            self.published[log.origin] = done.checkpoint.size

    @rule()
    def rotate(self) -> None:
        vkey = self.trail.rotate_key()
        assert vkey in [log.vkey for log in TrailReader.open(self.directory).logs]

    @rule()
    def crash(self) -> None:
        # Nothing is closed and nothing flushed; only the kernel takes the lock back.
        recorder = self.trail._process.recorder
        with recorder._lock:
            recorder._waiting.clear()
            if recorder._writer is not None:
                recorder._writer.leak()
                recorder._writer = None
        self.handed.clear()
        self.trail._closed = True
        self.leaked.append(self.trail)
        self.trail = Trail.open(self.directory)

    @rule()
    def fork(self) -> None:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.trail.append(outcome("child"))
                self.trail.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0

    @precondition(lambda self: len(self.told) > 1)
    @rule()
    def put_the_lock_database_back(self) -> None:
        lock = self.folder / "trail.lock"
        self.trail.close()
        kept = shutil.copytree(lock, self.folder / "kept")
        self.trail = Trail.open(self.directory)
        self.append_a_decision()
        self.trail.close()
        shutil.rmtree(lock)
        kept.rename(lock)
        self.trail = Trail.open(self.directory)

    @invariant()
    def what_was_told_is_kept(self) -> None:
        self.trail.flush()
        stored = {
            Place(origin=entry.origin, index=entry.index): entry.record().id
            for entry in entries(self.directory)
        }
        assert self.told.items() <= stored.items()
        assert set(self.handed) <= set(stored.values())
        assert self.failed == []
        verified = verify_trail(self.directory)
        assert sum(size for _, size, _ in verified.logs) == len(stored)
        assert len(verified.logs) == len(TrailReader.open(self.directory).logs)
        assert (verified.missing, verified.unfinished) == (0, 0)

    @invariant()
    def who_was_erased_is_in_no_file(self) -> None:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        data = b"\n".join(path.read_bytes() for path in files)
        assert [name for name in self.erased if name.encode() in data] == []
        assert [name for name in self.callers if name.encode() not in data] == []

    def teardown(self) -> None:
        if hasattr(self, "trail"):
            self.trail.close()
            shutil.rmtree(self.folder)


TrailMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None
)
test_a_trail_keeps_its_promises = TrailMachine.TestCase
