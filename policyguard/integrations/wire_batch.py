"""Reads which calls a body holds, if it holds many: batches, and files of them.

A batch is many exports that leave at once: each of its calls is described, and the guard
asks about each. A file of calls (OpenAI's JSONL) leaves when it is uploaded; the batch
that is made of it later only names it. Any other file is data for whoever reads it at
that host.

Specification: the batch endpoints of OpenAI (`custom_id`, `method`, `url`, `body`, one
in a line) and of Anthropic (`requests[].params`). Lines end with LF or CR LF; what some
readers take for the end of a line, and others do not, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from policyguard.catalog.endpoints import model_in_path, unclear
from policyguard.errors import UnclearError
from policyguard.guard.describe import Described
from policyguard.integrations.wire_document import (
    BATCH,
    calls_in,
    folded,
    model_in,
    parameters_in,
    parse_object,
)
from policyguard.integrations.wire_form import Form
from policyguard.integrations.wire_tools import offered_in

_FILES: Final = "files"
_BATCHES: Final = "batches"
_PARTS: Final = "parts"
_PURPOSE: Final = "purpose"
_OF_UPLOADS: Final = re.compile(r"purpose|file|expires_after\[(anchor|seconds)\]")
_OF_BATCHES: Final = frozenset(
    {
        "completion_window",
        "endpoint",
        "input_file_id",
        "metadata",
        "output_expires_after",
    }
)
_OF_LINES: Final = frozenset({"custom_id", "method", "url", "body"})
_OTHER_ENDS: Final = re.compile("\r(?!\n)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""What some readers take for the end of a line."""


def endpoint_in(path: str) -> str:
    """Return the last part of a path, which says what is asked of a host."""
    return path.rstrip("/").rpartition("/")[2]


def contents_of(document: Mapping[str, Any], *, endpoint: str) -> Described:
    """Say what a JSON object asks for: one call, many, or a file of them.

    Args:
        document: The object.
        endpoint: The last part of the path, as `batches`.
    """
    if BATCH in folded(document):
        return _batch(document)
    if endpoint == _PARTS:
        return Described(opaque=True, why="a piece of an upload cannot be read")
    if endpoint == _BATCHES and "input_file_id" in document:
        return _of_file(document)
    model, uncertain = model_in(document)
    return Described(
        model=model,
        opaque=uncertain,
        parameters={} if uncertain else parameters_in(document),
        offered=offered_in(document),
        why="its body names more than one model" if uncertain else "",
    )


def contents_of_form(form: Form, *, endpoint: str) -> Described:
    """Say what a form of several parts asks for; takes what `contents_of` does.

    Raises:
        UnclearError: it could be read in more than one way.
    """
    if endpoint != _FILES:
        return contents_of(form.fields, endpoint=endpoint)
    for name in (*form.fields, *form.files):
        if _OF_UPLOADS.fullmatch(name) is None:
            raise UnclearError(f"an upload has a part `{name}`, which is not known")
    if set(form.files) != {"file"}:
        raise UnclearError("an upload has no file")
    return upload_of(form.files["file"], purpose=form.fields.get(_PURPOSE))


def upload_of(content: bytes | None, *, purpose: str | None) -> Described:
    """Say what is uploaded.

    Args:
        content: Of the file; `None`: it cannot be read without taking it away.
        purpose: As it is sent.

    Raises:
        UnclearError: it could be read in more than one way.
    """
    if purpose is None or purpose.strip().casefold() != "batch":
        return Described(upload=True)
    if purpose != "batch":
        raise UnclearError("it is not plain whether an upload is a batch")
    if content is None:
        raise UnclearError(
            "a batch has to be given as bytes: `file=(name, path.read_bytes())`"
        )
    return Described(calls=calls_in_lines(content))


def calls_in_lines(content: bytes) -> tuple[Described, ...]:
    """Return the calls of a file that has one in each line.

    Raises:
        UnclearError: a line is none, or could be read in more than one way.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnclearError("the batch is no UTF-8") from None
    if _OTHER_ENDS.search(text):
        raise UnclearError("it is not plain where the lines of the batch end")
    lines = content.split(b"\n")
    calls = tuple(
        _line(line, number)
        for number, line in enumerate(lines, start=1)
        if line.strip(b" \t\r")
    )
    if not calls:
        raise UnclearError("the batch is empty")
    return calls


def _line(line: bytes, number: int) -> Described:
    document = parse_object(line)
    if document is None or not document.keys() <= _OF_LINES:
        raise UnclearError(f"line {number} of the batch is no plain request")
    path, body = document.get("url"), document.get("body")
    if document.get("method") != "POST" or not isinstance(path, str):
        raise UnclearError(f"line {number} of the batch names no method and path")
    if not path.startswith("/") or "?" in path or unclear(path):
        raise UnclearError(f"line {number} of the batch has a path that is not plain")
    if not isinstance(body, Mapping):
        raise UnclearError(f"line {number} of the batch has no body")
    if model_in_path(path) not in {None, body.get("model")}:
        raise UnclearError(f"line {number} of the batch names two models")
    return _call(body, where=f"line {number}", path=path)


def _call(body: Mapping[str, Any], *, where: str, path: str) -> Described:
    model, uncertain = model_in(body)
    if uncertain:
        raise UnclearError(f"{where} of the batch names more than one model")
    return Described(
        model=model,
        path=path,
        parameters=parameters_in(body),
        offered=offered_in(body),
    )


def _batch(document: Mapping[str, Any]) -> Described:
    calls = calls_in(document)
    if not calls or "model" in folded(document):
        return Described(opaque=True, why="not all requests of the batch can be read")
    try:
        return Described(
            calls=tuple(
                _call(call, where=f"request {number}", path="")
                for number, call in enumerate(calls, start=1)
            )
        )
    except UnclearError as unclear:
        return Described(opaque=True, why=str(unclear))


def _of_file(document: Mapping[str, Any]) -> Described:
    name = document["input_file_id"]
    if not isinstance(name, str) or not document.keys() <= _OF_BATCHES:
        return Described(opaque=True, why="the batch has fields that are not known")
    return Described(file=name)
