"""Opens a trail for reading, with what the settings say of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from policyguard.audit.creation import read_trust
from policyguard.audit.reader import TrailReader
from policyguard.settings import load_settings
from policyguard.signing.passphrase import Passphrase, passphrase_file


def lock_of(place: str | Path) -> str | Path | None:
    """Return the lock database that the settings name, if they mean this trail."""
    trail = load_settings().trail
    meant = trail.place()
    if isinstance(meant, Path) and isinstance(place, Path):
        return trail.remembered() if meant.absolute() == place.absolute() else None
    return trail.remembered() if meant == place else None


def passphrase_set() -> Passphrase | None:
    """Return the passphrase of a fleet's keys, if the settings name one.

    Raises:
        ConfigurationError: the settings cannot be used.
    """
    file = load_settings().signing.passphrase()
    return passphrase_file(file) if file else None


def opened(place: str | Path) -> TrailReader:
    """Open a trail for reading.

    Raises:
        TrailError: there is none, or it cannot be read.
    """
    reader = TrailReader.open(place, lock=lock_of(place), passphrase=passphrase_set())
    witnesses = load_settings().outside.witnesses
    if witnesses is None:
        return reader
    return replace(reader, trust=replace(read_trust(witnesses), logs=reader.trust.logs))
