"""Bodies of several parts: read as they were made, or not at all."""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.errors import UnclearError
from policyguard.integrations.wire_form import MOST_PARTS, Form, form_in

KIND = "multipart/form-data; boundary=b"
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
NAME = b'Content-Disposition: form-data; name="a"'


def body(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


@given(
    fields=st.dictionaries(NAMES, st.text(max_size=40), max_size=4),
    files=st.dictionaries(
        NAMES.map("f{}".format), st.binary(max_size=80), min_size=1, max_size=3
    ),
    module=st.sampled_from([httpx, httpx2]),
)
def test_what_a_client_makes_is_read_as_it_was_given(
    fields: dict[str, str], files: dict[str, bytes], module: Any
) -> None:
    known = {name: value for name, value in fields.items() if name not in files}
    request = module.Request(
        "POST",
        "https://h.example",
        data=known,
        files={name: ("x", content) for name, content in files.items()},
    )

    form = form_in(request.read(), content_type=request.headers["content-type"])

    assert form == Form(fields=known, files=files)


def test_lists_of_parts_are_parts_of_one_name() -> None:
    part = b'Content-Disposition: form-data; name="image[]"; filename="x"\r\n\r\n'

    assert form_in(body(part + b"1", part + b"2"), content_type=KIND) == Form(
        files={"image[]": b"1", "image[]#1": b"2"}
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (body(NAME + b"\r\n\r\nx"), "multipart/form-data"),
        (body(NAME + b"\r\n\r\nx"), "multipart/mixed; boundary=b"),
        (body(NAME + b"\r\n\r\nx"), "multipart/form-data; boundary=b; boundary=c"),
        (body(NAME + b"\r\n\r\nx"), "multipart/form-data; boundary=b; charset=utf-7"),
        (b"x\r\n" + body(NAME + b"\r\n\r\nx"), KIND),
        (body(NAME + b"\r\n\r\nx", end=b""), KIND),
        (body(NAME + b"\r\n\r\nx", end=b"--b--\r\nmore"), KIND),
        (body(NAME + b"\r\n\r\nx", end=b"--b--x"), KIND),
        (body(NAME + b"\r\n\r\nx", NAME + b"\r\n\r\ny"), KIND),
        (body(NAME + b"\r\n\r\nx", NAME.replace(b"a", b"A") + b"\r\n\r\ny"), KIND),
        (
            body(NAME + b"\r\n\r\nx", NAME.replace(b'"a"', b'"a[]"') + b"\r\n\r\ny"),
            KIND,
        ),
        (body(NAME + b"\r\n\r\n\xff"), KIND),
        (body(NAME + b"\r\nContent-Transfer-Encoding: base64\r\n\r\neA=="), KIND),
        (body(NAME + b"\r\n" + NAME + b"\r\n\r\nx"), KIND),
        (body(NAME + b"\r\nX-Model: kimi\r\n\r\nx"), KIND),
        (body(NAME + b"\r\n folded\r\n\r\nx"), KIND),
        (body(NAME + b"; name*=utf-8''b\r\n\r\nx"), KIND),
        (body(b"Content-Disposition: form-data; name=a\r\n\r\nx"), KIND),
        (body(b'Content-Disposition: form-data; name="a\\"b"\r\n\r\nx'), KIND),
        (body(b"\r\nx"), KIND),
        (body(NAME), KIND),
        (body(NAME + b"\r\n\r\nx\r\n--b \r\n" + NAME + b"\r\n\r\ny"), KIND),
        (body(NAME + b"\r\n\r\nx\n--b\n" + NAME + b"\n\ny"), KIND),
        (body(NAME + b"\r\nContent-Type: " + b"x" * 9_000 + b"\r\n\r\nx"), KIND),
        (body(*[NAME.replace(b"a", b"%d" % n) for n in range(MOST_PARTS + 1)]), KIND),
    ],
)
def test_what_two_readers_could_take_apart_differently_is_unclear(
    content: bytes, kind: str
) -> None:
    with pytest.raises(UnclearError):
        form_in(content, content_type=kind)
