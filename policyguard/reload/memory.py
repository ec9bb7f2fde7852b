"""Remembers which bundle was in use last, so that an older one cannot take its place.

Owner: the lock database's folder, away from the trail, so that a restored backup of the
trail does not bring back an old policy. One small file, replaced whole; a crash leaves
the old one or the new. Who can write the folder can make an old signed bundle loadable
again, never an unsigned one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from policyguard.audit.layout import read_small, write_small
from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import FormatError, TrailError
from policyguard.vocabulary.decision import BundleRef
from policyguard.vocabulary.value import Value


class _Form(Value):
    bundle: BundleRef
    signed: BundleRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Is what was in use last, and what was last of those that a key signed."""

    bundle: BundleRef
    signed: BundleRef | None


@dataclass(frozen=True, slots=True)
class PolicyMemory:
    """Reads and writes the memory of one trail."""

    path: Path

    def read(self) -> Remembered | None:
        """Return what is remembered; nothing if nothing was ever loaded.

        Raises:
            TrailError: it cannot be read, or is damaged.
        """
        if not self.path.exists():
            return None
        try:
            form = _Form.model_validate(parse_json(read_small(self.path)))
        except (FormatError, ValidationError) as error:
            raise TrailError(
                f"`{self.path}` is damaged: restore it, or remove it knowingly: then any"
                " revision that is signed may be loaded once"
            ) from error
        return Remembered(bundle=form.bundle, signed=form.signed)

    def write(self, remembered: Remembered) -> None:
        """Remember what is in use now, durably.

        Raises:
            TrailError: it cannot be written.
        """
        form = _Form(bundle=remembered.bundle, signed=remembered.signed)
        write_small(self.path, canonical_bytes(form.model_dump(mode="json")) + b"\n")
