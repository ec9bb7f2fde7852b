"""Begins trails and logs, and finds out whether what is there is what was begun.

INVARIANT: a log is created only if the lock database has never seen its origin, or
has seen it begun and never signed. Whatever else is missing was lost or taken away,
and an empty log in its place would hide that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from policyguard.audit.claim import gate
from policyguard.audit.heads import find_known_head
from policyguard.audit.layout import (
    Layout,
    format_identity,
    make_folder,
    new_name,
    read_identity,
    read_small,
    write_small,
)
from policyguard.audit.stores.database import is_blank
from policyguard.audit.stores.protocol import KnownHead
from policyguard.audit.stores.sqlite import LogStore
from policyguard.errors import ConfigurationError, FormatError, TrailError
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.signing.trust_file import TrustedLog, TrustFile
from policyguard.tlog import open_checkpoint


def begin_trail(layout: Layout, *, name: str | None, fresh: bool) -> None:
    """Begin a trail where there never was one; take up a creation that was cut off.

    Args:
        layout: Where it will be.
        name: Its name; without it a random one.
        fresh: Whether a trail that is there already is refused.

    Raises:
        TrailError: there is a trail or there was one, or it cannot be written.
    """
    if layout.directory.exists() and not layout.directory.is_dir():
        # Seen before anything is made beside it.
        raise TrailError(
            f"`{layout.directory}` is not a directory: give the trail another place"
        )
    make_folder(layout.lock)
    with gate(layout.gate):
        known, remembered = layout.identity.exists(), layout.remembered.exists()
        if not known and not remembered:
            _begin_trail(layout, name=name or new_name())
        elif not known and not read_identity(layout.remembered)[1]:
            _begin_trail(layout, name=read_identity(layout.remembered)[0])
        elif fresh:
            raise TrailError(
                f"there is or was a trail at `{layout.directory}`: open it, or choose"
                " another directory"
            )


def require_trail(layout: Layout) -> None:
    """Refuse a place where there is no trail and never was one.

    Raises:
        TrailError: there is none.
    """
    if not layout.identity.exists() and not layout.remembered.exists():
        raise TrailError(
            f"there is no trail at `{layout.directory}`: create it, or correct the path"
        )


def ready_trail(layout: Layout, *, name: str | None) -> str:
    """Return the name of a trail that is there, whole and with its own memory.

    The gate must be held.

    Raises:
        TrailError: the trail or its lock database is missing or belongs elsewhere.
        ConfigurationError: the trail has another name than the settings say.
    """
    require_trail(layout)
    known, remembered = layout.identity.exists(), layout.remembered.exists()
    if not remembered:
        raise TrailError(
            f"the trail `{layout.directory}` has no lock database at `{layout.lock}`:"
            " move it back beside the trail, or name it under [trail] lock"
        )
    own, finished = read_identity(layout.remembered)
    if not known:
        if finished:
            raise TrailError(
                f"the trail `{own}` is missing from `{layout.directory}`: restore it;"
                f" only if it may be forgotten, move `{layout.lock}` away as well"
            )
        return _begin_trail(layout, name=own)
    stored, _ = read_identity(layout.identity)
    if stored != own:
        raise TrailError(
            f"the lock database `{layout.lock}` belongs to the trail `{own}` and not to"
            f" `{stored}`: give each trail a lock database of its own"
        )
    if not finished:
        write_small(layout.remembered, format_identity(own))
    if name is not None and name != own:
        raise ConfigurationError(
            f"the trail at `{layout.directory}` is named `{own}` and the settings say"
            f" `{name}`: use the old name, or another directory"
        )
    return own


def _begin_trail(layout: Layout, *, name: str) -> str:
    # First the memory of having begun, last that it was finished: a crash in between
    # is taken up again, and a loss afterwards is noticed.
    write_small(layout.remembered, format_identity(name, finished=False))
    make_folder(layout.directory)
    make_folder(layout.directory / "keys")
    make_folder(layout.directory / "logs")
    write_small(layout.identity, format_identity(name))
    write_small(layout.remembered, format_identity(name))
    return name


def origin_of(name: str, slot: str) -> str:
    """Return the origin of a log (C2SP tlog-checkpoint): the trail's name and the slot."""
    return f"{name}/{slot}"


def ready_signer(layout: Layout, *, slot: str, origin: str, keys: KeySource) -> Signer:
    """Return the signer of a log; make its key if the log was never begun.

    Raises:
        TrailError: the log was begun, and its key or its records are missing.
    """
    path = layout.key(slot)
    begun = _begun(layout, slot=slot, origin=origin)
    if begun and not layout.log(slot).is_file():
        raise TrailError(
            f"the log `{origin}` is missing from `{layout.folder(slot)}`: restore it"
        )
    if begun and not layout.vault(slot).is_file():
        raise TrailError(
            f"the vault of `{origin}` is missing from `{layout.folder(slot)}`: restore it"
        )
    if begun and isinstance(keys, FileKeys) and not path.exists():
        raise TrailError(
            f"the key of the log `{origin}` is missing: restore `{path}`, or close the"
            " log with `policyguard keys compromise --log`, which begins its successor"
        )
    try:
        found = keys.load if begun else keys.create
        return found(path, key_name=origin)
    except ConfigurationError as error:
        raise TrailError(
            f"the key of the log `{origin}` cannot be used: {error}"
        ) from error


def _begun(layout: Layout, *, slot: str, origin: str) -> bool:
    memory = layout.head(slot)
    known = None if is_blank(memory) else find_known_head(memory, origin=origin)
    if known is not None:
        return known.size > 0
    if not is_blank(layout.log(slot)):
        raise TrailError(
            f"the lock database has no memory of the log `{origin}`: restore"
            f" `{memory}`, or name the right one under [trail] lock"
        )
    return False


def _any_begun(layout: Layout, *, name: str) -> bool:
    return any(
        _begun(layout, slot=slot, origin=origin_of(name, slot))
        for slot in layout.slots()
    )


def trust(layout: Layout, vkey: VerifierKey, *, begun: bool, name: str) -> None:
    """Write a log's verifier key into the trail's trust file, once.

    Args:
        layout: Where the trail is.
        vkey: The log's key.
        begun: Whether the log has records: then its key has to be there.
        name: The trail's name.

    Raises:
        TrailError: the file has another key for the log, has lost one, or cannot be
            written.
    """
    if not layout.trust.exists() and _any_begun(layout, name=name):
        raise TrailError(
            f"the trust file `{layout.trust}` is missing: restore it; the keys are"
            " those of `keys/`"
        )
    known = read_trust(layout.trust) if layout.trust.exists() else TrustFile()
    own = keys_by_origin(known).get(vkey.key_name, ())
    if vkey in own:
        return
    if own:
        raise TrailError(
            f"the trust file `{layout.trust}` has another key for"
            f" `{vkey.key_name}` than `keys/`: restore the one that is wrong"
        )
    if begun:
        raise TrailError(
            f"the trust file `{layout.trust}` has lost the key of `{vkey.key_name}`:"
            " restore it"
        )
    add_trusted(layout.trust, vkey, known=known)


def add_trusted(path: Path, vkey: VerifierKey, *, known: TrustFile) -> None:
    """Write a trust file that has one more key; of one log, the newest comes last.

    Raises:
        TrailError: it cannot be written.
    """
    write_small(path, with_trusted(known, vkey).format().encode())


def with_trusted(known: TrustFile, vkey: VerifierKey) -> TrustFile:
    """Return a trust file with one more key; of one log, the newest comes last."""
    logs = (*known.logs, TrustedLog(key=vkey))
    return replace(known, logs=tuple(sorted(logs, key=lambda log: log.key.key_name)))


def keys_by_origin(trust: TrustFile) -> dict[str, tuple[VerifierKey, ...]]:
    """Return the keys of each log, in the order of the file: the newest comes last."""
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for log in trust.logs:
        found[log.key.key_name] = (*found.get(log.key.key_name, ()), log.key)
    return found


def read_trust(path: Path) -> TrustFile:
    """Read a trust file.

    Raises:
        TrailError: it cannot be read, or is none.
    """
    return parse_trust(read_small(path), where=str(path))


def parse_trust(text: str | bytes, *, where: str) -> TrustFile:
    """Read the text of a trust file.

    Raises:
        TrailError: it is none.
    """
    try:
        return TrustFile.parse(text)
    except FormatError as error:
        raise TrailError(
            f"`{where}` is no trust file: {error}: restore it, or write one with"
            " `policyguard keys show --trust`"
        ) from error


def require_extension(
    store: LogStore, *, known: KnownHead, vkeys: Sequence[VerifierKey]
) -> None:
    """Refuse a log that is not the remembered one, grown or unchanged.

    Raises:
        TrailError: the log is older than its memory, or another one.
    """
    size = store.head.size if store.head else 0
    origin = vkeys[0].key_name
    if known.size > size:
        raise TrailError(
            f"the log `{origin}` was put back: it has {size} records and had"
            f" {known.size}: restore the newer one"
        )
    if known.size == 0:
        return
    remembered = open_checkpoint(known.note, vkeys=vkeys)
    if store.root_at(known.size) != remembered.root:
        raise TrailError(
            f"the log `{origin}` is not the one that was written: its first"
            f" {known.size} records were changed: restore it"
        )
