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
    """Return which witnesses and authorities are trusted where nobody says otherwise.

    Args:
        trust: The trail's own trust file, whose witnesses count where the settings name
            none.
        roots: Certificates of authorities; without them as the settings say.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: a file that they name cannot be read.
    """
    trusted = witnesses_of(load_settings().outside, trust=trust)
    return vouchers_given(trusted, roots=roots)


def vouchers_given(trust: TrustFile, *, roots: Path | None = None) -> Vouchers:
    """Return what a person trusts who has given a trust file: its witnesses alone count.

    Args:
        trust: The file. One that names no witness asks for none, whatever settings do.
        roots: Certificates of authorities; without them as the settings say.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: the file of certificates cannot be read.
    """
    return Vouchers(
        trust=trust,
        roots=roots_of(roots or load_settings().outside.timestamp_roots),
    )


def outside_of(trust: TrustFile) -> Outside:
    """Return whom checkpoints are taken to.

    Raises:
        ConfigurationError: the settings cannot be used.
        TrailError: a file that they name cannot be read.
    """
    return outside_as_set(load_settings().outside, trust=trust)
