"""Which key may sign a log at which size, as the log's own records say.

Entry 0 names the first key; each `key.rotate` record, at index i, names the next one.
The checkpoint of size i + 1 bears both signatures; before it only the old key counts,
after it only the new one. So a key that was given up signs nothing more, even if it is
stolen later: what it signs beyond its time is refused, and so is a history from which
the rotation is missing, because the trust file knows the key that it would lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policyguard.canonical import parse_json
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    NewerRecordError,
    NewerTrailError,
    TamperedError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.vocabulary.record import KINDS, is_newer

if TYPE_CHECKING:
    from policyguard.audit.reader import Entry, Log
    from policyguard.signing.keyring import VerifierKey
    from policyguard.vocabulary.record import AnyRecord

_ROTATION: Final = "key.rotate"
_ABOUT_KEYS: Final = {"genesis", _ROTATION}
_KIND: Final = b'"kind":"'


@dataclass(slots=True, kw_only=True)
class KeyHistory:
    """Collects the keys of one log while its records and checkpoints are read."""

    origin: str
    trusted: Sequence[VerifierKey]
    """The keys that the trust file has for the log."""
    _handovers: list[tuple[int, str]] = field(default_factory=list)
    """The size from which on a key signs alone, and its verifier key; in order."""
    _signed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The smallest and the largest size that each key has signed."""
    _newer: NewerRecordError | None = None
    """The first record of a newer version: it, or one after it, may be about keys."""

    def add_record(self, index: int, record: AnyRecord) -> None:
        """Take in a record.

        Raises:
            TamperedError: it hands over a log or key that is not this one's.
        """
        if record.kind == "genesis":
            self._handovers.append((0, record.vkey))
        if record.kind != _ROTATION:
            return
        current = self._handovers[-1][1] if self._handovers else None
        known = {vkey for _, vkey in self._handovers}
        if record.origin != self.origin or record.old != current or record.new in known:
            raise TamperedError(
                f"entry {index} of {self.origin} hands over another log or key than the"
                " one that signs it"
            )
        self._handovers.append((index + 1, record.new))

    def add_entry(self, entry: Entry) -> None:
        """Take in what a record says about keys; those of calls are not parsed.

        Which records a log may have is not what an export is about. One of a newer
        version that may be about keys is remembered: whether it was signed at all is
        only known at the end.

        Raises:
            TamperedError: as `add_record`, or a handover is in no form of ours.
        """
        if self._newer or (entry.index and _is_about_a_call(entry.body)):
            return
        try:
            kind = _kind_of(entry.body)
            if kind in _ABOUT_KEYS:
                self.add_record(entry.index, entry.record())
            elif self._handovers and kind is None:
                self._newer = NewerRecordError(entry.name)
        except NewerRecordError as error:
            self._newer = error
        except FormatError as error:
            if self._handovers:
                raise TamperedError(
                    f"entry {entry.index} of {self.origin} hands over a key in no form"
                    f" that is known: {error}"
                ) from error

    def add_signed(self, size: int, keys: Iterable[VerifierKey]) -> None:
        """Take in which keys have signed a checkpoint; sizes come in any order."""
        for key in keys:
            vkey = key.format()
            first, last = self._signed.get(vkey, (size, size))
            self._signed[vkey] = (min(first, size), max(last, size))

    def require_kept(self, *, size: int) -> None:
        """Refuse keys that the log does not name, and signatures out of their time.

        Args:
            size: The size of the log's newest head.

        Raises:
            TamperedError: there is one.
        """
        self._require_trusted(size=size)
        trusted = {key.format() for key in self.trusted}
        handed = [at for at, _ in self._handovers]
        for (begin, vkey), end in zip(
            self._handovers, [*handed[1:], None], strict=True
        ):
            if vkey not in trusted:
                # Taken over, and not in the trust file yet; it has signed once.
                continue
            first, last = self._signed.get(vkey, (None, None))
            if last is not None and end is not None and last > end:
                raise TamperedError(
                    f"a checkpoint of {self.origin} of size {last} is signed with a key"
                    f" that was given up at size {end}"
                )
            if first is not None and first < begin:
                raise TamperedError(
                    f"a checkpoint of {self.origin} of size {first} is signed with a key"
                    f" that took over at size {begin}"
                )
            if (end is not None and last != end) or (begin and first != begin):
                missing = end if end is not None and last != end else begin
                raise TamperedError(
                    f"the checkpoint of {self.origin} of size {missing}, at which the"
                    " key was handed over, is missing or lacks a signature"
                )

    def require_current(self, *, size: int, signed: Iterable[VerifierKey]) -> None:
        """Refuse a head that the log's newest key has not signed.

        For a log of which only the newest checkpoint is at hand. One whose records say
        nothing of keys is none of ours, and is left alone.

        Args:
            size: The size of that checkpoint.
            signed: The known keys that have signed it.

        Raises:
            TamperedError: the newest key has not signed it, or trust file and log name
                different keys.
            NewerTrailError: a newer version has made a record: which key is the newest
                cannot be told here.
        """
        if self._newer is not None:
            raise NewerTrailError(str(self._newer)) from self._newer
        if not self._handovers:
            return
        self.add_signed(size, signed)
        self._require_trusted(size=size)
        trusted = {key.format() for key in self.trusted}
        newest = [vkey for _, vkey in self._handovers if vkey in trusted][-1:]
        if newest and newest[0] not in self._signed:
            raise TamperedError(
                f"the checkpoint of {self.origin} of size {size} is not signed with the"
                " log's newest key"
            )

    def _require_trusted(self, *, size: int) -> None:
        trusted = {key.format() for key in self.trusted}
        named = {vkey for _, vkey in self._handovers}
        if trusted - named:
            raise TamperedError(
                f"the trust file has a key of {self.origin} that the log never took:"
                " the log was put back, or written anew with an old key"
            )
        # Cut off between the record and the trust file; taken up when it is opened.
        unfinished = {vkey for at, vkey in self._handovers if at == size}
        if named - trusted - unfinished:
            raise TamperedError(
                f"the log {self.origin} was handed over to a key that is not in the"
                " trust file: ask for it, and compare it with `policyguard keys show`"
            )


def _is_about_a_call(body: bytes) -> bool:
    """Say fast, of most records, that they are decisions or outcomes."""
    # Of two kinds one may be nested.
    return body.count(_KIND) == 1 and (
        b'"kind":"decision"' in body or b'"kind":"outcome"' in body
    )


def _kind_of(body: bytes) -> str | None:
    """Return the kind of a record, nothing for what is none; `None`: a newer one's."""
    try:
        document = parse_json(body)
    except FormatError:
        return ""
    kind = document.get("kind") if isinstance(document, dict) else ""
    if not isinstance(kind, str):
        return ""
    return kind if kind in KINDS or not is_newer(document) else None


def require_own_key(log: Log) -> None:
    """Refuse a private key that is not the log's, where it can be read at all.

    Raises:
        TamperedError: it is another one, or none.
    """
    pem = log.source.private_key()
    if pem is None:
        # An auditor has no private keys.
        return
    if b"ENCRYPTED PRIVATE KEY" in pem:
        # Whoever verifies has no passphrase; with a wrong key the log does not open.
        return
    try:
        signer = Ed25519Signer.from_pem(pem, key_name=log.origin)
    except ConfigurationError as error:
        raise TamperedError(f"the key of {log.origin} was changed: {error}") from error
    if signer.public_key not in {vkey.public_key for vkey in log.vkeys}:
        raise TamperedError(f"the key of {log.origin} is not the one that signs it")
