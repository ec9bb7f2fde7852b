"""Refuses data that would stand where a policy answers.

In regorus a base document at the path of a rule overrides the rule: the data
`{"t": {"deny": []}}` silences `data.t.deny`. OPA refuses such data, and so do we.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policyguard.canonical import Json
from policyguard.errors import EngineLoadError


def require_no_overlap(
    *, data: Mapping[str, Json], paths: Iterable[tuple[str, ...]]
) -> None:
    """Check that no document is at, below or across a package or rule.

    Args:
        data: The base document.
        paths: Packages and rules, as names below `data`.

    Raises:
        EngineLoadError: a document stands at the path or below it, or a value that
            is no object stands above it; names the path.
    """
    for path in sorted(paths):
        node: Json = data
        for depth, name in enumerate(path):
            if not isinstance(node, Mapping):
                raise _overlap(path, at=path[:depth])
            if name not in node:
                break
            node = node[name]
        else:
            raise _overlap(path, at=path)


def _overlap(path: tuple[str, ...], *, at: tuple[str, ...]) -> EngineLoadError:
    return EngineLoadError(
        f"data at `data.{'.'.join(at)}` shadows the policy at"
        f" `data.{'.'.join(path)}`: rename one of them"
    )
