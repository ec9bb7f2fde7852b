"""Writes everything that is generated from the code, or checks that it is fresh.

Run as `python -m docs.generate [--check]`. With `--check` nothing is written, each
stale file is named, and the exit code is 1 if there is one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from docs import pages, samples
from policyguard.assembly import policy_set
from policyguard.bundle.rulebook import rulebook_bytes
from policyguard.bundle.source import load_directory
from policyguard.catalog.load import load_catalog
from policyguard.engines import kept
from policyguard.engines.regorus import RegorusEngine

ROOT: Final = Path(__file__).resolve().parent.parent
POLICIES: Final = ROOT / "policies"
REFERENCE: Final = ROOT / "docs" / "reference"


def rulebook() -> Mapping[Path, bytes]:
    """Return the rulebook, which is made from the METADATA of the rules."""
    return {POLICIES / "policyguard/rulebook/data.json": rulebook_bytes(POLICIES)}


def vectors() -> Mapping[Path, bytes]:
    """Return the golden vectors, with every fact that they lack as unknown."""
    path = POLICIES / "golden/vectors.json"
    return {path: samples.vectors(path.read_text("utf-8")).encode()}


def sample() -> Mapping[Path, bytes]:
    """Return the catalog for the rules' own tests, which is the golden vectors'."""
    text = (POLICIES / "golden/vectors.json").read_text("utf-8")
    path = POLICIES / "policyguard/fixture/catalog_test.rego"
    return {path: samples.sample(text).encode()}


def digests() -> Mapping[Path, bytes]:
    """Return the digests of bundle and catalog that the package trusts."""
    bundle = load_directory(POLICIES).digest
    catalog = load_catalog(sorted((POLICIES / "catalog").glob("*.yaml"))).digest
    text = f"bundle {bundle}\ncatalog {catalog}\n"
    return {ROOT / "policyguard/bundle/shipped.sha256": text.encode()}


def program() -> Mapping[Path, bytes]:
    """Return the program of the shipped policy, which each start would write again."""
    bundle = load_directory(POLICIES)
    catalog = load_catalog(sorted((POLICIES / "catalog").glob("*.yaml")))
    policy = policy_set(bundle=bundle, catalog=catalog)
    engine = RegorusEngine(keeps=False, compared=len(policy.golden))
    translated = engine.load(policy).translated
    if translated is None:
        raise SystemExit("the shipped policy is not compiled: see which form is new")
    made = kept.Kept(key=kept.key_of(policy), translated=translated)
    known = kept.FILE.read_bytes() if kept.FILE.is_file() else b""
    # Another build of zlib may write the same content in other bytes.
    with contextlib.suppress(ValueError):
        if kept.unpacked(known) == made:
            return {kept.FILE: known}
    return {kept.FILE: kept.packed(made)}


def reference() -> Mapping[Path, bytes]:
    """Return the generated parts of the reference, and the JSON Schemas."""
    texts = {
        REFERENCE / "generated" / name: text for name, text in pages.fragments().items()
    }
    texts |= {
        REFERENCE / "schemas" / name: text for name, text in pages.schemas().items()
    }
    return {path: text.encode() for path, text in texts.items()}


# The digest of the bundle covers rulebook and vectors, so these come first.
STEPS: Final[tuple[Callable[[], Mapping[Path, bytes]], ...]] = (
    rulebook,
    vectors,
    sample,
    digests,
    program,
    reference,
)


def stale() -> list[Path]:
    """Return generated files that are missing or not what they should be.

    What is made in a later step rests on the earlier ones, so the first step that has
    a stale file is the last that is looked at.
    """
    for step in STEPS:
        found = [path for path, data in step().items() if not _holds(path, data)]
        if found:
            return found
    return []


def write() -> list[Path]:
    """Write the generated files that have changed, and return them."""
    written: list[Path] = []
    for step in STEPS:
        for path, data in step().items():
            if _holds(path, data):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written.append(path)
    return written


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def main(arguments: Sequence[str]) -> int:
    """Write or check, and return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m docs.generate [--check]\n")
        return 2
    checking = bool(arguments)
    for path in (found := stale() if checking else write()):
        word = "stale, run `make fmt`:" if checking else "written:"
        sys.stdout.write(f"{word} {path.relative_to(ROOT)}\n")
    return 1 if checking and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
