"""Builds the rulebook: what the METADATA of all rules says, as data for the policy.

A rule's status changes at instants; between two of them nothing does. So the rulebook
lists these instants and the statuses in each interval, and no rule reads a clock.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Final, Literal, TypeAlias

from policyguard.bundle.files import MANIFEST, is_test, read_files
from policyguard.bundle.manifest import parse_manifest
from policyguard.bundle.metadata import (
    Custom,
    Metadata,
    Severity,
    Status,
    Window,
    parse_metadata,
)
from policyguard.canonical import Json
from policyguard.errors import BundleError

Softer: TypeAlias = Literal["require_approval", "advise"]
"""What an override makes of a rule's findings, where they are stronger."""

_BEGINNING: Final = -(1 << 62)
_END: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWindow:
    """Is a time in which a rule has one status, in seconds since 1970, UTC."""

    since: int | None
    until: int | None
    """The first second after it."""
    status: Status
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInfo:
    """Is what the rulebook says of one rule."""

    id: str
    title: str
    citation: str
    description: str | None
    regime: str
    severity: Severity
    as_of: date
    locked: bool
    """Whether no override may soften it."""
    exceptions: tuple[str, ...]
    """The cases in which it does not object, in words."""
    windows: tuple[RuleWindow, ...]
    file: str
    """The module's path inside the bundle."""

    def window_at(self, instant: int) -> RuleWindow | None:
        """Return the window of an instant, in seconds since 1970; `None`: no status."""
        for window in self.windows:
            if _beginning(window) <= instant < _end(window):
                return window
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOverride:
    """Is a time in which a rule is softened, in seconds since 1970, UTC."""

    id: str
    rule: str
    to: Softer
    since: int
    until: int
    """The first second after it."""


def rulebook_bytes(directory: Path | str) -> bytes:
    """Return the bytes of `policyguard/rulebook/data.json` for a bundle's directory.

    Args:
        directory: The root of the bundle; the rulebook itself may be missing or stale.

    Raises:
        BundleError: manifest, modules or METADATA cannot be used.
    """
    files = read_files(Path(directory))
    revision = parse_manifest(files[MANIFEST]).revision
    rules = read_rules(
        (path, module_text(path, data))
        for path, data in files.items()
        if path.endswith(".rego") and not is_test(path)
    )
    document = rulebook_document(revision=revision, rules=rules)
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def module_text(path: str, data: bytes) -> str:
    """Return the text of a module.

    Raises:
        BundleError: it is not UTF-8, or holds a NUL or a byte order mark.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: is not UTF-8 at byte {error.start}") from error
    if "\0" in text or "\ufeff" in text:
        raise BundleError(f"{path}: holds a NUL or a byte order mark: remove it")
    return text


def read_rules(modules: Iterable[tuple[str, str]]) -> tuple[RuleInfo, ...]:
    """Return the rules that the METADATA of some modules describes, sorted by id.

    Raises:
        BundleError: METADATA that cannot be used, an id that is given twice, or
            windows of one rule that overlap.
    """
    rules: dict[str, RuleInfo] = {}
    for path, text in modules:
        for metadata in parse_metadata(file=path, text=text):
            custom = metadata.annotations.custom
            if custom is None:
                continue
            if custom.id in rules:
                raise BundleError(
                    f"{path}:{metadata.line}: `{custom.id}` is also in"
                    f" {rules[custom.id].file}: give one of them another id"
                )
            rules[custom.id] = _rule(metadata, custom)
    return tuple(rules[rule_id] for rule_id in sorted(rules))


def rulebook_document(
    *,
    revision: str,
    rules: Sequence[RuleInfo],
    overrides: Sequence[RuleOverride] = (),
) -> dict[str, Json]:
    """Return the rulebook as the policy reads it.

    Args:
        revision: The bundle's revision.
        rules: The rules, with windows that do not overlap.
        overrides: What softens them, and when.

    Raises:
        BundleError: an override names no rule, a locked one, or two overlap.
    """
    _require_softenable(rules, overrides)
    boundaries, intervals = _timeline(rules, overrides)
    return {
        "revision": revision,
        "rules": {rule.id: _entry(rule) for rule in rules},
        "boundaries": list(boundaries),
        "intervals": [dict(interval) for interval in intervals],
    }


def _rule(metadata: Metadata, custom: Custom) -> RuleInfo:
    annotations, place = metadata.annotations, f"{metadata.file}:{metadata.line}"
    citation = annotations.citation
    if annotations.title is None or citation is None:
        raise BundleError(
            f"{place}: `{custom.id}` has no title or no citation: give both"
        )
    return RuleInfo(
        id=custom.id,
        title=annotations.title,
        citation=citation,
        description=annotations.description,
        regime=custom.regime or PurePosixPath(metadata.file).parent.name,
        severity=custom.severity,
        as_of=custom.as_of,
        locked=custom.locked,
        exceptions=custom.exceptions,
        windows=_windows(custom, place),
        file=metadata.file,
    )


def _windows(custom: Custom, place: str) -> tuple[RuleWindow, ...]:
    ordered = sorted(custom.effective, key=_beginning)
    for window in ordered:
        if _beginning(window) >= _end(window):
            raise BundleError(
                f"{place}: a window of `{custom.id}` ends before it begins"
            )
    for earlier, later in itertools.pairwise(ordered):
        if _beginning(later) < _end(earlier):
            raise BundleError(
                f"{place}: windows of `{custom.id}` overlap: end one where the next"
                " begins"
            )
    return tuple(
        RuleWindow(
            since=window.since,
            until=window.until,
            status=window.status,
            verified=window.verified,
        )
        for window in ordered
    )


def _beginning(window: Window | RuleWindow) -> int:
    return _BEGINNING if window.since is None else window.since


def _end(window: Window | RuleWindow) -> int:
    return _END if window.until is None else window.until


def _entry(rule: RuleInfo) -> dict[str, Json]:
    return {
        "title": rule.title,
        "citation": rule.citation,
        "severity": rule.severity,
        "regime": rule.regime,
        "as_of": rule.as_of.isoformat(),
        "locked": rule.locked,
        "file": rule.file,
        "effective": [
            {
                "from": window.since,
                "to": window.until,
                "status": window.status,
                "verified": window.verified,
            }
            for window in rule.windows
        ],
    }


def _require_softenable(
    rules: Sequence[RuleInfo], overrides: Sequence[RuleOverride]
) -> None:
    known = {rule.id: rule for rule in rules}
    for override in overrides:
        rule = known.get(override.rule)
        if rule is None:
            raise BundleError(
                f"override `{override.id}` names `{override.rule}`, which is no rule of"
                " the bundle: remove it"
            )
        if rule.locked:
            raise BundleError(
                f"override `{override.id}` would soften `{rule.id}`, which is locked:"
                " no override softens it, so remove it"
            )
    ordered = sorted(overrides, key=lambda item: (item.rule, item.since))
    for earlier, later in itertools.pairwise(ordered):
        if earlier.rule == later.rule and later.since < earlier.until:
            raise BundleError(
                f"overrides `{earlier.id}` and `{later.id}` of `{later.rule}` overlap:"
                " keep one of them"
            )


def _timeline(
    rules: Sequence[RuleInfo], overrides: Sequence[RuleOverride]
) -> tuple[tuple[int, ...], tuple[Mapping[str, Json], ...]]:
    edges = {
        edge
        for rule in rules
        for window in rule.windows
        for edge in (window.since, window.until)
        if edge is not None
    }
    edges |= {edge for item in overrides for edge in (item.since, item.until)}
    boundaries: list[int] = []
    intervals = [_statuses(rules, overrides, at=_BEGINNING)]
    for edge in sorted(edges):
        statuses = _statuses(rules, overrides, at=edge)
        if statuses != intervals[-1]:
            boundaries.append(edge)
            intervals.append(statuses)
    return tuple(boundaries), tuple(intervals)


def _statuses(
    rules: Sequence[RuleInfo], overrides: Sequence[RuleOverride], *, at: int
) -> dict[str, Json]:
    softer: dict[str, dict[str, Json]] = {
        item.rule: {"override": {"id": item.id, "to": item.to}}
        for item in overrides
        if item.since <= at < item.until
    }
    return {
        rule.id: {
            "status": window.status,
            "verified": window.verified,
            **softer.get(rule.id, {}),
        }
        for rule in rules
        for window in rule.windows
        if _beginning(window) <= at < _end(window)
    }
