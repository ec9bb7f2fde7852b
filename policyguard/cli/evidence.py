"""`--record`: keeps a result about policy in the trail, signed like any other record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from policyguard.settings import Settings
    from policyguard.vocabulary.decision import BundleRef, CatalogRef
    from policyguard.vocabulary.record import Examined, Tier

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Is a result that is worth keeping."""

    examined: Examined
    tier: Tier
    counts: Mapping[str, int]
    document: Mapping[str, Any]
    """What `--json` prints."""
    bundle: BundleRef | None = None
    catalog: CatalogRef | None = None


def record_option(command: F) -> F:
    """Add `--record` to a command."""
    return click.option(
        "--record",
        "recording",
        is_flag=True,
        help="Keep the result in the trail, with the digest of what `--json` prints.",
    )(command)


def record_evidence(
    evidence: Evidence, *, settings: Settings, place: str | Path | None
) -> None:
    """Append evidence to a trail, and say on standard error where it stands.

    Args:
        evidence: The result.
        settings: Name the keys and, without a place, the trail.
        place: The trail, where the command was told one.

    Raises:
        TrailError: it could not be made durable; then it must not be relied on.
    """
    from policyguard.assembly import trail_of
    from policyguard.cli.terminal import errors
    from policyguard.identity import new_id, record_time, wall_clock
    from policyguard.version import __version__
    from policyguard.vocabulary.record import EvidenceRecord

    record = EvidenceRecord(
        id=new_id(),
        time=record_time(wall_clock()),
        examined=evidence.examined,
        tier=evidence.tier,
        counts=dict(evidence.counts),
        bundle=evidence.bundle,
        catalog=evidence.catalog,
        version=__version__,
        document=document_digest(evidence.document),
    )
    trail = trail_of(_at(settings, place), role="cli")
    try:
        where = trail.append(record)
    finally:
        trail.close()
    errors().print(
        f"recorded as {record.id}, entry {where.index} of {where.origin}",
        soft_wrap=True,
    )


def document_digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document with its keys sorted and its blanks left out."""
    text = json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return sha256(text.encode()).hexdigest()


def _at(settings: Settings, place: str | Path | None) -> Settings:
    if place is None:
        return settings
    where = (
        {"url": place, "directory": None}
        if isinstance(place, str)
        else {"directory": place, "url": None}
    )
    trail = settings.trail.model_copy(update=where)
    return settings.model_copy(update={"trail": trail})
