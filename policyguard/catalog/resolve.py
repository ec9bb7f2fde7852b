"""Finds out which model and which deployment a client's words mean.

A client says a name, a host and a path; the catalog says who answers there. Names are
compared exactly, as the services do; hosts in the form of `endpoints.host_key`.
INVARIANT: a deployment is named only for a host and a name that the catalog lists
together. Everything else is unknown, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policyguard.catalog.endpoints import host_key, model_in_path, unclear
from policyguard.catalog.schema import CatalogFile, Deployment, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Says what a call means in the catalog; `None` is unknown."""

    model: str | None
    deployment: str | None
    why: str
    """How it was found, or what is missing, for a person to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Holds who answers to which host and name; made once for each catalog."""

    answers: Mapping[tuple[str, str], str]
    """Deployment by (host, name)."""
    models: Mapping[str, str]
    """Model by deployment."""
    named: Mapping[str, tuple[str, ...]]
    """Models by any of their names, wherever they run."""
    hosts: frozenset[str]

    def resolve(
        self, *, asked_model: str | None, host: str | None, path: str | None = None
    ) -> Resolution:
        """Find model and deployment.

        Args:
            asked_model: The name in the body, or `None` if none could be seen.
            host: The host as `endpoint_of` returns it, or `None`.
            path: The path of the URL. A model in the path wins over the body's.
        """
        if path and (why := unclear(path)):
            return _unknown(why)
        name = (model_in_path(path) if path else None) or asked_model
        if name is None:
            return _unknown("the call names no model that could be read")
        key = None if host is None else host_key(host)
        if key is not None and key in self.hosts:
            return self._at_known_host(name, key)
        place = (
            "it is not known where the call goes"
            if host is None
            else f"no deployment of the catalog answers at `{host}`"
        )
        return self._by_name(name, place)

    def _at_known_host(self, name: str, host: str) -> Resolution:
        deployment = self.answers.get((host, name))
        if deployment is None:
            return _unknown(f"no deployment at `{host}` answers to the name `{name}`")
        return Resolution(
            model=self.models[deployment],
            deployment=deployment,
            why=f"`{name}` at `{host}` is `{deployment}`",
        )

    def _by_name(self, name: str, place: str) -> Resolution:
        models = self.named.get(name, ())
        if len(models) == 1:
            return Resolution(model=models[0], deployment=None, why=place)
        cause = (
            f"`{name}` may be any of {', '.join(models)}"
            if models
            else f"no model of the catalog is called `{name}`"
        )
        return _unknown(f"{place}, and {cause}")


def index_of(file: CatalogFile) -> Index:
    """Make the index of a whole catalog."""
    answers: dict[tuple[str, str], str] = {}
    named: dict[str, set[str]] = {}
    hosts: set[str] = set()
    for model_id, model in file.models.items():
        for name in (model_id, *model.names):
            named.setdefault(name, set()).add(model_id)
    for deployment_id, deployment in file.deployments.items():
        hosts.update(deployment.hosts)
        for host, name in answers_of(deployment, model=file.models[deployment.model]):
            answers[host, name] = deployment_id
            named.setdefault(name, set()).add(deployment.model)
    return Index(
        answers=answers,
        models={key: item.model for key, item in file.deployments.items()},
        named={name: tuple(sorted(ids)) for name, ids in named.items()},
        hosts=frozenset(hosts),
    )


def answers_of(deployment: Deployment, *, model: Model) -> Iterator[tuple[str, str]]:
    """Yield each (host, name) that a deployment answers to.

    One that lists no names answers to its model's.
    """
    names = deployment.names or (deployment.model, *model.names)
    for host in deployment.hosts:
        for name in names:
            yield host, name


def _unknown(why: str) -> Resolution:
    return Resolution(model=None, deployment=None, why=why)
