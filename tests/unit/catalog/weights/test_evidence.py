"""Measured weights are held to a manifest, and become evidence with a digest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policyguard.catalog.load import Source, compile_catalog
from policyguard.catalog.schema import Weights
from policyguard.catalog.weights.evidence import evidence_digest, evidence_of, held_to
from policyguard.catalog.weights.measure import Measured, measure
from policyguard.errors import CatalogError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DAY = date(2026, 11, 1)
BASE = """\
version: "1"
models:
  m: {name: M, source: s, as_of: 2026-01-01}
weights:
  w: {model: m, repository: r, source: s, as_of: 2026-01-01}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03")
    (tmp_path / "README.md").write_text("# model")
    return tmp_path


def manifest(
    measured: Measured | None = None, *, revision: str | None = COMMIT
) -> Weights:
    return Weights(
        model="m",
        repository="r",
        revision=revision,
        files=measured.files if measured else None,
        digest=measured.digest if measured else None,
        source="s",
        as_of=DAY,
    )


def states(measured: Measured, against: Weights, revision: str | None) -> list[str]:
    found = held_to(measured, manifest=against, revision=revision, signature=None)
    return [item.state for item in found]


def test_weights_of_the_manifest_hold_but_nobody_signed_them(folder: Path) -> None:
    measured = measure(folder)

    assert states(measured, manifest(measured), COMMIT) == [
        "holds",
        "holds",
        "holds",
        "unknown",
    ]


def test_what_differs_is_named(folder: Path) -> None:
    against = manifest(measure(folder))
    (folder / "model.gguf").write_bytes(b"GGUF\x04")
    (folder / "README.md").unlink()
    (folder / "run.py").write_text("")

    found = held_to(
        measure(folder), manifest=against, revision="f" * 40, signature=None
    )

    assert [(item.state, item.why) for item in found[:3]] == [
        ("fails", "run.py: it is a program"),
        ("fails", f"{'f' * 40}, and the manifest names {COMMIT}"),
        ("fails", "changed model.gguf; missing README.md; added run.py"),
    ]


def test_what_cannot_be_compared_is_unknown_and_never_holds(folder: Path) -> None:
    measured = measure(folder)

    assert states(measured, manifest(), None) == [
        "holds",
        "unknown",
        "unknown",
        "unknown",
    ]
    assert states(measured, manifest(revision=None), COMMIT)[1] == "unknown"
    (folder / "model.gguf").unlink()
    assert states(measure(folder), manifest(), None)[0] == "unknown"


def evidence_yaml(
    folder: Path, *, digest: str | None = None, weights: str = "w"
) -> str:
    measured = measure(folder)
    key, evidence = evidence_of(
        measured,
        weights=weights,
        revision=COMMIT,
        signature=None,
        lineage=None,
        source="measured",
        as_of=DAY,
    )
    return (
        f"evidence:\n  {digest or key}: {{weights: {weights}, revision: '{COMMIT}',"
        f" digest: {evidence.digest}, format: gguf, remote_code: false,"
        " source: measured, as_of: 2026-11-01}\n"
    )


def test_evidence_is_an_entry_under_its_own_digest(folder: Path) -> None:
    own = Source(name="own.yaml", data=evidence_yaml(folder).encode())
    catalog = compile_catalog(
        [Source(name="base.yaml", data=BASE.encode())], overlays=[own]
    )
    ((key, entry),) = catalog.entries.evidence.items()

    assert evidence_digest(entry) == key


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("remote_code: false", "remote_code: true", "it was changed: its digest is"),
        ("source: measured", "source: other", "it was changed: its digest is"),
        ("weights: w", "weights: x", "`x` is not among the weights of the catalog"),
    ],
)
def test_evidence_that_was_changed_is_refused(
    folder: Path, old: str, new: str, message: str
) -> None:
    text = evidence_yaml(folder).replace(old, new)

    with pytest.raises(CatalogError, match=message):
        compile_catalog(
            [Source(name="base.yaml", data=BASE.encode())],
            overlays=[Source(name="own.yaml", data=text.encode())],
        )
