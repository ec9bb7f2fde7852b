"""A power failure that takes the end of a log: what was acknowledged comes back.

A decision waits until its vault is synchronised, its log may come later. The tests give
the log's files back as they were at an earlier moment: as far as they were synchronised
then, that is what a power failure leaves.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trails import append_pair, copied, decision, entries, made_trail, outcome

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import CutOffError, TamperedError, TrailError

SLOT = "logs/app-1"
PROGRAM = Path(sys.executable).with_name("policyguard")
VAULT = f"{SLOT}/vault.sqlite"


@dataclass(slots=True, kw_only=True)
class Scene:
    """A trail that is written, with the log's files at each moment."""

    folder: Path
    trail: Trail
    told: list[tuple[str, int]] = field(default_factory=list)
    """Ids and indexes of the records that were acknowledged."""
    moments: list[Path] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path) -> Scene:
        made_trail(folder / "trail", pairs=1)
        scene = cls(folder=folder, trail=Trail.open(folder / "trail"))
        scene.remember()
        return scene

    @property
    def synced(self) -> int:
        return self.trail._process.recorder._writer.store.synced

    def decide(self) -> None:
        made = decision()
        place = self.trail.append_decision(made, caller=None, content={"a": 1})
        self.told.append((str(made["id"]), place.index))
        self.remember()

    def end(self) -> None:
        made = outcome("x")
        self.told.append((made.id, self.trail.append(made).index))
        self.remember()

    def remember(self) -> None:
        kept = self.folder / f"moment-{len(self.moments)}"
        kept.mkdir()
        for file in self.files(self.trail.directory):
            shutil.copy(file, kept)
        self.moments.append(kept)

    def fail(self, moment: int, *, lock: bool = False) -> Path:
        """Copy the trail as a power failure may leave it: its log from a moment before.

        Args:
            moment: Which one.
            lock: Whether the lock database, too, is from then.
        """
        left = copied(self.trail.directory, self.folder / f"left-{moment}")
        for file in self.files(left):
            if lock or file.parent == left / SLOT:
                file.unlink()
        for file in self.moments[moment].iterdir():
            if file.name.startswith("log."):
                shutil.copy(file, left / SLOT)
            elif lock:
                shutil.copy(file, left.with_name(f"{left.name}.lock"))
        return left

    @staticmethod
    def files(directory: Path) -> list[Path]:
        lock = directory.with_name(f"{directory.name}.lock")
        return [*(directory / SLOT).glob("log.sqlite*"), *lock.glob("app-1.sqlite*")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene.begin(tmp_path)
    yield made
    made.trail.close()


def found(directory: Path) -> list[tuple[str, int]]:
    return [(entry.record().id, entry.index) for entry in entries(directory)]


def heads(directory: Path) -> list[str]:
    return [log.head().note for log in TrailReader.open(directory).logs]


@given(steps=st.lists(st.booleans(), max_size=9))
@settings(max_examples=15, deadline=None)
def test_whatever_a_power_failure_can_take_comes_back_as_it_was_signed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[bool]
) -> None:
    scene = Scene.begin(tmp_path_factory.mktemp("scene"))
    synced = [3]
    for decides in steps:
        scene.decide() if decides else scene.end()
        synced.append(scene.synced)
    before = heads(scene.trail.directory)
    # What the log has durably at the end, it has in whatever is left of it.
    lost = [
        moment
        for moment, size in enumerate(range(3, 4 + len(steps)))
        if size >= synced[-1]
    ]

    for moment in sorted({lost[0], lost[len(lost) // 2], lost[-1]}):
        left = scene.fail(moment)
        Trail.open(left).close()

        assert found(left)[3:] == scene.told
        assert heads(left) == before
        verify_trail(left)
    scene.trail.close()


def test_until_the_log_is_opened_it_is_called_cut_off_and_not_tampered_with(
    scene: Scene,
) -> None:
    scene.decide()
    scene.decide()
    left = scene.fail(0)

    with pytest.raises(CutOffError, match="its records from 3 on are in its vault"):
        verify_trail(left)
    said = subprocess.run(
        [PROGRAM, "audit", "verify", "--trail", str(left)],
        capture_output=True,
        text=True,
        check=False,
    )
    append_pair(trail := Trail.open(left))
    trail.close()

    assert said.returncode == 2
    assert "was cut off" in said.stdout + said.stderr
    assert verify_trail(left).logs[0][1] == 7


def test_a_log_that_ends_before_what_its_vault_has_was_put_back(scene: Scene) -> None:
    scene.decide()
    scene.end()
    scene.decide()
    left = scene.fail(0)

    with pytest.raises(TrailError, match="put back: it has 3 records and had 6"):
        Trail.open(left)
    with pytest.raises(TamperedError, match="put back"):
        verify_trail(left)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("note = replace(note, char(10) || '4' || char(10), char(10) || '9' || char(10))",
         "not what was signed"),
        ("entries = CAST(replace(CAST(entries AS TEXT), 'glm', 'gpt') AS BLOB)",
         "not what was signed"),
        ("entries = x'0001'", "is damaged"),
        ("size = 99", "is damaged"),
    ],
)  # fmt: skip
def test_what_was_changed_in_the_vault_is_not_taken_up(
    scene: Scene, change: str, says: str
) -> None:
    scene.decide()
    left = scene.fail(0)
    with closing(sqlite3.connect(left / VAULT)) as vault, vault:
        vault.execute(f"UPDATE ahead SET {change}")

    with pytest.raises(TrailError, match=says):
        Trail.open(left)

    assert len(found(left)) == 3


def test_a_batch_that_was_never_told_is_taken_up_whole_or_not_there(
    scene: Scene,
) -> None:
    # As a crash leaves it between the commit of the vault and that of the log.
    scene.decide()
    left = scene.fail(0, lock=True)

    verify_trail(left)
    Trail.open(left).close()

    assert found(left)[3:] == scene.told
    verify_trail(left)


def test_the_vault_is_not_the_only_place_of_many_records(scene: Scene) -> None:
    for _ in range(300):
        made = decision()
        scene.trail.append_decision(made, caller=None, content={})
    with closing(sqlite3.connect(scene.trail.directory / VAULT)) as vault, vault:
        (kept,) = vault.execute("SELECT count(*) FROM ahead").fetchone()

    assert kept <= 257
    assert scene.synced > 3


def test_the_log_waits_for_the_disk_where_the_vault_has_not(scene: Scene) -> None:
    log = scene.trail._process.recorder._writer.store._connection
    scene.decide()
    said: list[str] = []
    log.set_trace_callback(said.append)

    for append in (scene.decide, scene.end, scene.end, scene.decide):
        said.append(append.__name__)
        append()

    wanted = ("decide", "end", "PRAGMA", "COMMIT")
    assert [line for line in said if line.startswith(wanted)] == [
        "decide",
        "COMMIT",
        "end",
        "PRAGMA synchronous=FULL",
        "COMMIT",
        "end",
        "COMMIT",
        "decide",
        "PRAGMA synchronous=NORMAL",
        "COMMIT",
    ]
    assert log.execute("PRAGMA synchronous").fetchone() == (1,)


def test_what_the_log_has_durably_leaves_the_vault(scene: Scene) -> None:
    for _ in range(3):
        scene.decide()
        scene.end()
    scene.decide()
    with closing(sqlite3.connect(scene.trail.directory / VAULT)) as vault, vault:
        rows = vault.execute("SELECT first, size FROM ahead").fetchall()

    assert rows == [(9, 10)]


def test_a_vault_of_an_older_version_is_read_and_becomes_new_when_it_is_written(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail", pairs=1)
    with closing(sqlite3.connect(directory / VAULT)) as vault, vault:
        vault.execute("DROP TABLE ahead")
        vault.execute("PRAGMA user_version=1")
    vault.close()

    verify_trail(directory)
    trail = Trail.open(directory)
    append_pair(trail)
    trail.close()

    with closing(sqlite3.connect(directory / VAULT)) as vault, vault:
        (version,) = vault.execute("PRAGMA user_version").fetchone()
    assert version == 2
    assert verify_trail(directory).logs[0][1] == 5
