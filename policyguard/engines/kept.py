"""Finds programs of policy that was parsed, linted, translated and compared before.

Reading the syntax tree and translating it takes most of a load. For the policy in the
package it was done when the package was made, and what was written then lies in the
package, beside the code. For any other policy it is done once in a process: what was
loaded, here or in a process that validated it, is remembered while the process lives.

Owner: the package owns the file; nothing writes there but `make fmt`, and whoever can
change it can change the code as well. The process owns the memory, which any thread may
ask. Nothing of it is written anywhere, so that nobody can put a program there for another
process to find. A program is found by a digest of all that the translation and its checks
depend on.

INVARIANT: a policy that differs by one byte from those is loaded from its own text, with
every check.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from policyguard.engines import promises
from policyguard.engines.compiled.checked import compiled_or_not
from policyguard.engines.compiled.program import Compiled
from policyguard.engines.compiled.translate import Translated
from policyguard.engines.overlap import require_no_overlap
from policyguard.engines.pieces import data_text
from policyguard.engines.protocol import PolicySet

FILE: Final = Path(__file__).with_name("shipped_program.zlib")
MOST_REMEMBERED: Final = 4
"""Of programs in a process; each takes some megabytes."""
_SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Is the program of one policy, and what else was read from its text."""

    key: str
    translated: Translated


def key_of(policy: PolicySet) -> str:
    """Return the SHA-256 of what a translation and its checks depend on, in hexadecimal."""
    parts: list[object] = [
        dict(policy.modules),
        policy.entrypoint,
        sorted(policy.rule_ids),
        [[item.name, item.input, item.verdict, item.rules] for item in policy.golden],
        policy.golden_catalog,
    ]
    return hashlib.sha256(orjson.dumps(parts, option=_SORTED)).hexdigest()


def kept_for(policy: PolicySet, *, file: Path = FILE) -> Kept | None:
    """Return the program that is kept for a policy, or `None`.

    Args:
        policy: What is to be loaded; one with a tenant's additions has none.
        file: Where programs are kept.
    """
    if policy.promising is not None:
        return None
    kept = _read(file)
    return kept if kept is not None and kept.key == key_of(policy) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Is a kept program that keeps what its policy promises here and now."""

    translated: Translated
    compiled: Compiled


class _Memory:
    """Remembers programs that this process has loaded, by what they depend on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: OrderedDict[str, Checked] = OrderedDict()

    def find(self, key: str) -> Checked | None:
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
            return found

    def keep(self, key: str, checked: Checked) -> None:
        with self._lock:
            self._programs[key] = checked
            self._programs.move_to_end(key)
            while len(self._programs) > MOST_REMEMBERED:
                self._programs.popitem(last=False)


_MEMORY: Final = _Memory()


def remember(
    policy: PolicySet, translated: Translated | None, compiled: Compiled | None
) -> None:
    """Remember the program of a policy that was loaded from its text.

    Args:
        policy: What was loaded; one with a tenant's additions is not remembered, because
            no promise is about them.
        translated: Its program, if it has one, with the paths of packages and rules.
        compiled: The same, compiled, if it agreed with the interpreter.
    """
    if translated is None or compiled is None or not translated.paths:
        return
    if policy.promising is None:
        checked = Checked(translated=translated, compiled=compiled)
        _MEMORY.keep(key_of(policy), checked)


def remembered(policy: PolicySet) -> Checked | None:
    """Return what `remember` was told of a policy, if it still is."""
    return _MEMORY.find(key_of(policy)) if policy.promising is None else None


def is_known(policy: PolicySet) -> bool:
    """Say whether a policy can be loaded without its text being read."""
    return remembered(policy) is not None or kept_for(policy) is not None


def require_kept(policy: PolicySet, *, file: Path = FILE) -> Checked | None:
    """Return the program of a policy that is remembered or kept, or `None`.

    What depends on the data is checked anew, and so is each golden vector.

    Raises:
        EngineLoadError: data has no canonical form or shadows policy, or a promise is
            not kept.
    """
    found = remembered(policy) or _compiled(kept_for(policy, file=file))
    if found is None:
        return None
    require_no_overlap(data=policy.data, paths=found.translated.paths)
    data_text(policy.data, what="data")
    base = functools.cache(lambda: promises.on_golden(policy))
    promises.require_kept_promises(base, policy, found.compiled)
    remember(policy, found.translated, found.compiled)
    return found


def _compiled(kept: Kept | None) -> Checked | None:
    compiled = compiled_or_not(kept.translated) if kept else None
    if kept is None or compiled is None:
        return None
    return Checked(translated=kept.translated, compiled=compiled)


def packed(kept: Kept) -> bytes:
    """Return the content of the file."""
    fields = {
        "key": kept.key,
        "parts": kept.translated.parts,
        "entry": kept.translated.entry,
        "rules": kept.translated.rules,
        "paths": sorted(kept.translated.paths),
    }
    return zlib.compress(orjson.dumps(fields, option=_SORTED), 9)


def unpacked(data: bytes) -> Kept:
    """Return what a file holds.

    Raises:
        ValueError: it holds something else.
    """
    try:
        fields = orjson.loads(zlib.decompress(data))
        return Kept(
            key=fields["key"],
            translated=Translated(
                parts=tuple(fields["parts"]),
                entry=fields["entry"],
                rules=fields["rules"],
                paths=tuple(tuple(path) for path in fields["paths"]),
            ),
        )
    except (zlib.error, KeyError, TypeError) as error:
        raise ValueError("no program is kept there") from error


@functools.cache
def _read(file: Path) -> Kept | None:
    # Without it a load takes longer and is otherwise the same.
    try:
        return unpacked(file.read_bytes())
    except (OSError, ValueError):
        return None
