"""Who remembers checkpoints outside, as the settings say, and when they are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.audit.creation import read_trust
from policyguard.audit.layout import read_small
from policyguard.errors import ConfigurationError
from policyguard.signing.trust_file import TrustFile
from policyguard.trail_settings import OutsideSettings, SinkSettings

if TYPE_CHECKING:
    from policyguard.audit.outside.anchor import Outside
    from policyguard.audit.outside.hook import Hook
    from policyguard.audit.outside.sinks import Sink
    from policyguard.audit.trail import Trail
    from policyguard.signing.timestamp import TimeRoots


def outside_of(outside: OutsideSettings, *, trust: TrustFile) -> Outside:
    """Return whom checkpoints are taken to.

    Args:
        outside: The settings.
        trust: The trail's own trust file.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: a file that they name cannot be read.
    """
    from policyguard.audit.outside.anchor import Outside

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
    if path is None:
        return None
    from policyguard.signing.timestamp import TimeRoots

    return TimeRoots.parse(read_small(path))


def hook_of(outside: OutsideSettings, *, trail: Trail) -> Hook | None:
    """Take checkpoints outside from now on, if the settings say how often.

    Raises:
        ConfigurationError: nobody is named.
    """
    if outside.every_seconds is None:
        return None
    if not (outside.witnesses or outside.timestamp_url or outside.sinks):
        raise ConfigurationError(
            "`every_seconds` under [outside] has nobody to take checkpoints to: add"
            " witnesses, timestamp_url or sinks"
        )
    from policyguard.audit.outside.hook import Hook
    from policyguard.guard.events import log

    hook = Hook(
        trail,
        outside=lambda trust: outside_of(outside, trust=trust),
        every=outside.every_seconds,
        patience=outside.close_seconds,
        tell=log.error,
    )
    hook.start()
    return hook


def _sink(item: SinkSettings) -> Sink:
    from policyguard.audit.outside.sinks import CommandSink, DirectorySink, UrlSink

    if item.command is not None:
        return CommandSink(command=item.command)
    if item.directory is not None:
        return DirectorySink(directory=item.directory)
    return UrlSink(url=str(item.url))
