"""Who remembers checkpoints outside, as the settings say and the commands use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.assembly_outside import outside_of as outside_as_set
from policyguard.assembly_outside import roots_of, witnesses_of
from policyguard.audit.outside.attested import Vouchers
from policyguard.settings import load_settings
from policyguard.signing.trust_file import TrustFile

if TYPE_CHECKING:
    from policyguard.audit.outside.anchor import Outside


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
    return outside_as_set(load_settings().outside, trust=trust)
