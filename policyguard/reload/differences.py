"""Remembers, over restarts, of which bundles compiled policy has answered something else.

Owner: a folder beside the memory of bundles (`reload.memory`), away from the trail, so that a
restored backup of the trail does not bring trust back. One small file for each bundle, which
any process of the machine may write, whole or not at all; a crash leaves at most a draft. Who
can remove a file gives compiled policy one more chance, and who can write one makes decisions
slow, never wrong: the interpreter gives them.

INVARIANT: a file that cannot be read counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import FormatError, TrailError
from policyguard.vocabulary.value import Digest, Value

_NAME: Final = re.compile(r"([0-9a-f]{64})\.json")


class _Form(Value):
    by: str
    catalog: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Reads and writes what differed.

    Args:
        folder: Where.
        by: What has compiled, with its version: another one is trusted again.
    """

    folder: Path
    by: str

    def bundles(self) -> frozenset[str]:
        """Return the digests of the bundles of which compiled policy has differed.

        Raises:
            TrailError: the folder cannot be read.
        """
        try:
            names = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise TrailError(
                f"`{self.folder}` cannot be read: {error}: it says which compiled policy"
                " is not to be trusted"
            ) from error
        return frozenset(name[1] for name in names if name and self._counts(name[1]))

    def add(self, *, bundle: str, catalog: str) -> None:
        """Remember that the compiled policy of a bundle has differed, durably.

        Raises:
            TrailError: it cannot be written.
        """
        make_folder(self.folder)
        form = _Form(by=self.by, catalog=catalog)
        data = canonical_bytes(form.model_dump(mode="json")) + b"\n"
        write_small(self._path(bundle), data)

    def _path(self, bundle: str) -> Path:
        return self.folder / f"{bundle}.json"

    def _counts(self, bundle: str) -> bool:
        try:
            form = _Form.model_validate(parse_json(read_small(self._path(bundle))))
        except (TrailError, FormatError, ValidationError):
            return True
        return form.by == self.by
