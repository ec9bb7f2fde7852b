"""A claimed log with its vault and its memory: what one process writes.

Owner: the process that made it, which alone may use it: a forked child must `leak`
it. Any failure while writing ends it; the trail opens a new one, which first makes
sure that the log is still what was signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from policyguard.audit.claim import Claim, gate
from policyguard.audit.creation import (
    keys_by_origin,
    origin_of,
    read_trust,
    ready_signer,
    ready_trail,
    require_extension,
    trust,
)
from policyguard.audit.heads import Cadence, HeadMemory
from policyguard.audit.layout import Layout, identity_of, make_folder, require_same
from policyguard.audit.rotation import settle_rotation
from policyguard.audit.stores.database import on_disk
from policyguard.audit.stores.protocol import Head
from policyguard.audit.stores.sqlite import LogStore
from policyguard.audit.vault import Sealed, Vault
from policyguard.canonical import canonical_bytes
from policyguard.errors import SlotError
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.version import __version__
from policyguard.vocabulary.record import GenesisRecord, Predecessor

MOST_SLOTS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Appends records to a claimed log."""

    origin: str
    files: tuple[tuple[str, tuple[int, int]], ...] = field(repr=False)
    """The databases, each with the file that it was opened as."""
    claim: Claim = field(repr=False)
    store: LogStore = field(repr=False)
    vault: Vault = field(repr=False)
    memory: Cadence = field(repr=False)

    @property
    def signer(self) -> Signer:
        """The key that signs the log now."""
        return self.store.signer

    def append(
        self,
        bodies: Sequence[bytes],
        *,
        sealed: Sequence[Sealed],
        successor: Signer | None = None,
    ) -> int:
        """Make records durable, and return the index of the first.

        Args:
            bodies: The records.
            sealed: What the vault keeps of them.
            successor: The key that takes over with these records.

        Raises:
            TrailError: the log is not ours alone, or its files were taken away.
            sqlite3.Error: the records are not durable.
        """
        for path, opened in self.files:
            require_same(path, opened=opened)
        before = self.store.head.size if self.store.head else 0
        head = (
            self._append_sealed(bodies, sealed=sealed)
            if sealed
            else self.store.append(bodies, successor=successor)
        )
        self.memory.advance(size=head.size, note=head.note)
        return before

    def _append_sealed(
        self, bodies: Sequence[bytes], *, sealed: Sequence[Sealed]
    ) -> Head:
        """Make records and contents durable together, in the vault; see `redo`."""
        from policyguard.audit.redo import MOST_IN_BATCH, Ahead

        if len(bodies) > MOST_IN_BATCH:
            self.vault.keep(sealed)
            return self.store.append(bodies)

        def keep(head: Head) -> None:
            ahead = Ahead(
                first=head.size - len(bodies),
                size=head.size,
                bodies=tuple(bodies),
                note=head.note,
            )
            self.vault.keep(sealed, ahead=ahead, synced=self.store.synced)

        return self.store.append(bodies, elsewhere=keep)

    def close(self) -> None:
        """Close the log, and let another process claim it."""
        try:
            for part in (self.store, self.vault, self.memory):
                part.close()
        finally:
            self.claim.release()

    def leak(self) -> None:
        """Let go of everything in a forked child without touching the parent's files."""
        for part in (self.store, self.vault, self.memory):
            part.leak()
        self.claim.release()


def claim_writer(
    layout: Layout,
    *,
    name: str | None,
    role: str,
    keys: KeySource | None = None,
    predecessor: Predecessor | None = None,
) -> Writer:
    """Claim a log of the trail for this process; begin trail and log if need be.

    Args:
        layout: Where the trail is.
        name: The trail's name; without it the one it has, or a random one.
        role: The pool of logs: `app` for applications, `cli` for the command line.
        keys: Where the logs' keys come from; without it files without passphrase.
        predecessor: The log that a new one continues; then none that was begun before
            is claimed.

    Raises:
        TrailError: the trail or the log is missing, damaged, put back or unwritable.
        SlotError: every log of the pool is in use.
        ConfigurationError: the trail has another name.
    """
    make_folder(layout.lock)
    with gate(layout.gate):
        own = ready_trail(layout, name=name)
        for number in range(1, MOST_SLOTS + 1):
            slot = f"{role}-{number}"
            if layout.closed(slot).exists() or (
                predecessor is not None and slot in layout.slots()
            ):
                continue
            make_folder(layout.folder(slot))
            claim = Claim.take(layout.claim(slot))
            if claim is not None:
                try:
                    wanted = _Wanted(
                        slot=slot,
                        name=own,
                        keys=keys or FileKeys(),
                        predecessor=predecessor,
                    )
                    with on_disk("open", layout.folder(slot)):
                        return _open_writer(layout, wanted, claim=claim)
                except BaseException:
                    claim.release()
                    raise
    raise SlotError(
        f"all {MOST_SLOTS} logs of the pool `{role}` in `{layout.directory}` are in use:"
        " stop processes that are not needed, or give some a trail of their own"
    )


def claim_log(layout: Layout, *, origin: str, keys: KeySource | None = None) -> Writer:
    """Claim one log that there is, to change its key.

    Raises:
        TrailError: trail or log is missing, damaged, put back or unwritable.
        SlotError: another process writes the log, or it is closed for good.
    """
    slot = layout.slot_of(origin)
    with gate(layout.gate):
        own = ready_trail(layout, name=None)
        if layout.closed(slot).exists():
            raise SlotError(
                f"the log `{origin}` is closed: its key was compromised, and another log"
                " continues it"
            )
        claim = Claim.take(layout.claim(slot))
        if claim is None:
            raise SlotError(
                f"the log `{origin}` is in use: stop the process that writes it, or call"
                " `Trail.rotate_key()` in that process"
            )
        try:
            wanted = _Wanted(slot=slot, name=own, keys=keys or FileKeys())
            with on_disk("open", layout.folder(slot)):
                return _open_writer(layout, wanted, claim=claim)
        except BaseException:
            claim.release()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Says which log is opened or begun."""

    slot: str
    name: str
    keys: KeySource
    predecessor: Predecessor | None = None


def _open_writer(layout: Layout, wanted: _Wanted, *, claim: Claim) -> Writer:
    from policyguard.audit.redo import redo

    slot, keys = wanted.slot, wanted.keys
    origin = origin_of(wanted.name, slot)
    settle_rotation(layout, slot=slot, origin=origin, keys=keys)
    signer = ready_signer(layout, slot=slot, origin=origin, keys=keys)
    opened: list[Cadence | Vault | LogStore] = []
    try:
        # The memory first: from here on the log counts as begun.
        known_heads = HeadMemory(layout.head(slot), origin=origin)
        opened.append(memory := Cadence(known_heads, every=layout.lock_every))
        opened.append(vault := Vault(layout.vault(slot)))
        opened.append(store := LogStore(layout.log(slot), signer=signer))
        vkey = VerifierKey.of_signer(signer)
        known = memory.known()
        trust(layout, vkey, begun=known.size > 0, name=wanted.name)
        if store.head is None and known.size == 0:
            store.append([_genesis(signer, predecessor=wanted.predecessor)])
        vkeys = keys_by_origin(read_trust(layout.trust))[origin]
        redo(store, vault.ahead(), known=known.size, vkeys=vkeys)
        require_extension(store, known=known, vkeys=vkeys)
        if store.head is not None and known.size < store.head.size:
            memory.advance(size=store.head.size, note=store.head.note)
    except BaseException:
        for part in opened:
            part.close()
        raise
    paths = map(str, (layout.log(slot), layout.vault(slot), layout.head(slot)))
    return Writer(
        origin=origin,
        files=tuple((path, identity_of(path)) for path in paths),
        claim=claim,
        store=store,
        vault=vault,
        memory=memory,
    )


def _genesis(signer: Signer, *, predecessor: Predecessor | None) -> bytes:
    record = GenesisRecord(
        id=new_id(),
        time=record_time(wall_clock()),
        origin=signer.key_name,
        vkey=VerifierKey.of_signer(signer).format(),
        predecessor=predecessor,
        version=__version__,
    )
    return canonical_bytes(record.model_dump(mode="json"))
