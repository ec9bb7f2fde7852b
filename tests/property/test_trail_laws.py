"""The law of the trail: no byte can be changed so that something else is read unseen.

A database has bytes that hold nothing, in which a change changes nothing. So the law
is: after any change of one byte in any file, verification fails, or everything that
can be read from the trail is what it was.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trails import decision, entries, made_trail

from policyguard.audit.layout import read_identity
from policyguard.audit.reader import Entry, TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.vault_reading import read_callers
from policyguard.audit.verify import verify_trail
from policyguard.errors import FormatError, PolicyGuardError, TamperedError
from policyguard.tlog import root_of

PER_FILE = 150
"""Changes tried in each file; those in the records' own bytes are tried all."""


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("law") / "trail", pairs=2)


def everything(directory: Path) -> Any:
    """Return all that the reading interface gives."""
    reader = TrailReader.open(directory)
    return (
        reader.name,
        [
            (
                log.vkey,
                log.head(),
                list(log.entries()),
                [entry.record() for entry in log.entries()],
                list(log.checkpoints()),
                sorted(log.sealed(), key=lambda item: item.record),
                [log.proof(entry.index) for entry in log.entries()],
            )
            for log in reader.logs
        ],
        sorted(read_callers(reader.layout.callers)),
    )


def changed(path: Path, *, offset: int, mask: int) -> bytes:
    """Change one byte, and return the old content."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes([data[offset] ^ mask]))
    return data


def require_found_or_harmless(trail: Path, before: Any, *, what: str) -> bool:
    """Say whether verification found it; fail if it did not and something else is read."""
    try:
        verify_trail(trail)
    except TamperedError:
        return True
    try:
        after = everything(trail)
    except PolicyGuardError as error:
        pytest.fail(f"{what}: verified, and then not readable: {error}")
    assert after == before, what
    return False


@pytest.mark.parametrize(
    "file",
    [
        "trail/logs/app-1/log.sqlite",
        "trail/logs/app-1/vault.sqlite",
        "trail/callers.sqlite",
        "trail/keys/app-1.pem",
        "trail/trail.json",
        "trail/trust",
        "trail.lock/app-1.sqlite",
        "trail.lock/trail.json",
    ],
)
def test_a_change_of_one_byte_is_found_or_changes_nothing(
    trail: Path, file: str
) -> None:
    path = trail.parent / file
    before = everything(trail)
    size = path.stat().st_size
    random_ = random.Random(file)
    offsets = range(size) if size <= PER_FILE else random_.sample(range(size), PER_FILE)
    found = 0

    for offset in offsets:
        old = changed(path, offset=offset, mask=random_.choice((1, 0x20, 0x80, 0xFF)))
        try:
            found += require_found_or_harmless(
                trail, before, what=f"{file} at {offset}"
            )
        finally:
            path.write_bytes(old)

    assert found > 0
    assert everything(trail) == before


def test_a_change_of_any_byte_of_a_record_is_found_and_its_place_is_named(
    trail: Path,
) -> None:
    path = trail / "logs/app-1/log.sqlite"
    data = path.read_bytes()
    stored = list(entries(trail))

    for entry in stored:
        start = data.index(entry.body)
        for offset in range(start, start + len(entry.body), 13):
            old = changed(path, offset=offset, mask=0x01)
            with pytest.raises(TamperedError) as caught:
                verify_trail(trail)
            path.write_bytes(old)
            assert entry.name in str(caught.value), offset
    verify_trail(trail)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_however_records_are_appended_the_root_is_that_of_their_bytes(
    batches: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("batches") / "trail"

    for count in batches:
        trail = Trail.open_or_create(directory)
        for _ in range(count):
            trail.append_decision(decision(), caller=None, content={})
        trail.close()

    (log,) = TrailReader.open(directory).logs
    from policyguard.tlog import leaf_hash

    leaves = [leaf_hash(entry.body) for entry in log.entries()]
    assert len(leaves) == 1 + sum(batches)
    assert log.head().frontier.root() == root_of(leaves)
    verify_trail(directory)


@given(body=st.binary(max_size=300))
def test_bytes_that_are_no_record_raise_only_what_is_documented(body: bytes) -> None:
    entry = Entry(origin="acme.example/app-1", index=1, body=body, leaf=b"")

    with pytest.raises(FormatError, match="entry 1 of acme"):
        entry.record()


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_identity_raise_only_what_is_documented(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "identity.json"
    path.write_bytes(data)

    with pytest.raises(PolicyGuardError):
        read_identity(path)
