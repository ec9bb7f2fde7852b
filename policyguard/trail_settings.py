"""The settings of what keeps a trail honest: its keys, and who else remembers it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from policyguard.vocabulary.value import Value

PASSPHRASE_VARIABLE: Final = "POLICYGUARD_PASSPHRASE_FILE"  # noqa: S105 -- a name


class SigningSettings(Value):
    """Says where the keys of logs are, and how their files are encrypted."""

    passphrase_file: Path | None = None
    """File whose first line encrypts the key files; only its owner may read it."""
    uri: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+:")] | None = None
    """Signer URI of securesystemslib, with `{slot}`: `hv:policyguard-{slot}/1`."""
    public_key: Path | None = None
    """Public key of the URI's key in SPKI PEM, with `{slot}` in its path."""

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.uri is None) != (self.public_key is None):
            raise ValueError("uri and public_key belong together: give both or none")
        if self.uri is not None and "{slot}" not in self.uri:
            raise ValueError("uri has no {slot}: each log needs a key of its own")
        return self

    def passphrase(self) -> Path | None:
        """Return the file with the passphrase: as set, or as the environment names it.

        Follows POLICYGUARD_PASSPHRASE_FILE where the settings say nothing.
        """
        named = os.environ.get(PASSPHRASE_VARIABLE)
        return self.passphrase_file or (Path(named) if named else None)


class SinkSettings(Value):
    """Names one place that checkpoints are sent to: exactly one of the three."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """A program and its arguments; it reads the checkpoint on its standard input."""
    directory: Path | None = None
    """A directory that gets a file for each checkpoint, never over another one."""
    url: str | None = None
    """A URL that each checkpoint is posted to."""

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        given = [self.command, self.directory, self.url]
        if sum(item is not None for item in given) != 1:
            raise ValueError("give one of command, directory and url")
        return self


class OutsideSettings(Value):
    """Says who else remembers checkpoints: witnesses, an authority, sinks."""

    witnesses: Path | None = None
    """A C2SP tlog-policy file: its witness, group and quorum lines are used, instead of
    those in the trail's own trust file."""
    timestamp_url: str | None = None
    """A time-stamping authority of RFC 3161."""
    timestamp_roots: Path | None = None
    """The authority's certificates in PEM; without them its answers are not verified."""
    max_age_hours: Annotated[int, Field(ge=1)] = 24
    """How old the newest cosignature or time stamp may be before `monitor` warns."""
    sinks: tuple[SinkSettings, ...] = ()
    every_seconds: Annotated[int, Field(ge=10, le=86_400)] | None = None
    """How often a guard takes its own log's newest checkpoint to all of them, in a
    thread; without it `policyguard audit anchor` alone does."""
    close_seconds: Annotated[int, Field(ge=0, le=600)] = 10
    """How long closing a guard waits for the last time of these."""

    def under(self, base: Path) -> Self:
        """Return the same with each path made relative to a directory."""
        return self.model_copy(
            update={
                "witnesses": under(base, self.witnesses),
                "timestamp_roots": under(base, self.timestamp_roots),
                "sinks": tuple(
                    sink.model_copy(update={"directory": under(base, sink.directory)})
                    for sink in self.sinks
                ),
            }
        )

    @property
    def is_set(self) -> bool:
        """Whether verification has to know more than the trail's own trust file."""
        return self.witnesses is not None or self.timestamp_roots is not None


def under(base: Path, path: Path | None) -> Path | None:
    """Return a path relative to a directory; `None` stays what it is."""
    return None if path is None else base / path.expanduser()
