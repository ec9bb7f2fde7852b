"""Tests of a real OPA server that asks for certificates or tokens, and is given bundles.

The authority, the server's and the guard's certificates are made here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bundles import shipped_as
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from guards import SUMMER, settings
from hostile import Server, answering, http, read_question, serving
from opa import catalog_archive, opa_server, shipped_archives
from unit.signing.test_jws import keys

from policyguard import Guard, ModelCall
from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.files import SIGNATURES
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.signature import sign_files, verify_files
from policyguard.bundle.source import load_files
from policyguard.canonical import canonical_bytes, digest
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import EngineLoadError
from policyguard.settings import BundleKey, BundleSettings, EngineSettings, Settings
from policyguard.vocabulary.call import Tenant

CATALOG = catalog_of(Settings())
POLICY = policy_set(bundle=load_shipped(), catalog=CATALOG)
DEADLINE = 10.0
AUTHORIZATION = b"""package system.authz

default allow := false

allow if input.identity == "s3cret-token"

allow if input.path == ["health"]
"""


class Authority:
    """Makes certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._folder = folder
        # Python 3.13 takes an authority that says what its key is for, and no other.
        signs = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        own = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(signs, critical=True)
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._signed(own))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Write a certificate for loopback, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = self._builder(subject, key).add_extension(
            x509.SubjectAlternativeName([loopback]), critical=False
        )
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        paths[0].write_bytes(self._signed(builder))
        paths[1].write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return paths

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        day = timedelta(days=1)
        public = key.public_key()
        authority = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False
            )
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run OPA with TLS, certificates of clients, and a token."""
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    certificate, key = ours.issue("server")
    (folder / "token").write_text("s3cret-token\n")
    authorization = folder / "authz.tar.gz"
    authorization.write_bytes(
        pack(
            {
                ".manifest": b'{"roots":["system/authz"],"rego_version":1}',
                "system/authz/authz.rego": AUTHORIZATION,
            }
        )
    )
    more = [
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        "--authentication=token",
        "--authorization=basic",
    ]
    archives = [*shipped_archives(folder), authorization]
    with opa_server(folder, archives=archives, more=more, ca=ours.file) as url:
        yield {"url": url, "folder": folder, "ours": ours, "theirs": theirs}


def server(secured: dict[str, Any], **more: Any) -> OpaServer:
    fields = {
        "url": secured["url"],
        "ca_file": secured["ours"].file,
        "token_file": secured["folder"] / "token",
        "deadline": DEADLINE,
    }
    return OpaServer(**{**fields, **more})


def test_a_server_with_tls_and_a_token_decides(secured: dict[str, Any]) -> None:
    engine = OpaEngine(server(secured))
    snapshot = engine.load(POLICY)
    question = canonical_bytes(load_shipped().golden.vectors[0].input)
    answer = snapshot.evaluate(question)
    engine.close()

    assert answer == RegorusEngine().load(POLICY).evaluate(question)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ca_file": None}, "engine.unreachable"),
        ({"ca_file": "theirs"}, "engine.unreachable"),
        ({"token_file": None}, "engine.refused"),
        ({"token_file": "other"}, "engine.refused"),
    ],
)
def test_another_authority_or_token_is_no_start(
    change: dict[str, Any], code: str, secured: dict[str, Any]
) -> None:
    (secured["folder"] / "other").write_text("another-token\n")
    if change.get("ca_file") == "theirs":
        change = {"ca_file": secured["theirs"].file}
    if change.get("token_file") == "other":
        change = {"token_file": secured["folder"] / "other"}
    engine = OpaEngine(server(secured, **change))

    with pytest.raises(EngineLoadError, match=rf"\[{code}\]"):
        engine.load(POLICY)
    engine.close()


def test_a_server_that_asks_for_a_certificate_gets_it(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate, key = ours.issue("server")
    client, client_key = ours.issue("client")
    stranger, stranger_key = theirs.issue("stranger")
    more = [
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--tls-ca-cert-file={ours.file}",
        "--authentication=tls",
    ]
    with opa_server(
        tmp_path, more=more, ca=ours.file, certificate=(client, client_key)
    ) as url:
        known = OpaServer(
            url=url,
            ca_file=ours.file,
            client_cert=client,
            client_key=client_key,
            deadline=DEADLINE,
        )
        engine = OpaEngine(known)
        digest = engine.load(POLICY).bundle_digest
        engine.close()
        for odd, odd_key in ((None, None), (stranger, stranger_key)):
            refused = OpaEngine(
                OpaServer(
                    url=url,
                    ca_file=ours.file,
                    client_cert=odd,
                    client_key=odd_key,
                    deadline=DEADLINE,
                )
            )
            with pytest.raises(EngineLoadError, match=r"\[engine.unreachable\]"):
                refused.load(POLICY)
            refused.close()

    assert digest == POLICY.bundle_digest


@contextlib.contextmanager
def fetching(folder: Path, bundles: str) -> Iterator[str]:
    """Run OPA with the catalog, and have it fetch a signed bundle."""
    configuration = {
        "services": {"ours": {"url": bundles}},
        "keys": {
            "k": {"algorithm": "ES256", "key": keys("ES256")[1].material.decode()}
        },
        "bundles": {
            "policyguard": {
                "service": "ours",
                "resource": "policyguard.tar.gz",
                "signing": {"keyid": "k"},
                "polling": {"min_delay_seconds": 1, "max_delay_seconds": 2},
            }
        },
    }
    file = folder / "opa.json"
    file.write_text(json.dumps(configuration))
    facts = folder / "catalog.tar.gz"
    facts.write_bytes(catalog_archive(CATALOG))
    with opa_server(folder, archives=[facts], more=[f"--config-file={file}"]) as url:
        yield url


def signed_for_opa(revision: str) -> bytes:
    files = shipped_as(revision)
    return pack({**files, SIGNATURES: sign_files(files, key=keys("ES256")[0])})


def test_a_guard_follows_the_fleet_as_soon_as_it_answers_from_other_policy(
    tmp_path: Path,
) -> None:
    offered = {"archive": signed_for_opa("2026.11.7")}

    def talk(connection: socket.socket, server: Server) -> None:
        while question := read_question(connection):
            data = offered["archive"]
            tag = f'"{digest(data)}"'
            fresh = f"If-None-Match: {tag}".encode() in question
            connection.sendall(
                http(
                    b"" if fresh else data,
                    status="304 Not Modified" if fresh else "200 OK",
                    more=f"ETag: {tag}\r\n",
                )
            )

    (tmp_path / "k.pub").write_bytes(keys("ES256")[1].material)
    with serving(talk) as bundles, fetching(tmp_path, bundles.url) as url:
        known = settings(tmp_path).model_copy(
            update={
                "bundle": BundleSettings(
                    url=f"{bundles.url}/policyguard.tar.gz",
                    keys=(
                        BundleKey(id="k", algorithm="ES256", file=tmp_path / "k.pub"),
                    ),
                    poll_seconds=3_600,
                ),
                "engine": EngineSettings(name="opa", url=url, deadline_ms=5_000),
            }
        )
        with Guard(settings=known) as guard:
            call = ModelCall(at=SUMMER, tenant=Tenant(id="acme"))
            found = [guard.check(call)]
            offered["archive"] = signed_for_opa("2026.11.8")
            end = time.monotonic() + 30
            while found[-1].bundle.revision != "2026.11.8" and time.monotonic() < end:
                time.sleep(0.1)
                found.append(guard.check(call))

    answered = [item.bundle.revision for item in found if item.code is None]
    assert {item.code for item in found} <= {None, "engine.skew"}
    assert (answered[0], answered[-1]) == ("2026.11.7", "2026.11.8")


def test_one_signed_archive_serves_opa_and_guards(tmp_path: Path) -> None:
    # An OPA server knows no `EdDSA` for bundles, although its command line does.
    private, public = keys("ES256")
    files = shipped_as("2026.11.7")
    archive = pack({**files, SIGNATURES: sign_files(files, key=private)})
    verify_files(unpack(archive), keys=[public], name="x")
    bundle = load_files(unpack(archive), name="x")
    policy = policy_set(bundle=bundle, catalog=CATALOG)
    with (
        serving(answering(http(archive, more='ETag: "1"\r\n'))) as bundles,
        fetching(tmp_path, bundles.url) as url,
    ):
        engine = OpaEngine(OpaServer(url=url, deadline=DEADLINE))
        snapshot = engine.load(policy)
        question = canonical_bytes(bundle.golden.vectors[0].input)
        answer = snapshot.evaluate(question)
        engine.close()

    assert answer == RegorusEngine().load(policy).evaluate(question)
