"""Holds measured weights to a manifest, and makes the evidence that calls refer to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from policyguard.canonical import canonical_bytes, digest
from policyguard.catalog.schema import Weights, WeightsEvidence, WeightsSignature
from policyguard.catalog.weights.measure import Measured

State: TypeAlias = Literal["holds", "fails", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Is one thing that is asked of weights, and whether it holds."""

    name: str
    state: State
    why: str


def held_to(
    measured: Measured,
    *,
    manifest: Weights,
    revision: str | None,
    signature: WeightsSignature | None,
) -> tuple[Demand, ...]:
    """Return what can be said of each demand on weights.

    Args:
        measured: What lies where the weights are loaded.
        manifest: What the catalog says they should be.
        revision: The commit that was loaded, in 40 hexadecimal digits.
        signature: The signature that was verified, if any was asked for.
    """
    return (
        _harmless(measured),
        _pinned(manifest, revision),
        _identical(measured, manifest),
        _signed(signature),
    )


def evidence_of(  # noqa: PLR0913 -- what is measured, and what is said of it
    measured: Measured,
    *,
    weights: str,
    revision: str | None,
    signature: WeightsSignature | None,
    lineage: str | None,
    source: str,
    as_of: date,
) -> tuple[str, WeightsEvidence]:
    """Return evidence on measured weights, and the digest by which calls refer to it."""
    evidence = WeightsEvidence(
        weights=weights,
        revision=revision,
        digest=measured.digest,
        format=measured.format,
        remote_code=measured.remote_code,
        parameters=measured.parameters if measured.tensors else None,
        signature=signature,
        lineage=lineage,
        source=source,
        as_of=as_of,
    )
    return evidence_digest(evidence), evidence


def evidence_digest(evidence: WeightsEvidence) -> str:
    """Return the SHA-256 of the RFC 8785 bytes of evidence."""
    document = evidence.model_dump(mode="json", exclude={"replaces"})
    return digest(canonical_bytes(document))


def _harmless(measured: Measured) -> Demand:
    name = "loading them runs no code"
    if measured.dangers:
        first = measured.dangers[0]
        more = f" (and {len(measured.dangers) - 1} more)" * (len(measured.dangers) > 1)
        return Demand(name=name, state="fails", why=f"{first.path}: {first.why}{more}")
    if measured.format is None:
        why = "no file holds weights in a format that is known"
        return Demand(name=name, state="unknown", why=why)
    return Demand(name=name, state="holds", why=f"{measured.format}, and no program")


def _pinned(manifest: Weights, revision: str | None) -> Demand:
    name = "they are of one commit"
    if revision is None:
        why = "no commit is named, and the place names none: give `--revision`"
        return Demand(name=name, state="unknown", why=why)
    if manifest.revision is None:
        why = f"{revision}; the manifest names none to compare"
        return Demand(name=name, state="unknown", why=why)
    if manifest.revision != revision:
        why = f"{revision}, and the manifest names {manifest.revision}"
        return Demand(name=name, state="fails", why=why)
    return Demand(name=name, state="holds", why=revision)


def _identical(measured: Measured, manifest: Weights) -> Demand:
    name = "they are the files of the manifest"
    if manifest.digest is None:
        why = f"the manifest has no digest; these have {measured.digest}"
        return Demand(name=name, state="unknown", why=why)
    if manifest.digest == measured.digest:
        return Demand(name=name, state="holds", why=f"sha256:{measured.digest}")
    return Demand(name=name, state="fails", why=_difference(measured, manifest))


def _difference(measured: Measured, manifest: Weights) -> str:
    here = {file.path: file.sha256 for file in measured.files}
    there = {file.path: file.sha256 for file in manifest.files or ()}
    if not there:
        return f"sha256:{measured.digest}, and the manifest says {manifest.digest}"
    changed = sorted(
        path for path in here.keys() & there.keys() if here[path] != there[path]
    )
    parts = [
        f"{word} {', '.join(paths[:3])}{', …' * (len(paths) > 3)}"  # noqa: PLR2004 -- a few
        for word, paths in (
            ("changed", changed),
            ("missing", sorted(there.keys() - here.keys())),
            ("added", sorted(here.keys() - there.keys())),
        )
        if paths
    ]
    return "; ".join(parts)


def _signed(signature: WeightsSignature | None) -> Demand:
    name = "somebody who is named signed them"
    if signature is None:
        why = "no signature was given"
        return Demand(name=name, state="unknown", why=why)
    return Demand(
        name=name, state="holds", why=f"{signature.method} {signature.signer}"
    )
