"""What a trail holds in one process: its recorder, and who is named in its records.

Owner: one process; a forked child makes its own and must `leak` this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from policyguard.audit.entry import DecisionEntry, Waiting, settled_place, waiting_of
from policyguard.audit.names import Names
from policyguard.audit.recorder import Recorder
from policyguard.errors import NotDurableError
from policyguard.vocabulary.decision import Place


@dataclass(slots=True, kw_only=True)
class Process:
    """Holds what must not cross a fork."""

    recorder: Recorder
    names: Names
    pid: int = field(default_factory=os.getpid)

    def append(self, entry: DecisionEntry) -> Place:
        """Make a decision's record durable.

        Raises:
            NotDurableError: it could not be made durable, or is no record.
        """
        return self.recorder.append(waiting_of(entry, names=self.names))

    def append_soon(
        self,
        entry: DecisionEntry,
        *,
        settled: Callable[[Place | NotDurableError], None],
    ) -> None:
        """Hand a decision's record over, and have it said what became of it.

        Raises:
            NotDurableError: it is no record.
        """
        item = waiting_of(entry, names=self.names)
        item.done = lambda: settled(settled_place(item))
        self.recorder.append_soon(item)

    def append_all(
        self, entries: Iterable[DecisionEntry]
    ) -> tuple[Place | NotDurableError, ...]:
        """Make many decisions' records durable; return where each is, or why not."""
        made: list[Waiting | NotDurableError] = []
        for entry in entries:
            try:
                made.append(waiting_of(entry, names=self.names))
            except NotDurableError as error:
                made.append(error)
        self.recorder.append_all([item for item in made if isinstance(item, Waiting)])
        return tuple(
            item if isinstance(item, NotDurableError) else settled_place(item)
            for item in made
        )

    def leak(self) -> None:
        """Let go of what is the parent's, in a forked child."""
        self.recorder.leak()
        self.names.leak()
