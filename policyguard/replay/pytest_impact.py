"""Makes an item of pytest of a demand on recorded calls: none of them is newly allowed.

`policyguard.testing.pytest_plugin` names this part of it, which reads trails and so stands
above it. Nothing is imported before `--policy-impact` is given.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pytest

from policyguard.testing.budget import NOT_LOOKED_AT, spending
from policyguard.testing.pytest_plugin import RegoItem

if TYPE_CHECKING:
    from policyguard.bundle.source import Bundle
    from policyguard.replay.impact import ImpactReport
    from policyguard.settings import Settings

_FACTS: Final = "policyguard/facts/"
_MOST_SHOWN: Final = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("policyguard").addoption(
        "--policy-impact",
        metavar="TRAIL",
        help="fail if a call that this trail recorded as not allowed would be allowed now",
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add an item for each policy whose tests are run."""
    trail = config.getoption("--policy-impact")
    if trail is None:
        return
    roots = dict.fromkeys(item.root for item in items if isinstance(item, RegoItem))
    items.extend(
        ImpactItem.from_parent(
            session, name=f"{root.name}: recorded calls", root=root, trail=trail
        )
        for root in roots
    )


class ImpactItem(pytest.Item):
    """Is the demand that no recorded call is allowed that was not."""

    def __init__(self, *, root: Path, trail: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.root = root
        self.trail = trail

    def runtest(self) -> None:
        """Ask the policy as it is about every recorded call, with the facts of then."""
        from policyguard.errors import PolicyGuardError

        try:
            report = self._report()
        except PolicyGuardError as error:
            pytest.fail(str(error), pytrace=False)
        opened = [flip for flip in report.flips if flip.after == "allow"]
        lines = [
            f"{flip.id} ({flip.place}) {flip.before} → allow by"
            f" {', '.join(flip.rules) or 'no rule'}"
            for flip in opened[:_MOST_SHOWN]
        ]
        if len(opened) > _MOST_SHOWN:
            lines.append(f"and {len(opened) - _MOST_SHOWN} more")
        shown = "\n".join(lines)
        if opened and self.config.getoption("--policy-accept-new-access"):
            pytest.xfail(f"accepted: {shown}")
        if opened:
            pytest.fail(
                f"{shown}\n{len(opened)} of {report.calls} recorded calls would be allowed"
                " that were not",
                pytrace=False,
            )
        if not report.calls:
            pytest.fail(f"`{self.trail}` has no recorded call", pytrace=False)
        if report.unanswered:
            said = ", ".join(f"{n}: {why}" for why, n in report.unanswered.items())
            pytest.skip(
                f"{NOT_LOOKED_AT}: of {report.calls} recorded calls some cannot be asked"
                f" ({said}), and no other one would be newly allowed"
            )

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say of which policy it speaks."""
        return self.root, None, self.name

    def _report(self) -> ImpactReport:
        from policyguard.replay.impact import impact
        from policyguard.replay.trails import opened
        from policyguard.settings import load_settings

        place = self.trail if "://" in self.trail else self._below_start()
        with spending() as look:
            return impact(
                opened(place),
                bundle=bundle_in(self.root, load_settings(None)),
                now=None,
                progress=lambda log, done, total: look(
                    f"at entry {done} of {total} of {log}"
                ),
            )

    def _below_start(self) -> Path:
        return self.config.invocation_params.dir / self.trail


def bundle_in(root: Path, settings: Settings) -> Bundle:
    """Return the bundle that an author's directory would make.

    Nobody has to trust it, since it decides nothing.

    Args:
        root: A bundle's root; or a tenant's own rules alone, which are then added to the
            bundle that settings name.
        settings: Of a guard.

    Raises:
        BundleError: it cannot be read, or is no bundle and no rules of a tenant.
    """
    from policyguard.assembly import bundle_of
    from policyguard.assembly_authority import in_force
    from policyguard.bundle.additions import TENANT, tenant_digest
    from policyguard.bundle.files import MANIFEST, read_files
    from policyguard.bundle.source import load_directory
    from policyguard.errors import BundleError
    from policyguard.identity import wall_clock
    from policyguard.testing.sources import read_policy

    source = read_policy(root)
    if any(name.startswith(_FACTS) for name in source.modules):
        return in_force(load_directory(root), settings=settings, now=wall_clock())
    if source.data:
        raise BundleError(f"`{root}`: rules of a tenant are modules, and no data")
    with TemporaryDirectory() as folder:
        held = Path(folder)
        manifest = {"revision": "tried", "roots": [TENANT], "rego_version": 1}
        (held / MANIFEST).write_text(json.dumps(manifest), "utf-8")
        for name, text in source.modules.items():
            file = held / (name if name.startswith(TENANT) else f"{TENANT}/{name}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        own = settings.bundle.model_copy(
            update={"tenant": held, "tenant_digest": tenant_digest(read_files(held))}
        )
        return bundle_of(settings.model_copy(update={"bundle": own}))
