"""Asks OPA itself what a policy answers: the server, or else its library from a wheel.

Where there is no Go to build the server, `make tools` unpacks the wheel of
`opa-golib-python-bindings`. Without either the tests skip and say so.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from opa import ROOT, opa_server

from policyguard.bundle.archive import pack
from policyguard.bundle.served import SERVED, catalog_files, served_module
from policyguard.canonical import canonical_bytes
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.protocol import PolicySet
from policyguard.errors import EvaluationError

DEADLINE: Final = 30.0
LIBRARY: Final = ROOT / ".tools/opa-golib"


class Oracle(Protocol):
    """Evaluates a policy as OPA does."""

    def evaluate(self, input_json: bytes) -> Mapping[str, Any]:
        """Return the decision document, or raise EvaluationError."""


@contextlib.contextmanager
def oracle(policy: PolicySet, *, folder: Path) -> Iterator[Oracle]:
    """Load a policy into OPA, or skip the test and say what is missing."""
    if (ROOT / ".tools/bin/opa").is_file() or shutil.which("opa"):
        with _server(policy, folder=folder) as found:
            yield found
    elif LIBRARY.is_dir():
        yield Library(policy)
    else:
        pytest.skip("no OPA and no library of it: run `make tools`")


class Library:
    """Is OPA's own library, which a wheel brings."""

    def __init__(self, policy: PolicySet) -> None:
        if str(LIBRARY) not in sys.path:
            sys.path.append(str(LIBRARY))
        bindings: Any = importlib.import_module("opa_bindings")
        self._error: type[Exception] = bindings.OpaError
        self._engine = bindings.OpaEngine()
        self._entrypoint = policy.entrypoint.removeprefix("data.")
        for path, text in policy.modules.items():
            self._engine.add_policy(path, text)
        self._engine.add_data(json.loads(canonical_bytes(dict(policy.data))))

    def evaluate(self, input_json: bytes) -> Mapping[str, Any]:
        """See `Oracle.evaluate`."""
        try:
            answer: Any = self._engine.eval_document(
                self._entrypoint, json.loads(input_json)
            )
        except self._error as error:
            raise EvaluationError(str(error)) from error
        return dict(answer)


@contextlib.contextmanager
def _server(policy: PolicySet, *, folder: Path) -> Iterator[Oracle]:
    archives = [folder / "bundle.tar.gz", folder / "catalog.tar.gz"]
    data = dict(policy.data)
    facts = data.pop("catalog")
    # In OPA the module says what is data here.
    ours: Any = data["policyguard"]
    own = {key: value for key, value in ours.items() if key != "served"}
    archives[0].write_bytes(
        pack(
            {
                ".manifest": b'{"roots":["policyguard"],"rego_version":1}',
                **{path: text.encode() for path, text in policy.modules.items()},
                "policyguard/data.json": canonical_bytes(own),
                SERVED: served_module(policy.bundle_digest),
            }
        )
    )
    archives[1].write_bytes(
        pack(
            catalog_files(
                version="1",
                digest=policy.catalog_digest,
                document=canonical_bytes(facts),
            )
        )
    )
    with opa_server(folder, archives=archives) as url:
        engine = OpaEngine(OpaServer(url=url, deadline=DEADLINE))
        try:
            yield engine.load(policy)
        finally:
            engine.close()
