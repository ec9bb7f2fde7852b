"""Who remembers checkpoints outside, as the settings say and the commands use it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.audit.creation import read_trust
from policyguard.audit.layout import read_small
from policyguard.audit.outside.attested import Vouchers
from policyguard.settings import load_settings
from policyguard.signing.timestamp import TimeRoots
from policyguard.signing.trust_file import TrustFile
from policyguard.trail_settings import OutsideSettings, SinkSettings

if TYPE_CHECKING:
    from policyguard.audit.outside.anchor import Outside
    from policyguard.audit.outside.sinks import Sink


def vouchers_of(trust: TrustFile, *, roots: Path | None = None) -> Vouchers:
    """Return which witnesses and authorities are trusted.

    Args:
        trust: The trail's own trust file, or the one that a person has given: used
            where the settings name no witnesses.
        roots: Certificates of authorities; without them as the settings say.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: a file that they name cannot be read.
    """
    outside = load_settings().outside
    return Vouchers(
        trust=witnesses_of(outside, trust=trust),
        roots=roots_of(roots or outside.timestamp_roots),
    )


def outside_of(trust: TrustFile) -> Outside:
    """Return whom checkpoints are taken to.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: a file that they name cannot be read.
    """
    from policyguard.audit.outside.anchor import Outside

    outside = load_settings().outside
    return Outside(
        trust=witnesses_of(outside, trust=trust),
        timestamp_url=outside.timestamp_url,
        roots=roots_of(outside.timestamp_roots),
        sinks=tuple(_sink(item) for item in outside.sinks),
    )


def witnesses_of(outside: OutsideSettings, *, trust: TrustFile) -> TrustFile:
    """Return the logs of a trust file with the witnesses that the settings name."""
    if outside.witnesses is None:
        return trust
    return replace(read_trust(outside.witnesses), logs=trust.logs)


def roots_of(path: Path | None) -> TimeRoots | None:
    """Return the certificates in a file; `None`: no file."""
    return TimeRoots.parse(read_small(path)) if path is not None else None


def _sink(item: SinkSettings) -> Sink:
    from policyguard.audit.outside.sinks import CommandSink, DirectorySink, UrlSink

    if item.command is not None:
        return CommandSink(command=item.command)
    if item.directory is not None:
        return DirectorySink(directory=item.directory)
    return UrlSink(url=str(item.url))
