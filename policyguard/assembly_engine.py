"""Builds the engine that settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policyguard.engines.protocol import Engine, Snapshot
from policyguard.engines.regorus import COMPILED, RegorusEngine, RegorusSnapshot
from policyguard.engines.sampling import Sampling
from policyguard.errors import ConfigurationError, TrailError
from policyguard.guard.events import log
from policyguard.settings import Settings
from policyguard.version import __version__

if TYPE_CHECKING:
    from policyguard.audit.trail import Trail


def engine_of(settings: Settings) -> Engine:
    """Return the engine that the settings name, connected to nothing yet.

    Raises:
        ConfigurationError: it cannot be used; says which setting.
    """
    named = settings.engine
    if named.name == "regorus":
        return RegorusEngine(
            sampling=Sampling(one_in=named.compare_one_in, told=_differs)
        )
    if named.url is None:
        raise ConfigurationError(
            "the engine `opa` needs an address: set `url` under [engine], as"
            " `https://opa.example:8181`"
        )
    from policyguard.engines.opa import OpaEngine
    from policyguard.engines.opa_server import OpaServer

    return OpaEngine(
        OpaServer(
            url=named.url,
            ca_file=named.ca_file,
            client_cert=named.client_cert,
            client_key=named.client_key,
            token_file=named.token_file,
            plaintext=named.plaintext,
            deadline=named.deadline_ms / 1_000,
        )
    )


def recall(engine: Engine, *, trail: Trail, loaded: Snapshot | None = None) -> None:
    """Use no compiled policy that has differed before, in any process of this machine.

    Args:
        engine: What loads policy.
        trail: Beside whose memory of bundles it is remembered.
        loaded: What the engine has loaded already.

    Raises:
        TrailError: what is remembered cannot be read.
    """
    if not isinstance(engine, RegorusEngine):
        return
    from policyguard.reload.differences import Differences

    memory = Differences(
        folder=trail.policy_memory.with_name("differs"),
        by=f"policyguard {__version__}, {engine.info.version}+{COMPILED}",
    )

    def keep(bundle: str, catalog: str) -> None:
        try:
            memory.add(bundle=bundle, catalog=catalog)
        except TrailError as error:
            log.error("policy.difference_not_kept", bundle=bundle, reason=str(error))

    engine.sampling.recall(memory.bundles(), keep=keep)
    if isinstance(loaded, RegorusSnapshot) and not engine.sampling.trusts(
        loaded.bundle_digest
    ):
        loaded.doubt()


def _differs(bundle: str, catalog: str) -> None:
    log.error(
        "compiled policy and the interpreter differ: the interpreter alone answers from"
        " now on; look for decisions that were wrong with `policyguard audit replay --all`",
        bundle=bundle,
        catalog=catalog,
    )
