"""Go's own transparency log packages verify what we export, and find what was changed.

No code of the project takes part in the verification: `goverify/main.go` reads the
directory with `golang.org/x/mod/sumdb/note` and `golang.org/x/mod/sumdb/tlog`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from house.repository import DOCS, marked_blocks
from outsiders import quorum_of, shelf_of, taken, witness_for
from trails import outcome

from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.outside.anchor import Outside
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.identity import new_id
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.text import encode_base64
from policyguard.tlog import (
    Frontier,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    verify_inclusion,
)
from policyguard.tlog.tile import decode_bundle, encode_bundle

SOURCE = Path(__file__).with_name("goverify")
GO = shutil.which("go")
MISSING = "nothing was verified by Go: "
pytestmark = pytest.mark.skipif(GO is None, reason=f"{MISSING}there is no `go`")
# The Go that is there, and the module versions that go.sum names.
ENVIRONMENT = {
    **os.environ,
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-mod=readonly -buildvcs=false",
}
# Size 0 cannot be exported: a log that has a head begins with its genesis record.
SIZES = (1, 2, 255, 256, 257)
# Around 256 x 256: at the second, a level of the tiles begins.
EDGE = (65_535, 65_536, 65_537)

Verify = Callable[..., subprocess.CompletedProcess[str]]


def run_go(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GO or "go", *arguments],
        cwd=SOURCE,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    fetched = run_go("mod", "download")
    if fetched.returncode != 0:
        pytest.skip(f"{MISSING}no golang.org/x/mod: {fetched.stderr.strip()[-300:]}")
    program = tmp_path_factory.mktemp("goverify") / "goverify"
    built = run_go("build", "-o", str(program), ".")
    assert built.returncode == 0, built.stderr

    def verify(
        directory: Path, vkey: VerifierKey, *proofs: Path
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, directory, vkey.format(), *proofs],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return verify


def made_log(trail: Path, *, size: int) -> Log:
    """Make a log of a genesis record and outcomes."""
    Trail.create(trail, name="acme.example").close()
    body = canonical_bytes(outcome(new_id()).model_dump(mode="json"))
    prefix, suffix = body.split(b'"id":"', 1)
    if size > 1:
        writer = claim_writer(Layout.of(trail), name=None, role="app")
        writer.append(
            [
                prefix + b'"id":"' + b"%08x" % index + suffix[8:]
                for index in range(1, size)
            ],
            sealed=[],
        )
        writer.close()
    (log,) = TrailReader.open(trail).logs
    return log


@pytest.mark.parametrize("size", SIZES)
def test_go_verifies_every_entry_of_an_export(
    size: int, verify: Verify, tmp_path: Path
) -> None:
    log = made_log(tmp_path / "trail", size=size)
    checkpoint = export_tiles(log, tmp_path / "out").checkpoint

    done = verify(tmp_path / "out", log.vkey)

    root = checkpoint.format().splitlines()[2]
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"{size} entries, root {root}\n",
        "",
    )


def test_go_and_we_verify_a_log_that_grows_past_a_full_tile_of_tiles(
    verify: Verify, tmp_path: Path
) -> None:
    log, out = made_log(tmp_path / "trail", size=EDGE[0]), tmp_path / "out"
    said = []

    for size in EDGE:
        if log.head().size < size:
            trail = Trail.open(tmp_path / "trail")
            trail.append(outcome(new_id()))
            trail.close()
        signed = export_tiles(log, out).checkpoint
        by_go = verify(out, log.vkey).stdout
        tiles = verify_tiles(out, vkeys=[log.vkey])
        whole = verify_trail(tmp_path / "trail").logs
        (newest,) = log.entries(start=size - 1)
        proof = log.proof(size - 1).hashes
        verify_inclusion(
            index=size - 1,
            size=size,
            leaf_hash=newest.leaf,
            root=signed.root,
            proof=proof,
        )
        assert tiles == signed
        assert whole == ((log.origin, size, signed.root),)
        said.append((by_go, len(proof)))

    roots = [line.rpartition(" ")[2] for line, _ in said]
    assert [(line.split(",")[0], length) for line, length in said] == [
        ("65535 entries", 15),
        ("65536 entries", 16),
        ("65537 entries", 1),
    ]
    assert len(set(roots)) == 3
    assert sorted(path.name for path in (out / "tile/2/000.p").iterdir()) == ["1"]
    assert len(list((out / "tile/1").iterdir())) == 1


def test_go_verifies_an_export_that_has_grown(verify: Verify, tmp_path: Path) -> None:
    log = made_log(tmp_path / "trail", size=300)
    export_tiles(log, tmp_path / "out")
    trail = Trail.open(tmp_path / "trail")
    for _ in range(300):
        trail.append(outcome(new_id()))
    trail.close()
    export_tiles(log, tmp_path / "out")

    done = verify(tmp_path / "out", log.vkey)

    assert (done.returncode, done.stdout.split(",")[0]) == (0, "600 entries")


def test_go_verifies_a_log_that_was_rotated_and_cosigned(
    verify: Verify, tmp_path: Path
) -> None:
    made_log(tmp_path / "trail", size=300)
    trail = Trail.open(tmp_path / "trail")
    trail.rotate_key()
    trail.close()
    with witness_for(tmp_path / "trail", tmp_path / "state.json") as (_, known):
        taken(tmp_path / "trail", Outside(trust=quorum_of(known)))
    (log,) = TrailReader.open(tmp_path / "trail").logs
    export_tiles(log, tmp_path / "out", shelf=shelf_of(log))

    by_key = [verify(tmp_path / "out", vkey) for vkey in log.vkeys]

    # The head is that of the handover: both keys have signed it, and a witness has.
    assert (tmp_path / "out/checkpoint").read_text().count("\n— ") == 3
    assert [(done.returncode, done.stdout.split(",")[0]) for done in by_key] == [
        (0, "301 entries"),
        (0, "301 entries"),
    ]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, VerifierKey]:
    folder = tmp_path_factory.mktemp("exported")
    log = made_log(folder / "trail", size=600)
    export_tiles(log, folder / "out")
    return folder / "out", log.vkey


def test_go_accepts_our_proofs_of_inclusion_and_consistency_and_no_changed_one(
    verify: Verify, exported: tuple[Path, VerifierKey], tmp_path: Path
) -> None:
    out, vkey = exported
    entries = [
        entry
        for path, width in (("000", 256), ("001", 256), ("002.p/88", 88))
        for entry in decode_bundle(
            (out / "tile/entries" / path).read_bytes(), width=width
        )
    ]
    tree = [leaf_hash(entry) for entry in entries]
    size = len(tree)
    lines = [
        (
            "record",
            index,
            tree[index],
            prove_inclusion(index=index, size=size, tree=tree),
        )
        for index in (0, 1, 255, 256, 511, 512, 598, 599)
    ] + [
        (
            "tree",
            old,
            Frontier().extend(tree[:old]).root(),
            prove_consistency(old_size=old, new_size=size, tree=tree),
        )
        for old in (1, 2, 255, 256, 257, 512, 599, 600)
    ]

    def said_of(*proofs: tuple[str, int, bytes, tuple[bytes, ...]]) -> str:
        (tmp_path / "proofs").write_text(
            "".join(
                " ".join([kind, str(number), *map(encode_base64, (first, *hashes))])
                + "\n"
                for kind, number, first, hashes in proofs
            )
        )
        done = verify(out, vkey, tmp_path / "proofs")
        return done.stderr.partition(":")[0] if done.returncode else "accepted"

    assert said_of(*lines) == "accepted"
    for kind, number, first, hashes in lines:
        flipped = bytes([first[0] ^ 1]) + first[1:]
        assert said_of((kind, number, flipped, hashes)) == f"{kind} {number}"
        if hashes:
            cut = said_of((kind, number, first, hashes[:-1]))
            assert cut == f"{kind} {number}"


def test_the_program_of_the_guide_accepts_a_proof_and_no_other_record_or_key(
    exported: tuple[Path, VerifierKey], tmp_path: Path
) -> None:
    if run_go("mod", "download").returncode != 0:
        pytest.skip(f"{MISSING}no golang.org/x/mod")
    guide = (DOCS / "how-to/verify-with-go.md").read_text("utf-8")
    for name in ("go.mod", "go.sum"):
        shutil.copy(SOURCE / name, tmp_path)
    page = marked_blocks(DOCS / "how-to/verify-with-go.md")
    (tmp_path / "main.go").write_text(page["go-program"])
    built = run_go("build", "-C", str(tmp_path), "-o", "verify", ".")
    assert built.returncode == 0, built.stderr
    (log,) = TrailReader.open(exported[0].parent / "trail").logs
    entry = next(iter(log.entries(start=256)))
    (tmp_path / "proof").write_text(log.proof(256).format())

    def said(vkey: VerifierKey, record: bytes) -> tuple[int, str]:
        (tmp_path / "record").write_bytes(record)
        done = subprocess.run(
            [tmp_path / "verify", vkey.format(), "proof", "record"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    other = VerifierKey.of_signer(Ed25519Signer.generate(key_name=log.origin))
    assert said(log.vkey, entry.body) == (0, f"record 256 of 600 in {log.origin}\n")
    assert said(log.vkey, entry.body + b" ") == (1, "")
    assert said(other, entry.body) == (1, "")
    version = (SOURCE / "go.mod").read_text().split()[-1]
    assert f"golang.org/x/mod@{version}" in guide


def reword(out: Path) -> None:
    path = out / "tile/entries/001"
    entries = list(decode_bundle(path.read_bytes(), width=256))
    entries[44] = entries[44].replace(b'"complete"', b'"failed"')
    path.write_bytes(encode_bundle(entries))


def reword_with_its_hash(out: Path) -> None:
    reword(out)
    entries = decode_bundle((out / "tile/entries/001").read_bytes(), width=256)
    (out / "tile/0/001").write_bytes(b"".join(map(leaf_hash, entries)))


def reorder(out: Path) -> None:
    path = out / "tile/entries/002.p/88"
    entries = decode_bundle(path.read_bytes(), width=88)
    path.write_bytes(encode_bundle([*entries[:86], entries[87], entries[86]]))


def leave_one_out(out: Path) -> None:
    path = out / "tile/entries/000"
    entries = decode_bundle(path.read_bytes(), width=256)
    path.write_bytes(encode_bundle(entries[1:]))


def resize(out: Path) -> None:
    text = (out / "checkpoint").read_text()
    (out / "checkpoint").write_text(text.replace("\n600\n", "\n599\n"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (reword, "entry 300 was changed"),
        (reword_with_its_hash, "tiles of entries 256 to 511"),
        (reorder, "entry 598 was changed"),
        (leave_one_out, "entries 0 to 255"),
        (lambda out: (out / "tile/entries/002.p/88").unlink(), "entries 512 to 599"),
        (lambda out: (out / "tile/0/000").unlink(), "tiles of entries 0 to 255"),
        (resize, "checkpoint: "),
    ],
)
def test_go_finds_what_was_changed_and_names_the_place(
    change: Callable[[Path], object],
    message: str,
    verify: Verify,
    exported: tuple[Path, VerifierKey],
    tmp_path: Path,
) -> None:
    out = Path(shutil.copytree(exported[0], tmp_path / "out"))
    change(out)

    done = verify(out, exported[1])

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_go_refuses_another_key(
    verify: Verify, exported: tuple[Path, VerifierKey]
) -> None:
    out, vkey = exported
    other = VerifierKey.of_signer(Ed25519Signer.generate(key_name=vkey.key_name))

    done = verify(out, other)

    assert done.returncode == 1
    assert "checkpoint: " in done.stderr
