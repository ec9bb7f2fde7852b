"""What settings and files say about erasing: who may, and what has to be kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policyguard.audit.retention import SHIPPED, Keeping, LegalHold, Retention
from policyguard.authority.people import People
from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey

if TYPE_CHECKING:
    from policyguard.audit.reader import TrailReader
    from policyguard.settings import Settings, TrailSettings

_UNNAMED: Final = "eraser"


def erasers_of(settings: Settings) -> tuple[VerifierKey, ...]:
    """Return the keys that may order an erasure: of the settings and the file of people.

    Raises:
        ConfigurationError: one is no verifier key, or the file cannot be used.
    """
    try:
        named = [VerifierKey.parse(item) for item in settings.trail.erasers]
    except FormatError as error:
        raise ConfigurationError(f"`erasers` under [trail]: {error}") from error
    return (*named, *_people_of(settings).vkeys("eraser"))


def known_erasers(
    settings: Settings, *, people: Path | None = None
) -> tuple[VerifierKey, ...] | None:
    """Return the keys whose orders count: who may erase, and who might once.

    Args:
        settings: They name erasers, or a file of people that does.
        people: A file of people that somebody has been given, in place of these.

    Returns:
        `None`: nobody has said who may.

    Raises:
        ConfigurationError: as `erasers_of`.
    """
    if people is not None:
        given = People.load(people)
        return (*given.vkeys("eraser"), *given.vkeys("ex-eraser"))
    former = _people_of(settings).vkeys("ex-eraser")
    return (*erasers_of(settings), *former) or None


def _people_of(settings: Settings) -> People:
    path = settings.authority.people
    return People() if path is None else People.load(path)


def keeping_of(settings: TrailSettings, *, reader: TrailReader) -> Keeping:
    """Return every reason to keep something: the law's, and those of the settings.

    Raises:
        TrailError: the callers cannot be read.
    """
    retentions = tuple(
        Retention(rules=item.rules, years=item.years, source=item.source)
        for item in settings.retention
    )
    holds = []
    for item in settings.holds:
        pseudonyms = {name: reader.pseudonym(name) for name in item.callers}
        known = frozenset(name for name in pseudonyms.values() if name is not None)
        if item.callers and not known:
            # None of them has a record here: the hold keeps nothing in this trail.
            continue
        holds.append(
            LegalHold(
                name=item.name,
                until=item.until,
                callers=known,
                tenants=frozenset(item.tenants),
                rules=frozenset(item.rules),
                records=frozenset(item.records),
            )
        )
    return Keeping(retentions=(*SHIPPED, *retentions), holds=tuple(holds))


def not_reached(place: str | Path) -> str | None:
    """Return which copies of what was erased a database's server keeps; `None`: files."""
    if isinstance(place, Path):
        return None
    from policyguard.audit.stores.postgres_erasing import NOT_REACHED

    return NOT_REACHED


def eraser(
    path: Path, *, erasers: tuple[VerifierKey, ...], passphrase: bytes | None = None
) -> Ed25519Signer:
    """Return the signer of a key file, by the name under which it may erase.

    Raises:
        ConfigurationError: the file cannot be used, or the key may not erase.
    """
    signer = Ed25519Signer.load(path, key_name=_UNNAMED, passphrase=passphrase)
    for known in erasers:
        if known.public_key == signer.public_key:
            return replace(signer, key_name=known.key_name)
    raise ConfigurationError(
        f"the key `{path}` may not erase: whoever decides that puts the line that"
        f" `policyguard keys vkey {path} NAME` prints into `erasers` under [trail], or"
        " behind the word `eraser` into the file of people"
    )
