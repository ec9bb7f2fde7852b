"""A proof for each row: that exactly this record stands in the log at this place.

The files are those of `policyguard audit prove`: `<id>.json` has the record's exact
bytes, `<id>.tlog-proof` its place (C2SP tlog-proof). Whoever has them and the trusted
keys needs neither the trail nor this program.

INVARIANT: what is written was verified as its reader will verify it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.reader import Entry, Log
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    TamperedError,
    TrailError,
    UnwitnessedError,
    VerificationError,
)
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import (
    Checkpoint,
    Note,
    ProofFile,
    node_hash,
    prove_inclusion,
    verify_proof_file,
)
from policyguard.tlog.quorum import verify_trusted_proof

PROOF: Final = ".tlog-proof"
RECORD: Final = ".json"
_HASH_BYTES: Final = 32

ProofProgress = Callable[[str, int, int], None]


@dataclass(slots=True, kw_only=True)
class LeafHashes:
    """Holds the leaf hashes of a log, 32 bytes for each record, and makes proofs."""

    log: Log
    checkpoint: Checkpoint | None = None
    """The head up to which they were verified."""
    note: str = ""
    _rows: list[bytearray] = field(default_factory=lambda: [bytearray()])

    @property
    def size(self) -> int:
        """The number of records that were verified."""
        return self.checkpoint.size if self.checkpoint else 0

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes in order."""
        self._rows[0] += b"".join(leaves)

    def proof(self, index: int, *, trust: TrustFile | None = None) -> ProofFile:
        """Return the proof of a record, up to a cosigned checkpoint if there is one.

        Args:
            index: The record.
            trust: Whose cosignatures count; without it up to the verified head.

        Raises:
            ConfigurationError: there is no such record.
        """
        size, note = self.size, Note.parse(self.note)
        if trust is not None:
            attestations = Vouchers(trust=trust).of(self.log)
            found = attestations.newest_with_quorum(index=index, largest=self.size)
            size, note = found[:2] if found is not None else (size, note)
        return ProofFile(
            index=index,
            hashes=prove_inclusion(index=index, size=size, tree=self._node),
            checkpoint=note,
        )

    def _node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree; each row is computed once."""
        while len(self._rows) <= level:
            below = memoryview(self._rows[-1])
            row = bytearray()
            for at in range(0, len(below) - 2 * _HASH_BYTES + 1, 2 * _HASH_BYTES):
                middle = at + _HASH_BYTES
                row += node_hash(
                    bytes(below[at:middle]), bytes(below[middle : at + 2 * _HASH_BYTES])
                )
            self._rows.append(row)
        at = index * _HASH_BYTES
        return bytes(self._rows[level][at : at + _HASH_BYTES])


def write_proofs(
    places: Iterable[tuple[str, int]],
    *,
    leaves: dict[str, LeafHashes],
    folder: Path,
    trust: TrustFile | None = None,
    progress: ProofProgress | None = None,
) -> int:
    """Write record and proof for each place, and return how many there are.

    Args:
        places: Name of the log, and index.
        leaves: The verified hashes of the logs, by name.
        folder: Where to; it is created.
        trust: Whose cosignatures go into the proofs.
        progress: Called as proofs are written.

    Raises:
        ConfigurationError: there is no such place.
        TamperedError: a record is not the one that was verified.
        TrailError: a file cannot be written.
    """
    wanted = sorted(set(places), key=str)
    for name, index in wanted:
        size = leaves[name].size if name in leaves else 0
        if not isinstance(index, int) or not 0 <= index < size:
            raise ConfigurationError(
                f"there is no entry `{index}` in a log `{name}`: select the columns `log`"
                " and `entry` as they are"
            )
    make_folder(folder)
    for done, (name, index) in enumerate(wanted, start=1):
        hashes = leaves[name]
        proof = hashes.proof(index, trust=trust).format()
        entry = _entry(hashes.log, index)
        try:
            verify_proof_file(proof, leaf_bytes=entry.body, vkeys=hashes.log.vkeys)
        except VerificationError as error:
            raise TamperedError(
                f"{entry.name} was changed while it was read: {error}"
            ) from error
        record = entry.record().id
        write_small(folder / f"{record}{RECORD}", entry.body)
        write_small(folder / f"{record}{PROOF}", proof.encode())
        if progress:
            progress("proofs", done, len(wanted))
    return len(wanted)


def _entry(log: Log, index: int) -> Entry:
    for entry in islice(log.entries(start=index), 1):
        if entry.index == index:
            return entry
    raise TamperedError(f"entry {index} of {log.origin} is missing")


def verify_proofs(
    folder: Path,
    *,
    trust: TrustFile,
    progress: ProofProgress | None = None,
) -> dict[str, tuple[Checkpoint, int]]:
    """Verify a folder of records and proofs with trusted keys alone.

    What holds afterwards: each record stands in its log. Whether there are others that
    the question would have found, proofs of inclusion cannot say.

    Returns:
        The largest checkpoint of each log, and how many of its records were verified.

    Raises:
        TrailError: there is nothing to verify, or a file cannot be read.
        TamperedError: a record is not in its log, or one of a pair is missing.
    """
    names = {
        path.name.removesuffix(end)
        for end in (PROOF, RECORD)
        for path in folder.glob(f"*{end}")
    }
    if not names:
        raise TrailError(f"there is no proof in `{folder}`: correct the path")
    found: dict[str, tuple[Checkpoint, int]] = {}
    roots: dict[tuple[str, int], bytes] = {}
    for done, name in enumerate(sorted(names), start=1):
        checkpoint = _verify_pair(folder, name, trust=trust)
        largest, count = found.get(checkpoint.origin, (checkpoint, 0))
        same = (checkpoint.origin, checkpoint.size)
        if roots.setdefault(same, checkpoint.root) != checkpoint.root:
            raise TamperedError(
                f"there are two histories of {checkpoint.origin}: two checkpoints of"
                f" size {checkpoint.size} with different roots"
            )
        newest = max(largest, checkpoint, key=lambda item: item.size)
        found[checkpoint.origin] = (newest, count + 1)
        if progress:
            progress("proofs", done, len(names))
    return found


def _verify_pair(folder: Path, name: str, *, trust: TrustFile) -> Checkpoint:
    record, proof = folder / f"{name}{RECORD}", folder / f"{name}{PROOF}"
    for path, what in ((record, "record"), (proof, "proof")):
        if not path.is_file():
            raise TamperedError(f"the {what} `{path.name}` is missing from `{folder}`")
    try:
        return verify_trusted_proof(
            read_small(proof), leaf_bytes=read_small(record), trust=trust
        )
    except UnwitnessedError:
        # Too few have seen it: that proves nothing against the record.
        raise
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"`{record.name}` is not what `{proof.name}` proves: {error}"
        ) from error
