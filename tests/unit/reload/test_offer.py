"""Tests of where bundles come from: a folder, a file, a server."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from bundles import put, shipped_as
from hostile import Server, answering, http, read_question, serving

from policyguard.bundle.archive import pack
from policyguard.bundle.shipped import shipped_directory
from policyguard.canonical import digest
from policyguard.engines.opa_server import OpaServer
from policyguard.errors import BundleError, ConfigurationError
from policyguard.reload.offer import FileSource, HttpSource, split_address

ARCHIVE = pack(shipped_as("2026.11.7"))
OTHER = pack(shipped_as("2026.11.8"))


def source_of(server: Server) -> HttpSource:
    return HttpSource(OpaServer(url=server.url, plaintext=True), path="/b.tar.gz?x=1")


def test_a_file_is_offered_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    source = FileSource(path)
    put(path, ARCHIVE)
    first, again = source.offer(), source.offer()
    put(path, OTHER)
    second = source.offer()

    assert again is None
    assert [offer and offer.digest for offer in (first, second)] == [
        digest(ARCHIVE),
        digest(OTHER),
    ]


def test_a_folder_is_offered_when_a_file_in_it_changes(tmp_path: Path) -> None:
    root = tmp_path / "b"
    shutil.copytree(shipped_directory(), root)
    source = FileSource(root)
    first, again = source.offer(), source.offer()
    module = root / "policyguard/main/main.rego"
    module.write_bytes(module.read_bytes() + b"\n")
    second = source.offer()

    assert again is None
    assert first is not None
    assert second is not None
    assert (first.source, first.digest != second.digest) == ("directory", True)


def test_what_is_forgotten_is_offered_again(tmp_path: Path) -> None:
    put(tmp_path / "b.tar.gz", ARCHIVE)
    source = FileSource(tmp_path / "b.tar.gz")
    first = source.offer()
    source.forget()

    assert source.offer() == first


def test_a_file_that_is_no_archive_is_offered_with_its_fault(tmp_path: Path) -> None:
    put(tmp_path / "b.tar.gz", b"odd")
    offer = FileSource(tmp_path / "b.tar.gz").offer()

    assert offer is not None
    assert (offer.files, "is not gzip" in offer.fault) == (None, True)


def test_a_file_that_is_not_there_is_no_offer(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file"):
        FileSource(tmp_path / "b.tar.gz").offer()


def test_a_server_is_asked_with_the_tag_of_what_it_gave() -> None:
    answers = [
        http(ARCHIVE, more='ETag: "one"\r\n'),
        http(b"", status="304 Not Modified"),
        http(OTHER, more='ETag: "two"\r\n'),
    ]

    def talk(connection: socket.socket, server: Server) -> None:
        while question := read_question(connection):
            server.asked.append(question)
            connection.sendall(answers[len(server.asked) - 1])

    with serving(talk) as server:
        source = source_of(server)
        found = [source.offer() for _ in answers]

    assert [offer and offer.digest for offer in found] == [
        digest(ARCHIVE),
        None,
        digest(OTHER),
    ]
    tags = [
        [line for line in question.split(b"\r\n") if b"None-Match" in line]
        for question in server.asked
    ]
    assert tags == [[], [b'If-None-Match: "one"'], [b'If-None-Match: "one"']]
    assert server.asked[0].startswith(b"GET /b.tar.gz?x=1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        http(ARCHIVE, status="404 Not Found"),
        http(ARCHIVE, status="500 Oops"),
        http(ARCHIVE, status="206 Partial"),
        http(b"", status="304 Not Modified"),
        http(b"", status="302 Found", more="Location: http://127.0.0.1:1/x\r\n"),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntruncated",
    ],
)
def test_a_server_that_gives_no_bundle_makes_no_offer(answer: bytes) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)
        connection.sendall(answer)

    with serving(talk) as server, pytest.raises(BundleError):
        source_of(server).offer()


def test_a_tag_that_would_split_a_header_is_not_sent_back() -> None:
    with serving(answering(http(ARCHIVE, more='ETag: "\xe9"\r\n'))) as server:
        source = source_of(server)
        source.offer()
        source.offer()

    assert [b"None-Match" in question for question in server.asked] == [False, False]


def test_a_token_goes_with_the_question(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    with serving(answering(http(ARCHIVE))) as server:
        HttpSource(
            OpaServer(url=server.url, token_file=tmp_path / "token"), path="/b"
        ).offer()

    assert b"\r\nAuthorization: Bearer s3cret\r\n" in server.asked[0]


def test_an_address_is_split_into_origin_and_path() -> None:
    assert split_address("https://b.example:444/x/y.tar.gz?v=1") == (
        "https://b.example:444",
        "/x/y.tar.gz?v=1",
    )


@pytest.mark.parametrize(
    "url", ["https://b.example", "https://b.example/", "x", "https://[", "https://a/ä"]
)
def test_an_address_of_no_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        split_address(url)
