"""Exporting a log as tiles: only what is new is written, and every change is found."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trails import copied, made_trail, outcome

from policyguard.audit.export import tile_files
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    PolicyGuardError,
    TamperedError,
    TrailError,
)
from policyguard.identity import new_id
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import (
    EMPTY_ROOT,
    Checkpoint,
    leaf_hash,
    open_checkpoint,
    prove_inclusion,
    sign_checkpoint,
    verify_inclusion,
)
from policyguard.tlog.tile import (
    TilePath,
    bundles_of,
    decode_bundle,
    encode_bundle,
    hash_tiles,
    tile_reader,
    tiles_of,
)

NAME = "acme.example"
NEEDED = {
    "checkpoint",
    *(path.format() for path in (*tiles_of(600), *bundles_of(600))),
}


def grow(trail: Path, to: int) -> Log:
    """Write records until the one log of a trail has so many."""
    writer = claim_writer(Layout.of(trail), name=NAME, role="app")
    size = writer.store.head.size if writer.store.head else 0
    bodies = [
        canonical_bytes(outcome(new_id()).model_dump(mode="json"))
        for _ in range(to - size)
    ]
    if bodies:
        writer.append(bodies, sealed=[])
    writer.close()
    (log,) = TrailReader.open(trail).logs
    return log


def files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def expected_files(log: Log) -> dict[str, bytes]:
    """Return what an export has to be, from the definition."""
    head = log.head()
    bodies = [entry.body for entry in log.entries()]
    tiles = hash_tiles(map(leaf_hash, bodies))
    return (
        {"checkpoint": head.note.encode()}
        | {path.format(): data for path, data in tiles.items()}
        | {
            path.format(): encode_bundle(bodies[path.index * 256 :][: path.width])
            for path in bundles_of(head.size)
        }
    )


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trail = tmp_path_factory.mktemp("grown") / "trail"
    Trail.create(trail, name=NAME).close()
    export_tiles(grow(trail, 600), trail.parent / "out")
    return trail


@pytest.fixture
def log(grown: Path, tmp_path: Path) -> Log:
    (log,) = TrailReader.open(copied(grown, tmp_path / "trail")).logs
    return log


@pytest.fixture
def out(grown: Path, tmp_path: Path) -> Path:
    """Return an export of 600 records."""
    return Path(shutil.copytree(grown.parent / "out", tmp_path / "out"))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_an_export_has_exactly_the_files_of_its_size(size: int, tmp_path: Path) -> None:
    # Size 0 cannot be: a log that has a head begins with its genesis record.
    Trail.create(tmp_path / "trail", name=NAME).close()
    log = grow(tmp_path / "trail", size)
    told: list[tuple[str, int, int]] = []

    done = export_tiles(log, tmp_path / "out", progress=lambda *args: told.append(args))

    assert files(tmp_path / "out") == expected_files(log)
    assert (done.before, done.checkpoint.size) == (0, size)
    assert done.files == len(list(tiles_of(size))) + len(list(bundles_of(size)))
    assert verify_tiles(tmp_path / "out", vkeys=[log.vkey]) == done.checkpoint
    assert told[-1] == (log.origin, size, size)


def test_a_log_that_has_no_record_yet_cannot_be_exported(
    log: Log, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute("DELETE FROM head")
    connection.close()

    with pytest.raises(TrailError, match="has no records"):
        export_tiles(log, tmp_path / "new")
    assert files(tmp_path / "new") == {}


def test_an_empty_log_of_others_verifies(tmp_path: Path) -> None:
    signer = Ed25519Signer.generate(key_name="other.example/log")
    empty = Checkpoint(origin="other.example/log", size=0, root=EMPTY_ROOT)
    (tmp_path / "checkpoint").write_text(sign_checkpoint(empty, signer=signer))

    assert verify_tiles(tmp_path, vkeys=[VerifierKey.of_signer(signer)]) == empty


def test_what_is_exported_is_for_its_owner_alone(log: Log, tmp_path: Path) -> None:
    export_tiles(log, tmp_path / "new")

    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "sizes",
    [
        (1, 2, 3),
        (255, 256, 257),
        (256, 512, 513),
        (10, 600),
        (300, 511, 512),
        (300, 400, 1100),
    ],
)
def test_growth_adds_files_and_rewrites_no_full_one(
    sizes: tuple[int, ...], tmp_path: Path
) -> None:
    Trail.create(tmp_path / "trail", name=NAME).close()
    out = tmp_path / "out"
    before = 0
    for size in sizes:
        log = grow(tmp_path / "trail", size)
        old = {path: (out / path).stat() for path in files(out)} if before else {}

        done = export_tiles(log, out)

        new = [*tiles_of(size, since=before), *bundles_of(size, since=before)]
        assert (done.before, done.files) == (before, len(new))
        stored = files(out)
        needed = expected_files(log)
        assert needed.items() <= stored.items()
        # What stays are the partial tiles of what was published, until they are full.
        for name in stored.keys() - needed.keys():
            path = TilePath.parse(name)
            place = TilePath(level=path.level, index=path.index)
            assert not path.is_full
            assert place.end > size
            assert name in old
        for name, status in old.items():
            if name != "checkpoint" and name in stored:
                now = (out / name).stat()
                assert (now.st_ino, now.st_mtime_ns) == (
                    status.st_ino,
                    status.st_mtime_ns,
                )
        assert verify_tiles(out, vkeys=[log.vkey]).size == size
        before = size


def test_a_published_partial_tile_stays_until_its_full_one_is_there(
    tmp_path: Path,
) -> None:
    Trail.create(tmp_path / "trail", name=NAME).close()
    for size in (300, 400):
        export_tiles(grow(tmp_path / "trail", size), tmp_path / "out")
    assert {name for name in files(tmp_path / "out") if ".p/" in name} == {
        "tile/0/001.p/44",
        "tile/0/001.p/144",
        "tile/entries/001.p/44",
        "tile/entries/001.p/144",
        "tile/1/000.p/1",
    }

    export_tiles(grow(tmp_path / "trail", 512), tmp_path / "out")

    assert {name for name in files(tmp_path / "out") if ".p/" in name} == {
        "tile/1/000.p/1",
        "tile/1/000.p/2",
    }


def test_exporting_again_changes_no_byte_and_keeps_cosignatures(
    log: Log, out: Path
) -> None:
    with (out / "checkpoint").open("a") as file:
        file.write("— witness.example AAAAAAAA" + "A" * 88 + "\n")
    before = files(out)

    done = export_tiles(log, out)

    assert (done.before, done.files) == (600, 0)
    assert files(out) == before


def test_a_writer_may_go_on_while_its_log_is_exported(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name=NAME)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            trail.append(outcome(new_id()))

    thread = threading.Thread(target=write)
    thread.start()
    (log,) = TrailReader.open(tmp_path / "trail").logs
    sizes = []
    try:
        for _ in range(15):
            sizes.append(export_tiles(log, tmp_path / "out").checkpoint.size)
            assert verify_tiles(tmp_path / "out", vkeys=[log.vkey]).size == sizes[-1]
    finally:
        stop.set()
        thread.join()
    trail.close()

    assert sizes == sorted(sizes)
    assert sizes[-1] > 1


def test_two_exporters_at_once_leave_the_newest_checkpoint(
    log: Log, tmp_path: Path
) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            export_tiles(log, tmp_path / "new")
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert files(tmp_path / "new") == expected_files(log)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_an_export_that_is_cut_off_anywhere_is_taken_up_again(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trail.create(tmp_path / "trail", name=NAME).close()
    first = grow(tmp_path / "trail", 300)
    export_tiles(first, tmp_path / "first")
    log = grow(tmp_path / "trail", 600)
    genuine = os.fsync if call == "fsync" else Path.replace
    cut = 0

    while True:
        out = Path(shutil.copytree(tmp_path / "first", tmp_path / f"out-{cut}"))
        left = cut

        def kill(*args: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise _Killed
            return genuine(*args)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(os if call == "fsync" else Path, call, kill)
            try:
                export_tiles(log, out)
            except _Killed:
                pass
            else:
                break
        # Whatever was cut off: what is published is whole, the old or the new.
        assert verify_tiles(out, vkeys=[log.vkey]).size in {300, 600}
        export_tiles(log, out)
        assert verify_tiles(out, vkeys=[log.vkey]).size == 600
        stored = files(out)
        assert expected_files(log).items() <= stored.items()
        assert [name for name in stored if "tmp" in name and "tile" in name] == []
        cut += 1
        shutil.rmtree(out)

    assert cut >= len([*tiles_of(600, since=300), *bundles_of(600, since=300)]) + 1


def test_the_checkpoint_is_written_after_all_that_it_covers_is_durable(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new"
    events: list[tuple[str, str]] = []
    sync, replace = os.fsync, Path.replace

    def noting_sync(descriptor: int) -> None:
        sync(descriptor)
        target = Path(f"/dev/fd/{descriptor}").resolve()
        events.append(("sync", str(target)))

    def noting_replace(draft: Path, target: Path) -> Path:
        assert ("sync", str(draft)) in events
        events.append(("name", str(target)))
        return replace(draft, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    export_tiles(log, out)

    published = events.index(("name", str(out / "checkpoint")))
    named = {target for what, target in events[:published] if what == "name"}
    assert named == {str(out / name) for name in expected_files(log)} - {
        str(out / "checkpoint")
    }
    last = max(at for at, (what, _) in enumerate(events[:published]) if what == "name")
    synced = {target for what, target in events[last:published] if what == "sync"}
    folders = {str(path) for path in out.rglob("*") if path.is_dir()}
    assert folders | {str(out), str(tmp_path)} <= synced
    assert events[-1] == ("sync", str(out))


def test_tiles_of_a_cut_off_export_of_a_damaged_log_are_replaced(
    log: Log, tmp_path: Path
) -> None:
    good = log.path.read_bytes()
    with closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute(
            "UPDATE entry SET body = CAST('{}' AS BLOB) WHERE idx IN (3, 590)"
        )
    connection.close()
    with pytest.raises(TamperedError, match="first 600 records"):
        export_tiles(log, tmp_path / "new")
    assert "checkpoint" not in files(tmp_path / "new")
    assert "tile/entries/000" in files(tmp_path / "new")

    log.path.write_bytes(good)
    export_tiles(grow(log.layout.directory, 650), tmp_path / "new")

    assert files(tmp_path / "new") == expected_files(log)
    verify_tiles(tmp_path / "new", vkeys=[log.vkey])


def test_a_record_that_is_missing_from_the_log_is_named(
    log: Log, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute("DELETE FROM entry WHERE idx = 300")
    connection.close()

    with pytest.raises(TamperedError, match=r"entry 300 of .* is missing"):
        export_tiles(log, tmp_path / "new")
    assert "checkpoint" not in files(tmp_path / "new")


def test_a_log_that_was_put_back_is_not_exported(
    log: Log, out: Path, tmp_path: Path
) -> None:
    older = copied(log.layout.directory, tmp_path / "older")
    export_tiles(grow(log.layout.directory, 601), out)
    before = files(out)

    with pytest.raises(TamperedError, match="put back: it has 600 records and 601"):
        export_tiles(TrailReader.open(older).logs[0], out)
    assert files(out) == before


@pytest.mark.parametrize("size", [600, 601, 900])
@pytest.mark.parametrize("common", [1, 512, 520, 599])
def test_another_history_of_the_same_log_is_not_exported(
    common: int, size: int, tmp_path: Path
) -> None:
    Trail.create(tmp_path / "trail", name=NAME).close()
    grow(tmp_path / "trail", common)
    other = copied(tmp_path / "trail", tmp_path / "other")
    export_tiles(grow(tmp_path / "trail", 600), tmp_path / "out")
    before = (tmp_path / "out/checkpoint").read_bytes()
    forked = grow(other, size)

    with pytest.raises(TamperedError, match="first 600 records"):
        export_tiles(forked, tmp_path / "out")
    assert (tmp_path / "out/checkpoint").read_bytes() == before


def test_a_directory_has_the_export_of_one_log(out: Path, tmp_path: Path) -> None:
    made_trail(tmp_path / "beta", name="beta.example")
    (beta,) = TrailReader.open(tmp_path / "beta").logs
    before = files(out)

    with pytest.raises(ConfigurationError, match="another log"):
        export_tiles(beta, out)
    assert files(out) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda out: (out / "tile/1/000.p/2").write_bytes(b"x" * 64),
        lambda out: (out / "tile/1/000.p/2").unlink(),
        lambda out: (out / "tile/0/002.p/88").write_bytes(b"x" * 88 * 32),
        lambda out: (out / "tile/entries/002.p/88").write_bytes(b"x"),
        lambda out: (out / "checkpoint").write_bytes(b"acme.example/app-1\n"),
    ],
)
def test_an_export_whose_edge_was_changed_is_not_continued(
    change: Callable[[Path], object], log: Log, out: Path
) -> None:
    change(out)
    before = files(out)

    with pytest.raises(TamperedError):
        export_tiles(log, out)
    assert files(out) == before


def test_a_directory_that_cannot_be_written_is_named(log: Log, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(TrailError, match="file/new"):
        export_tiles(log, tmp_path / "file/new")


def test_a_full_disk_publishes_nothing(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        genuine(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrailError, match="no space left on device"):
            export_tiles(log, tmp_path / "new")

    assert files(tmp_path / "new") == {}
    export_tiles(log, tmp_path / "new")
    assert files(tmp_path / "new") == expected_files(log)


def _export_forever(trail: str, out: str) -> None:
    (log,) = TrailReader.open(trail).logs
    while True:
        export_tiles(log, out)
        shutil.rmtree(out)


def test_a_reader_never_sees_half_a_file(log: Log, tmp_path: Path) -> None:
    out = tmp_path / "new"
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=_export_forever, args=(str(log.layout.directory), str(out))
    )
    process.start()
    needed = expected_files(log)
    seen = 0
    try:
        while seen < 200:
            for name, data in needed.items():
                try:
                    found = (out / name).read_bytes()
                except (FileNotFoundError, NotADirectoryError):
                    continue
                assert found == data, name
                seen += 1
    finally:
        process.kill()
        process.join()


def test_proofs_are_made_from_the_directory_alone(log: Log, out: Path) -> None:
    checkpoint = open_checkpoint((out / "checkpoint").read_bytes(), vkeys=[log.vkey])
    node = tile_reader(size=600, read=lambda path: (out / path.format()).read_bytes())
    entries = decode_bundle((out / "tile/entries/001").read_bytes(), width=256)

    proof = prove_inclusion(index=300, size=600, tree=node)

    assert proof == log.proof(300).hashes
    verify_inclusion(
        leaf_hash=leaf_hash(entries[44]),
        index=300,
        size=600,
        proof=proof,
        root=checkpoint.root,
    )


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def reword(path: Path, index: int, *, width: int) -> bytes:
    """Change one entry of a bundle, and return its new leaf hash."""
    entries = list(decode_bundle(path.read_bytes(), width=width))
    entries[index] = entries[index].replace(b'"complete"', b'"failed"')
    path.write_bytes(encode_bundle(entries))
    return leaf_hash(entries[index])


def reword_with_its_hash(out: Path) -> None:
    leaf = reword(out / "tile/entries/000", 7, width=256)
    data = bytearray((out / "tile/0/000").read_bytes())
    data[7 * 32 : 8 * 32] = leaf
    (out / "tile/0/000").write_bytes(data)


def reorder(out: Path) -> None:
    path = out / "tile/entries/001"
    entries = list(decode_bundle(path.read_bytes(), width=256))
    entries[3], entries[4] = entries[4], entries[3]
    path.write_bytes(encode_bundle(entries))


def leave_one_out(out: Path) -> None:
    path = out / "tile/entries/001"
    entries = decode_bundle(path.read_bytes(), width=256)
    path.write_bytes(encode_bundle(entries[1:]))


def sign_smaller(out: Path) -> None:
    text = (out / "checkpoint").read_text()
    (out / "checkpoint").write_text(text.replace("\n600\n", "\n599\n"))


def sign_with_another_key(out: Path) -> None:
    lines = (out / "checkpoint").read_text().splitlines()
    signer = Ed25519Signer.generate(key_name=lines[0])
    head = Checkpoint.parse("\n".join(lines[:3]) + "\n")
    (out / "checkpoint").write_text(sign_checkpoint(head, signer=signer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda out: reword(out / "tile/entries/001", 44, width=256),
            "entry 300 of acme.example/app-1 was changed",
        ),
        (
            lambda out: reword(out / "tile/entries/002.p/88", 87, width=88),
            "entry 599 of acme.example/app-1 was changed",
        ),
        (reword_with_its_hash, "`tile/0/000` of acme.example/app-1 was changed"),
        (reorder, "entry 259 of acme.example/app-1 was changed"),
        (leave_one_out, "entries from 256 to 511 of acme.example/app-1 were changed"),
        (
            lambda out: (out / "tile/entries/002.p/88").unlink(),
            "entries 512 to 599 of acme.example/app-1 are missing",
        ),
        (lambda out: flip(out / "tile/0/001", 40), "`tile/0/001` of acme"),
        (lambda out: flip(out / "tile/0/002.p/88", 40), "one of `tile/0/002.p/88`"),
        (lambda out: flip(out / "tile/1/000.p/2", 40), "`tile/1/000.p/2` was changed"),
        (lambda out: (out / "tile/0/001").unlink(), "`tile/0/001` is missing"),
        (lambda out: (out / "tile/0/001").write_bytes(b""), "have 0 bytes"),
        (lambda out: (out / "tile/0/x").write_bytes(b""), "a file that no log has"),
        (
            lambda out: (
                (out / "tile/0/000.p").mkdir()
                or (out / "tile/0/000.p/1").write_bytes(b"x" * 32)
            ),
            "`tile/0/000.p/1` of acme.example/app-1 was changed",
        ),
        (
            lambda out: (
                (out / "tile/entries/000.p").mkdir()
                or (out / "tile/entries/000.p/1").write_bytes(b"\0\1x")
            ),
            "it is not the beginning of `tile/entries/000`",
        ),
        (sign_smaller, "the checkpoint cannot be verified"),
        (sign_with_another_key, "the checkpoint cannot be verified"),
        (lambda out: (out / "checkpoint").write_bytes(b"\xff"), "not UTF-8"),
        (lambda out: (out / "checkpoint").unlink(), "the checkpoint is missing"),
    ],
)
def test_every_change_of_an_export_is_found_and_its_place_is_named(
    change: Callable[[Path], object], message: str, log: Log, out: Path
) -> None:
    change(out)

    with pytest.raises(TamperedError, match=message):
        verify_tiles(out, vkeys=[log.vkey])


def test_a_change_of_any_byte_is_found(log: Log, out: Path) -> None:
    for path in [path for path in out.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 4)):
            flip(path, at)
            with pytest.raises(TamperedError):
                verify_tiles(out, vkeys=[log.vkey])
            path.write_bytes(data)

    verify_tiles(out, vkeys=[log.vkey])


def test_where_there_is_no_export_it_is_said(log: Log, tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(TrailError, match="no export"):
            verify_tiles(place, vkeys=[log.vkey])


def test_without_the_log_s_key_nothing_verifies(out: Path) -> None:
    other = VerifierKey.of_signer(Ed25519Signer.generate(key_name="other.example"))

    for vkeys in ([], [other]):
        with pytest.raises(TamperedError, match="cannot be verified"):
            verify_tiles(out, vkeys=vkeys)


def test_what_is_beyond_the_checkpoint_does_not_count(
    log: Log, out: Path, tmp_path: Path
) -> None:
    export_tiles(grow(log.layout.directory, 800), tmp_path / "newer")
    shutil.copytree(tmp_path / "newer/tile", out / "tile", dirs_exist_ok=True)
    (out / "tile/entries/.000.abc.tmp").write_bytes(b"half")

    assert verify_tiles(out, vkeys=[log.vkey]).size == 600


def test_a_record_that_no_bundle_takes_is_refused(tmp_path: Path) -> None:
    Trail.create(tmp_path / "trail", name=NAME).close()
    writer = claim_writer(Layout.of(tmp_path / "trail"), name=NAME, role="app")
    writer.append([b'"' + b"x" * 65_534 + b'"'], sealed=[])
    writer.close()
    (log,) = TrailReader.open(tmp_path / "trail").logs

    with pytest.raises(FormatError, match="longer than 65,535"):
        export_tiles(log, tmp_path / "out")
    assert files(tmp_path / "out") == {}


def test_a_pipe_in_place_of_a_file_is_no_file(log: Log, out: Path) -> None:
    (out / "tile/entries/001").unlink()
    os.mkfifo(out / "tile/entries/001")

    with pytest.raises(TamperedError, match=r"entries 256 to 511 of .* are missing"):
        verify_tiles(out, vkeys=[log.vkey])


@settings(max_examples=40)
@given(data=st.binary(max_size=200), file=st.sampled_from(sorted(NEEDED)))
def test_any_bytes_in_any_file_raise_only_what_is_documented(
    data: bytes, file: str, log: Log, out: Path
) -> None:
    before = (out / file).read_bytes()
    (out / file).write_bytes(data)
    try:
        with pytest.raises(TamperedError):
            verify_tiles(out, vkeys=[log.vkey])
    finally:
        (out / file).write_bytes(before)


def test_a_directory_in_place_of_a_file_is_no_file(log: Log, out: Path) -> None:
    (out / "tile/0/000").unlink()
    (out / "tile/0/000").mkdir()

    with pytest.raises(TamperedError, match="is missing"):
        verify_tiles(out, vkeys=[log.vkey])
    with pytest.raises(PolicyGuardError):
        tile_files.read_tile(out, TilePath(level=0, index=0))
