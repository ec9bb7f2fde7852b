"""What the records of one log say, collected while they are verified.

Owner: one verification. What is kept in memory is what does not come out even: decisions
without an outcome, records whose content is gone, orders to erase; and everybody who
asked. So it does not grow with a log of which everything is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policyguard.audit.about import people_in
from policyguard.audit.erasure_order import require_order, verify_order
from policyguard.audit.key_history import KeyHistory
from policyguard.audit.outside.attested import Attested
from policyguard.audit.reader import Entry
from policyguard.audit.record_forms import Forms, Said
from policyguard.audit.vault import SealedPrompt, commitment_value
from policyguard.errors import (
    NewerRecordError,
    NewerTrailError,
    PolicyGuardError,
    TamperedError,
)
from policyguard.vocabulary.record import (
    AnyRecord,
    ApprovalRecord,
    Commitment,
    DecisionRecord,
    EraseRecord,
    GenesisRecord,
    OutcomeRecord,
    Predecessor,
)

if TYPE_CHECKING:
    from policyguard.audit.people import DataKeys
    from policyguard.audit.reader import Log
    from policyguard.audit.stores.protocol import Row
    from policyguard.signing.keyring import VerifierKey
    from policyguard.tlog import Checkpoint


class Tally:
    """Collects what one log says while it is read."""

    def __init__(
        self,
        log: Log,
        checkpoint: Checkpoint,
        *,
        erasers: Collection[VerifierKey] | None,
        data_keys: Callable[[], DataKeys | None],
    ) -> None:
        """Begin with nothing.

        Args:
            log: The log.
            checkpoint: Its newest head.
            erasers: The keys that may order an erasure; `None`: nobody says which.
            data_keys: Reads what opens prompts, once there is one.
        """
        self._log = log
        self._data_keys = data_keys
        self._erasers = erasers
        self._forms = Forms()
        self._has_vault = log.source.has_vault()
        self._trouble: PolicyGuardError | None = None
        self.orders: Counter[str] = Counter()
        self.origin = log.origin
        self.size = checkpoint.size
        self.root = checkpoint.root
        self.checkpoints = 0
        self.keys = KeyHistory(origin=log.origin, trusted=log.vkeys)
        self.predecessor: Predecessor | None = None
        self.attested = Attested()
        self.gone: set[str] = set()
        """Records whose content, or prompt, the vault has not."""
        self.allowed: set[bytes] = set()
        """Decisions that go ahead, of which no outcome has come yet."""
        self.ended: set[bytes] = set()
        """Of outcomes whose decision is not in this log before them, that decision."""
        self.ordered: set[str] = set()
        self.callers: set[bytes] = set()
        """The pseudonyms of everybody who asked or approved."""
        self.forgotten: set[str] = set()
        """The pseudonyms that lead to nobody by a signed order."""

    def take(self, rows: Sequence[Row]) -> None:
        """Take in records whose bytes are those of the tree, in order.

        What is wrong with them is kept for `settle`: whether they were signed at all is
        only known at the next checkpoint, and more important.
        """
        if self._trouble is None:
            try:
                self._take(rows)
            except PolicyGuardError as error:
                self._trouble = error

    def settle(self) -> None:
        """Raise what was wrong with a record.

        Raises:
            TamperedError: it, or its content, is not what its log may hold.
            FormatError: it is none.
            NewerTrailError: a newer version of this software has made it.
            TrailError: the vault cannot be read.
        """
        if isinstance(self._trouble, NewerRecordError):
            # Signed as it is: nobody has changed it.
            raise NewerTrailError(str(self._trouble)) from self._trouble
        if self._trouble is not None:
            raise self._trouble

    def _take(self, rows: Sequence[Row]) -> None:
        batch = _Batch()
        # The first record is of no form: it opens the log.
        left = list(rows) if rows[0][0] == 0 else self._read_forms(rows, batch=batch)
        while left:
            for number, row in enumerate(left, start=1):
                if self._read_row(row, batch=batch):
                    # Perhaps there are more of the form that was just learned.
                    left = self._read_forms(left[number:], batch=batch)
                    break
            else:
                left = []
        self.ended |= batch.ended - self.allowed
        self.allowed -= batch.ended
        self._verify_content(batch)

    def _read_forms(self, rows: Sequence[Row], *, batch: _Batch) -> list[Row]:
        """Take in what is of known forms, and return the rest in order."""
        said, left = self._forms.read(rows)
        for many in said:
            batch.add(many)
            if many.callers is not None:
                self.callers.update(many.callers)
            if many.go_ahead:
                self.allowed.update(many.ids)
        return left

    def _read_row(self, row: Row, *, batch: _Batch) -> bool:
        """Validate a record in full, and take it in; say if a form was learned."""
        index, body, leaf = row
        entry = Entry(origin=self.origin, index=index, body=body, leaf=leaf)
        record = _record_of(entry, log=self._log)
        self._add(entry, record)
        if isinstance(record, DecisionRecord | ApprovalRecord):
            batch.places[record.id] = index
            batch.wanted[record.id] = record.input.value
            if isinstance(record, DecisionRecord) and record.prompt is not None:
                batch.prompts[record.id] = (entry, record.prompt)
        elif isinstance(record, OutcomeRecord):
            batch.ended.add(record.decision.encode())
        return self._forms.learn(entry, record)

    def _add(self, entry: Entry, record: AnyRecord) -> None:
        self.keys.add_record(entry.index, record)
        if isinstance(record, GenesisRecord):
            self.predecessor = record.predecessor
        if isinstance(record, DecisionRecord):
            if record.goes_ahead:
                self.allowed.add(record.id.encode())
            if record.caller is not None:
                self.callers.add(record.caller.encode())
        elif isinstance(record, ApprovalRecord):
            self.callers.update((record.caller.encode(), record.by.encode()))
        elif isinstance(record, EraseRecord):
            trail = self.origin.rpartition("/")[0]
            if self._erasers is None:
                key = verify_order(record, trail=trail)
            else:
                key = require_order(record, trail=trail, erasers=self._erasers)
            self.orders[key.key_name] += 1
            self.ordered.update(record.records)
            self.forgotten.update(record.callers, record.people)

    def _verify_content(self, batch: _Batch) -> None:
        """Open each commitment whose content the vault still has."""
        wanted, source = batch.wanted, self._log.source
        if not wanted or not self._has_vault:
            # A log may be handed out without its vault: all of its content is gone.
            self.gone.update(wanted)
            return
        # Before the contents: what is erased meanwhile has none left to compare with.
        people = source.people_of(wanted)
        there = source.contents(wanted)
        for record, salt, body in there:
            if commitment_value(body, salt=salt) != wanted[record]:
                raise TamperedError(
                    f"the content of {batch.name(record, log=self.origin)} in the vault"
                    " was changed: it is not what was recorded"
                )
            if people_in(body) != people.get(record, ()):
                raise TamperedError(
                    f"the vault says that {batch.name(record, log=self.origin)} is about"
                    " others than its content names: it was changed"
                )
        if len(there) < len(wanted):
            self.gone.update(wanted.keys() - {record for record, _, _ in there})
        self._verify_prompts(batch, people=people)

    def _verify_prompts(
        self, batch: _Batch, *, people: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Open each prompt that is there, where this process may read its keys."""
        if not batch.prompts:
            return
        there = self._log.source.prompts(batch.prompts)
        self.gone.update(batch.prompts.keys() - {record for record, _, _ in there})
        keys = self._data_keys() if there else None
        if keys is None:
            return
        for record, body, key in there:
            entry, committed = batch.prompts[record]
            sealed = SealedPrompt(
                body=body, key=key or None, about=people.get(record, ())
            )
            try:
                keys.open(sealed, leaf=entry.leaf, committed=committed)
            except TamperedError as error:
                name = batch.name(record, log=self.origin)
                raise TamperedError(f"{name}: {error}") from error


@dataclass(slots=True)
class _Batch:
    """Is what a batch of records says that is settled with it."""

    ended: set[bytes] = field(default_factory=set)
    """Decisions of which there is an outcome."""
    wanted: dict[str, str] = field(default_factory=dict)
    """The commitment of each record that has content."""
    places: dict[str, int] = field(default_factory=dict)
    """The index of each of these records."""
    prompts: dict[str, tuple[Entry, Commitment]] = field(default_factory=dict)
    """Entry and commitment of each record whose prompt was kept."""

    def name(self, record: str, *, log: str) -> str:
        return f"entry {self.places[record]} of {log} (record {record})"

    def add(self, said: Said) -> None:
        if said.decisions is not None:
            self.ended.update(said.decisions)
        if said.contents is not None:
            ids = [record.decode() for record in said.ids]
            values = map(bytes.decode, said.contents)
            self.wanted.update(zip(ids, values, strict=True))
            self.places.update(zip(ids, (row[0] for row in said.rows), strict=True))


def _record_of(entry: Entry, *, log: Log) -> AnyRecord:
    record = entry.record()
    first = isinstance(record, GenesisRecord)
    if first != (entry.index == 0):
        raise TamperedError(f"{entry.name} opens a log, and only entry 0 may do that")
    if isinstance(record, GenesisRecord) and (
        record.origin != log.origin
        or record.vkey not in {vkey.format() for vkey in log.vkeys}
    ):
        raise TamperedError(f"{entry.name} opens the log of another origin or key")
    return record
