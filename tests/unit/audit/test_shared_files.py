"""Files that all writers of a trail share: one that was lost is never begun anew unsaid."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from trails import DIGEST, append_pair, decision
from unit.audit.test_counters import in_files, reserve, seen

from policyguard.audit.layout import Layout
from policyguard.audit.stores.approval_file import ApprovalFile
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import PolicyGuardError, TrailError
from policyguard.identity import new_id

Write = Callable[[Path], object]


def ask(directory: Path) -> None:
    trail = Trail.open(directory)
    try:
        append_pair(trail)
    finally:
        trail.close()


def ask_about_somebody(directory: Path) -> None:
    trail = Trail.open(directory)
    try:
        trail.append_decision(
            decision(), caller=None, content={}, prompt=b"asked", people=("patient",)
        )
    finally:
        trail.close()


def count(directory: Path) -> None:
    counters = in_files(directory)
    reserve(counters, "one", "a", "b")
    assert seen(counters) == 2


def approve(directory: Path) -> None:
    file = ApprovalFile.of(Layout.of(directory))
    file.add(new_id(), scope=("acme", "0" * 32, DIGEST), note="signed")
    assert file.names()


WRITES: Final[dict[str, Write]] = {
    "callers": ask,
    "people": ask_about_somebody,
    "counters": count,
    "approvals": approve,
}


@pytest.fixture(params=WRITES)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Write]:
    """A file of a trail, and what writes to it."""
    Trail.create(tmp_path / "trail", name="acme.example").close()
    write = WRITES[request.param]
    write(tmp_path / "trail")
    return tmp_path / f"trail/{request.param}.sqlite", write


@pytest.mark.parametrize("emptied", [False, True])
def test_a_file_that_is_gone_is_missed_until_it_is_put_back(
    shared: tuple[Path, Write], tmp_path: Path, *, emptied: bool
) -> None:
    file, write = shared
    shutil.copy(file, tmp_path / "backup")
    file.unlink()
    if emptied:
        file.touch()

    for _ in range(2):
        with pytest.raises(PolicyGuardError, match=f"{file.name}` is missing: restore"):
            write(file.parent)
    assert not file.exists() or file.stat().st_size == 0

    shutil.copy(tmp_path / "backup", file)
    write(file.parent)
    verify_trail(file.parent)


def test_what_it_knew_is_forgotten_only_by_saying_so(
    shared: tuple[Path, Write],
) -> None:
    file, write = shared
    file.unlink()
    Layout.of(file.parent).begun(file).unlink()

    write(file.parent)

    assert file.exists()
    verified = verify_trail(file.parent)
    assert (verified.nameless > 0) == (file.stem in {"callers", "people"})


def test_a_file_of_before_and_one_whose_beginning_was_cut_off_are_taken_up(
    shared: tuple[Path, Write],
) -> None:
    file, write = shared
    memory = Layout.of(file.parent).begun(file)
    memory.unlink()

    write(file.parent)

    assert memory.exists()
    assert verify_trail(file.parent).nameless == 0


def test_a_file_that_is_taken_from_a_running_process_is_not_begun_by_it(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    append_pair(trail, caller="alice")
    (tmp_path / "trail/callers.sqlite").unlink()

    for caller in ("bob", "bob", "alice"):
        with pytest.raises(PolicyGuardError, match=r"caller"):
            append_pair(trail, caller=caller)
    append_pair(trail, caller=None)
    trail.close()

    assert not (tmp_path / "trail/callers.sqlite").exists()


@pytest.mark.parametrize("about", [(), ("patient",)])
def test_a_file_that_is_replaced_under_a_running_process_is_opened_anew(
    tmp_path: Path, about: tuple[str, ...]
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")

    def ask(caller: str) -> None:
        people = tuple(f"{name}-of-{caller}" for name in about)
        trail.append_decision(
            decision(), caller=None if about else caller, content={}, people=people
        )

    ask("alice")
    file = tmp_path / f"trail/{'people' if about else 'callers'}.sqlite"
    shutil.copy(file, tmp_path / "backup")
    ask("bob")
    shutil.move(tmp_path / "backup", file)

    with pytest.raises(PolicyGuardError, match="was replaced while it was in use"):
        ask("carol")
    for caller in ("carol", "alice", "bob"):
        ask(caller)
    trail.close()

    # Of whom the older file knew nothing, nobody is known any more: counted, not hidden.
    assert verify_trail(tmp_path / "trail").nameless == 1


@pytest.mark.parametrize(
    ("name", "key"), [("people", "vault"), ("counters", "counters")]
)
def test_no_new_key_is_made_where_file_and_key_were_lost(
    tmp_path: Path, name: str, key: str
) -> None:
    trail = tmp_path / "trail"
    Trail.create(trail, name="acme.example").close()
    WRITES[name](trail)
    (trail / f"{name}.sqlite").unlink()
    (trail / f"keys/{key}.key").unlink()

    with pytest.raises(PolicyGuardError, match=f"{key}.key"):
        WRITES[name](trail)

    assert not (trail / f"keys/{key}.key").exists()


@pytest.mark.parametrize("name", ["approvals", "counters"])
def test_an_older_file_that_is_put_back_is_refused_until_the_newer_one_is_there(
    name: str, tmp_path: Path
) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    write, file = WRITES[name], tmp_path / f"trail/{name}.sqlite"
    write(file.parent)
    shutil.copy(file, tmp_path / "older")
    for _ in range(16):
        write(file.parent)
    shutil.copy(file, tmp_path / "newer")
    shutil.copy(tmp_path / "older", file)

    for _ in range(2):
        with pytest.raises(TrailError, match=f"{file.name}` was put back: .* restore"):
            write(file.parent)

    shutil.copy(tmp_path / "newer", file)
    write(file.parent)


@pytest.mark.parametrize("name", ["approvals", "counters"])
def test_a_file_that_is_ahead_of_its_memory_is_taken_up(
    name: str, tmp_path: Path
) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    write, file = WRITES[name], tmp_path / f"trail/{name}.sqlite"
    write(file.parent)
    memory = Layout.of(file.parent).begun(file)
    before = memory.read_bytes()
    for _ in range(16):
        write(file.parent)
    newest = memory.read_bytes()
    memory.write_bytes(before)

    for _ in range(16):
        write(file.parent)

    assert int(memory.read_bytes()) > int(newest)


def test_a_damaged_memory_of_changes_is_refused(tmp_path: Path) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    approve(tmp_path / "trail")
    layout = Layout.of(tmp_path / "trail")
    layout.begun(layout.approvals).write_bytes(b"-1")

    with pytest.raises(TrailError, match=r"approvals.begun` is damaged: restore it"):
        approve(tmp_path / "trail")
