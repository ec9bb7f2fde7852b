"""Makes of an author's directory a policy that can be analysed over a catalog."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.bundle.additions import read_overrides
from policyguard.bundle.rulebook import read_rules, rulebook_document
from policyguard.canonical import Json, digest_of
from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.settings import Settings
from policyguard.testing.sources import PolicySource, read_policy

_FACTS: Final = "policyguard/facts/"
_TENANT: Final = "tenant"


def configured_policy(settings: Settings) -> PolicySet:
    """Return the bundle and the catalog that settings name.

    Args:
        settings: Of a guard.
    """
    return policy_set(bundle=bundle_of(settings), catalog=catalog_of(settings))


def policy_in(directory: Path, settings: Settings) -> PolicySet:
    """Return the rules of a directory over the catalog that settings name.

    Args:
        directory: A bundle's root; or a tenant's own rules alone, which are then added
            to the bundle that settings name.
        settings: Of a guard.

    Raises:
        BundleError: it cannot be read, or holds no Rego.
    """
    return policy_with(read_policy(directory), settings)


def policy_at(directory: Path, revision: str, settings: Settings) -> PolicySet:
    """Return the rules of a directory as they were in a revision of git.

    Args:
        directory: As for `policy_in`, in a working tree.
        revision: As git names it: `origin/main`, `HEAD~1`, a tag.
        settings: Of a guard.

    Raises:
        ConfigurationError: git has no such revision, or there is no working tree.
        BundleError: the directory held no Rego then.
    """
    if revision.startswith("-"):
        raise ConfigurationError(f"`{revision}` is no revision: name a branch or a tag")
    top = _git(directory, "rev-parse", "--show-toplevel").decode("utf-8").strip()
    prefix = _git(directory, "rev-parse", "--show-prefix").decode("utf-8").strip()
    with TemporaryDirectory() as folder:
        archive = _git(Path(top), "archive", "--format=tar", f"{revision}:{prefix}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return policy_in(Path(folder), settings)


def _git(directory: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 -- git, with the revision as one word
            ["git", "-C", str(directory), *words],  # noqa: S607 -- the user's own git
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise ConfigurationError(f"git cannot be run: {error}") from error
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise ConfigurationError(f"git knows no such revision of it: {message}")
    return done.stdout


def policy_with(source: PolicySource, settings: Settings) -> PolicySet:
    """Return rules that were read over the catalog that settings name.

    Args:
        source: The modules and data of a bundle, or of a tenant's own rules.
        settings: Of a guard.

    Raises:
        BundleError: METADATA of a tenant's rules cannot be used, or an id is taken.
    """
    base = configured_policy(settings)
    whole = any(name.startswith(_FACTS) for name in source.modules)
    own = source.modules if whole else _below_tenant(source.modules)
    modules = {**({} if whole else base.modules), **own}
    given = {**({} if whole else base.data), **source.data}
    data = {**_with_rulebook(given, modules), "catalog": base.data["catalog"]}
    return PolicySet(
        modules=modules,
        data=data,
        entrypoint=base.entrypoint,
        rule_ids=base.rule_ids,
        bundle_digest=digest_of({"modules": modules, "data": dict(source.data)}),
        catalog_digest=base.catalog_digest,
        golden=base.golden,
    )


def _below_tenant(modules: Mapping[str, str]) -> dict[str, str]:
    return {f"{_TENANT}/{name}": text for name, text in modules.items()}


def _with_rulebook(
    data: Mapping[str, Json], modules: Mapping[str, str]
) -> Mapping[str, Json]:
    """Return the data of a bundle, whose rulebook is of these modules.

    The one in a directory that is being worked on may be of yesterday. A rule that is
    being written has no METADATA and no place in it; whoever asks for its status says
    what that means.
    """
    ours: Any = data.get("policyguard")
    if not ours or "rulebook" not in ours:
        return data
    book = rulebook_document(
        revision=ours["rulebook"]["revision"],
        rules=read_rules(modules.items()),
        overrides=read_overrides(data),
    )
    return {**data, "policyguard": {**ours, "rulebook": book}}
