"""Validates policy in a process of its own, which ends when it takes too long.

A parser cannot be interrupted from inside, and takes the interpreter's lock with it: a
bundle that hangs it would stop every caller. So a bundle that is to take over while
calls are made is loaded elsewhere first, with a deadline and a bound on memory, and
only then here.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from policyguard.engines.protocol import Golden, PolicySet
from policyguard.errors import EngineLoadError, PolicyGuardError

if TYPE_CHECKING:
    from policyguard.engines.compiled.translate import Translated

DEADLINE_SECONDS: Final = 20.0
MAX_MEMORY: Final = 2 << 30
_LONGEST_REASON: Final = 2_000
_PROGRAM: Final = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from policyguard.engines.apart import main
sys.exit(main())
"""


def validate_apart(
    policy: PolicySet, *, deadline: float = DEADLINE_SECONDS
) -> Translated | None:
    """Load a policy into the embedded engine of another process.

    There the compiled policy is compared with the interpreter on every golden vector.

    Args:
        policy: What to load.
        deadline: Seconds after which the process is ended.

    Returns:
        The program of the policy, or nothing if the interpreter has to answer.

    Raises:
        EngineLoadError: the engine refuses it, does not end in time, or crashes.
    """
    command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)]
    try:
        done = subprocess.run(  # noqa: S603 -- our own interpreter and program
            command,
            input=_packed(policy),
            capture_output=True,
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineLoadError(
            f"the policy was not loaded within {deadline:g} seconds: simplify the module"
            " that was changed last"
        ) from None
    except OSError as error:
        raise EngineLoadError(
            f"no process could be started to validate the policy: {error}"
        ) from error
    if done.returncode == 0:
        return _program(done.stdout)
    reason = done.stdout.decode("utf-8", "replace")[:_LONGEST_REASON].strip()
    if done.returncode != 1 or not reason:
        reason = f"the engine crashed on the policy (status {done.returncode})"
    raise EngineLoadError(reason)


def main() -> int:
    """Read a policy from standard input, load it, and write why it was refused."""
    from policyguard.engines.regorus import RegorusEngine

    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        policy = _unpacked(sys.stdin.buffer.read())
        loaded = RegorusEngine(compared=len(policy.golden)).load(policy)
    except PolicyGuardError as error:
        sys.stdout.write(str(error))
        return 1
    translated = loaded.translated
    sys.stdout.buffer.write(
        orjson.dumps(None if translated is None else asdict(translated))
    )
    return 0


def _program(written: bytes) -> Translated | None:
    """Read what our own code in the other process has written.

    Raises:
        EngineLoadError: it is not that.
    """
    from policyguard.engines.compiled.translate import Translated

    try:
        fields = orjson.loads(written)
        if fields is None:
            return None
        return Translated(
            parts=tuple(fields["parts"]),
            entry=fields["entry"],
            rules=fields["rules"],
            paths=tuple(tuple(path) for path in fields["paths"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise EngineLoadError(
            "the process that validates policy wrote something else than its answer"
        ) from error


def _packed(policy: PolicySet) -> bytes:
    return orjson.dumps(_fields(policy))


def _fields(policy: PolicySet) -> dict[str, Any]:
    promising = policy.promising
    return {
        "modules": dict(policy.modules),
        "data": policy.data,
        "entrypoint": policy.entrypoint,
        "rule_ids": sorted(policy.rule_ids),
        "bundle_digest": policy.bundle_digest,
        "catalog_digest": policy.catalog_digest,
        "golden": [
            {
                "name": item.name,
                "input": item.input,
                "verdict": item.verdict,
                "rules": item.rules,
            }
            for item in policy.golden
        ],
        "golden_catalog": policy.golden_catalog,
        "promising": None if promising is None else _fields(promising),
    }


def _unpacked(data: bytes) -> PolicySet:
    return _policy(orjson.loads(data))


def _policy(fields: dict[str, Any]) -> PolicySet:
    promising = fields.pop("promising")
    golden = tuple(
        Golden(**{**item, "rules": tuple(item["rules"])})
        for item in fields.pop("golden")
    )
    rule_ids = frozenset(fields.pop("rule_ids"))
    return PolicySet(
        **fields,
        golden=golden,
        rule_ids=rule_ids,
        promising=None if promising is None else _policy(promising),
    )
