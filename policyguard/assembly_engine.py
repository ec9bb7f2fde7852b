"""Builds the engine that settings name."""

from __future__ import annotations

from policyguard.engines.protocol import Engine
from policyguard.engines.regorus import RegorusEngine
from policyguard.engines.sampling import Sampling
from policyguard.errors import ConfigurationError
from policyguard.guard.events import log
from policyguard.settings import Settings


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


def _differs(bundle: str, catalog: str) -> None:
    log.error(
        "compiled policy and the interpreter differ: the interpreter alone answers from"
        " now on; look for decisions that were wrong with `policyguard audit replay --all`",
        bundle=bundle,
        catalog=catalog,
    )
