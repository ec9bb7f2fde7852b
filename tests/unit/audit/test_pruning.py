"""Pruning an export: old records go after their time, and the rest is still proved."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from trails import CALLER, DIGEST, TIME, decision, outcome

from policyguard.audit.export.pruning import Pruned, prune_tiles
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.retention import Keeping, LegalHold
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Sealed
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    NewerRecordError,
    TamperedError,
    TrailError,
)
from policyguard.identity import new_id
from policyguard.vocabulary.record import ApprovalRecord

LATER = date(2120, 1, 1)
EAR = {"id": "EAR-01", "effect": "advise", "status": "in_force", "verified": True}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a trail of 900 records with a decision of the EAR at 600, and export it."""
    folder = tmp_path_factory.mktemp("pruning")
    trail = Trail.create(folder / "trail", name="acme.example")
    for index in range(1, 900):
        if index == 600:
            trail.append_decision(decision(rules=[EAR]), caller=CALLER, content={})
        else:
            trail.append_later(outcome("x"), failed=lambda _: None)
            trail.flush()
    trail.close()
    export_tiles(log_of(folder), folder / "out")
    return folder


def log_of(folder: Path) -> Log:
    return TrailReader.open(folder / "trail").logs[0]


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def pruned(
    folder: Path,
    *,
    below: int,
    today: date = LATER,
    keeping: Keeping | None = None,
) -> Pruned:
    return prune_tiles(
        log_of(folder),
        folder / "out",
        below=below,
        keeping=keeping or Keeping(),
        today=today,
    )


def verify(folder: Path, *, minimum: int) -> int:
    vkeys = [log_of(folder).vkey]
    return verify_tiles(folder / "out", vkeys=vkeys, minimum=minimum).size


@pytest.mark.parametrize(
    ("below", "minimum", "bundles"),
    [
        (0, 0, 0),
        (256, 256, 0),
        (511, 256, 0),
        (512, 512, 1),
        (768, 768, 2),
        (9999, 768, 2),
    ],
)
def test_whole_bundles_below_the_index_go(
    folder: Path, below: int, minimum: int, bundles: int
) -> None:
    assert pruned(folder, below=below) == Pruned(minimum=minimum, bundles=bundles)

    assert verify(folder, minimum=minimum) == 900


def test_who_was_not_told_finds_records_missing(folder: Path) -> None:
    pruned(folder, below=768)

    for minimum in (0, 256, 512, 767):
        with pytest.raises(TamperedError, match="are missing"):
            verify(folder, minimum=minimum)


def test_hashes_of_pruned_records_are_still_verified(folder: Path) -> None:
    pruned(folder, below=512)
    tile = folder / "out/tile/0/001"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])

    with pytest.raises(TamperedError):
        verify(folder, minimum=512)


def test_what_is_there_is_verified_below_the_minimum_too(folder: Path) -> None:
    bundle = folder / "out/tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(b"outcome", b"outcomf", 1))

    with pytest.raises(TamperedError):
        verify(folder, minimum=512)


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2026, 7, 11), "six months"),
        (date(2031, 7, 9), "entry 600 of .* until 2031-07-10 .*15 CFR 762.6"),
    ],
)
def test_nothing_goes_before_its_time(folder: Path, today: date, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        pruned(folder, below=768, today=today)

    assert verify(folder, minimum=0) == 900


def test_a_legal_hold_keeps_what_it_fits(folder: Path) -> None:
    keeping = Keeping(holds=(LegalHold(name="case"),))
    # Only decisions can be held: the one of the EAR is.

    with pytest.raises(ConfigurationError, match="until that is lifted"):
        pruned(folder, below=768, keeping=keeping)
    assert pruned(folder, below=512, keeping=keeping).bundles == 1


def approval() -> ApprovalRecord:
    return ApprovalRecord(
        kind="approval.grant", id=new_id(), time=TIME, approval=new_id(),
        decision=new_id(), rule="OFAC-01", tenant="acme", caller="ab" * 16,
        by="cd" * 16, until=TIME, uses=1, bundle=DIGEST,
        input=Sealed.of("x", b"x").commitment(),
    )  # fmt: skip


def test_an_approval_and_the_end_of_a_kept_call_have_to_be_kept_too(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    kept = decision(rules=[EAR])
    trail.append_decision(kept, caller=CALLER, content={})
    for index in range(2, 800):
        if index == 300:
            # The decision stays, in the bundle of the log's first record.
            trail.append_later(outcome(kept["id"]), failed=lambda _: None)
        elif index == 400:
            trail.append(approval())
        else:
            trail.append_later(outcome("x"), failed=lambda _: None)
    trail.close()
    export_tiles(log_of(tmp_path), tmp_path / "out")

    for index, year in ((300, 2028), (400, 2032)):
        with pytest.raises(ConfigurationError, match=f"prune below {index}"):
            pruned(tmp_path, below=512, today=date(year, 1, 1))
    assert pruned(tmp_path, below=9_999).bundles == 2


def test_an_export_from_before_a_rotation_is_pruned_as_well(folder: Path) -> None:
    trail = Trail.open(folder / "trail")
    trail.rotate_key()
    trail.close()

    assert pruned(folder, below=512).bundles == 1


def test_an_export_goes_on_after_it_was_pruned(folder: Path) -> None:
    pruned(folder, below=512)
    writer = Trail.open(folder / "trail")
    for _ in range(200):
        writer.append_later(outcome("x"), failed=lambda _: None)
    writer.close()

    export_tiles(log_of(folder), folder / "out")

    assert verify(folder, minimum=512) == 1100
    assert pruned(folder, below=512) == Pruned(minimum=512, bundles=0)
    assert pruned(folder, below=1024) == Pruned(minimum=1024, bundles=2)


def test_records_of_the_log_itself_stay(folder: Path) -> None:
    assert pruned(folder, below=256) == Pruned(minimum=256, bundles=0)

    bundle = folder / "out/tile/entries/000"
    assert bundle.exists()
    bundle.unlink()
    with pytest.raises(TamperedError):
        verify(folder, minimum=256)


def test_only_the_log_s_own_export_is_pruned(folder: Path, tmp_path: Path) -> None:
    other = Trail.create(tmp_path / "other/trail", name="other.example")
    other.close()

    with pytest.raises(TamperedError, match="none of"):
        prune_tiles(
            log_of(tmp_path / "other"),
            folder / "out",
            below=512,
            keeping=Keeping(),
            today=LATER,
        )
    with pytest.raises(TrailError, match="no export"):
        prune_tiles(log_of(folder), tmp_path, below=1, keeping=Keeping(), today=LATER)


def test_what_a_newer_version_has_recorded_is_not_pruned_by_an_older_one(
    tmp_path: Path,
) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    body = canonical_bytes(json.loads(body_of(outcome("x"))) | {"v": 2})
    writer = claim_writer(Layout.of(tmp_path / "trail"), name=None, role="app")
    writer.append([body] * 600, sealed=[])
    writer.close()
    export_tiles(log_of(tmp_path), tmp_path / "out")

    with pytest.raises(NewerRecordError, match=r"^entry 1 of .* of a newer version"):
        pruned(tmp_path, below=512)

    assert verify(tmp_path, minimum=0) == 601
