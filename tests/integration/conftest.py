"""What tests of guarded clients share, and tests against a PostgreSQL.

A file may have its own of the same name.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from guards import TICKETS, guard_in
from integration.loopback import Loopback, Since
from services import Postgres, postgres

from policyguard import Guard


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """One guard for all tests of a file: what takes time is to make it."""
    with guard_in(tmp_path_factory.mktemp("guard")) as made:
        yield made


@pytest.fixture
def guard(shared: Guard) -> Guard:
    """The one of the file, with the facts of support tickets."""
    return shared.bind(**TICKETS)


@pytest.fixture
def trail(guard: Guard) -> Since:
    """What the guard's trail has gained since the test began."""
    return Since(guard)


@pytest.fixture
def collected() -> Iterator[None]:
    """Clients that a framework keeps and nobody can close end with the test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def prepared(cluster: Postgres) -> tuple[str, str]:
    """A database with a trail that nobody has used and its lock database, to copy."""
    from fleet import NAME, database, logins

    from policyguard.audit.stores.postgres_schema import prepare_database
    from policyguard.audit.stores.postgres_server import Server

    made, lock = database(cluster), database(cluster)
    prepare_database(Server(url=made), lock=Server(url=lock), name=NAME)
    logins(made)
    return made, lock


@pytest.fixture
def pair(cluster: Postgres, prepared: tuple[str, str]) -> tuple[str, str]:
    """A database with such a trail and its lock database, as their owner."""
    from fleet import database

    made, lock = (database(cluster, like=url) for url in prepared)
    return made, lock


@pytest.fixture
def owned(cluster: Postgres, prepared: tuple[str, str]) -> str:
    """A database with such a trail, as its owner."""
    from fleet import database

    return database(cluster, like=prepared[0])


@pytest.fixture
def url(owned: str) -> str:
    """The same, as somebody who only writes."""
    from fleet import as_user

    return as_user(owned, "app")
