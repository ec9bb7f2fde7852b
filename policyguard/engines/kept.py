"""Finds the program that was written for the shipped policy when the package was made.

Reading the syntax tree and translating it takes most of a load, and for the policy in the
package it has been done: parsed, linted, translated, and compared with the interpreter on
every golden vector. What was written then lies in the package, beside the code.

Owner: the package; nothing writes here but `make fmt`. Whoever can change the file can
change the code as well. It is Python source for one policy, found by a digest of all that
the translation and its checks depend on; for any other policy there is none.

INVARIANT: a policy that differs by one byte from the one in the package is loaded from its
own text, with every check.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
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
_SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Is the program of one policy, and what else was read from its text."""

    key: str
    translated: Translated
    paths: tuple[tuple[str, ...], ...]
    """Of its packages and rules, which no data may shadow."""


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


def require_kept(policy: PolicySet, *, file: Path = FILE) -> Checked | None:
    """Return the program that is kept for a policy, or `None`; see `kept_for`.

    What depends on the data is checked anew, and so is each golden vector.

    Raises:
        EngineLoadError: data has no canonical form or shadows policy, or a promise is
            not kept.
    """
    found = kept_for(policy, file=file)
    compiled = compiled_or_not(found.translated) if found else None
    if found is None or compiled is None:
        return None
    require_no_overlap(data=policy.data, paths=found.paths)
    data_text(policy.data, what="data")
    base = functools.cache(lambda: promises.on_golden(policy))
    promises.require_kept_promises(base, policy, compiled)
    return Checked(translated=found.translated, compiled=compiled)


def packed(kept: Kept) -> bytes:
    """Return the content of the file."""
    fields = {
        "key": kept.key,
        "parts": kept.translated.parts,
        "entry": kept.translated.entry,
        "rules": kept.translated.rules,
        "paths": sorted(kept.paths),
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
            ),
            paths=tuple(tuple(path) for path in fields["paths"]),
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
