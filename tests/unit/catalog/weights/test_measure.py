"""What lies in a directory of weights, and what in it would run."""

from __future__ import annotations

import io
import json
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.catalog.schema import WeightsFile
from policyguard.catalog.weights.measure import Danger, files_digest, measure
from policyguard.catalog.weights.safetensors import Tensors, read_tensors
from policyguard.errors import CatalogError, FormatError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensor(begin: int, end: int, *, shape: list[int], dtype: str = "F32") -> object:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


GOOD = safetensors(
    {"a": tensor(0, 8, shape=[2]), "b": tensor(8, 12, shape=[2, 1], dtype="BF16"),
     "__metadata__": {"format": "pt"}},
    bytes(12),
)  # fmt: skip


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return data.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "weights"
    place.mkdir()
    (place / "model.safetensors").write_bytes(GOOD)
    (place / "config.json").write_text('{"model_type": "glm"}')
    (place / "README.md").write_text("# model")
    return place


def test_tensors_are_counted_without_being_read(folder: Path) -> None:
    assert read_tensors(folder / "model.safetensors") == Tensors(
        tensors=2, parameters=4, dtypes=("BF16", "F32")
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a header of 0 bytes does not fit"),
        (GOOD[:20], "does not fit"),
        ((1 << 60).to_bytes(8, "little") + b"{}", "does not fit"),
        (safetensors([]), "the header is no JSON object"),
        (safetensors({"a": 5}), "tensor `a`: it is no JSON object"),
        (
            safetensors({"a": tensor(0, 4, shape=[1], dtype="X")}, bytes(4)),
            "`X` is no type",
        ),
        (safetensors({"a": tensor(0, 4, shape=[2])}, bytes(4)), "do not agree"),
        (safetensors({"a": tensor(0, 4, shape=[-1])}, bytes(4)), "no natural numbers"),
        (safetensors({"a": tensor(4, 0, shape=[1])}, bytes(4)), "do not agree"),
        (
            safetensors({"a": tensor(4, 8, shape=[1])}, bytes(8)),
            "a gap or overlap at 0",
        ),
        (
            safetensors(
                {"a": tensor(0, 8, shape=[2]), "b": tensor(4, 8, shape=[1])}, bytes(8)
            ),
            "a gap or overlap at 8",
        ),
        # Room behind the tensors is room for anything.
        (safetensors({"a": tensor(0, 4, shape=[1])}, bytes(9)), "5 bytes belong to no"),
        (b"\x02" + bytes(7) + b"{]", "not JSON"),
    ],
)
def test_a_file_that_is_not_what_the_format_demands_is_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(data)

    with pytest.raises(FormatError, match=message):
        read_tensors(file)


@given(st.binary(max_size=200), st.integers(0, 199))
def test_no_bytes_raise_anything_else(noise: bytes, at: int) -> None:
    file = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}.safetensors"
    answers: set[type] = set()
    for data in (noise, GOOD[:at] + noise[:3] + GOOD[at + 3 :]):
        file.write_bytes(data)
        try:
            answers.add(type(read_tensors(file)))
        except FormatError:
            answers.add(FormatError)
        finally:
            file.unlink()

    assert answers <= {Tensors, FormatError}


def test_each_file_counts_and_the_order_does_not(folder: Path) -> None:
    measured = measure(folder)

    assert [file.path for file in measured.files] == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert measured.digest == files_digest(tuple(reversed(measured.files)))
    assert (measured.format, measured.dangers, measured.revision) == (
        "safetensors",
        (),
        None,
    )
    assert measured.parameters == 4


def test_a_changed_an_added_and_a_moved_file_change_the_digest(folder: Path) -> None:
    digests = {measure(folder).digest}
    (folder / "config.json").write_text('{"model_type": "glm2"}')
    digests.add(measure(folder).digest)
    (folder / "more.txt").write_text("")
    digests.add(measure(folder).digest)
    (folder / "more.txt").rename(folder / "other.txt")
    digests.add(measure(folder).digest)

    assert len(digests) == 4


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("pytorch_model.bin", b"anything", "pickle"),
        ("harmless.txt", pickle.dumps({"a": 1}), "pickle"),
        ("harmless.txt", pickle.dumps([], protocol=2), "pickle"),
        ("model.dat", archive("archive/data.pkl"), "pickle"),
        ("model.pt", archive("x.txt"), "pickle"),
        ("array.npy", b"\x93NUMPY", "pickle"),
        ("modeling_glm.py", b"print()", "code"),
        ("tokenizer.so", b"\x7fELF", "code"),
        ("helper", b"\x7fELF\x02", "code"),
        ("run", b"#!/bin/sh\n", "code"),
        ("config.json", b'{"auto_map": {"AutoModel": "x.Y"}}', "code"),
        ("tokenizer_config.json", b'{"auto_map": {"A": "r--m.py"}}', "code"),
        ("config.json", b'{"custom_pipelines": {"t": {"impl": "r--m.P"}}}', "code"),
        ("modules.json", b'[{"type": "evil/repo--custom.Module"}]', "code"),
        ("1/modules.json", b'[{"type": null}]', "code"),
        ("weights.dat", archive("a/MODEL.PKL"), "pickle"),
        ("weights.dat", archive("b.pt"), "pickle"),
        ("notes.txt", archive("x.txt"), "unknown"),
        ("model.keras", archive("config.json"), "unknown"),
        ("speech.nemo", b"\x1f\x8b\x08", "unknown"),
        ("plain.txt", b"\0" * 257 + b"ustar", "unknown"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n", "unknown"),
        ("old.dill", b"cos\nsystem\n", "unknown"),
        ("model.onnx", b"\x08\x07", "unknown"),
        ("model", b"", "unknown"),
        ("config.json", b'{"a": 1, "a": 2}', "malformed"),
        ("config.json", b"{", "malformed"),
        ("b.safetensors", b"short", "malformed"),
    ],
)
def test_what_could_run_is_known_by_its_bytes_and_its_name(
    folder: Path, name: str, data: bytes, kind: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)

    measured = measure(folder)

    assert [(item.path, item.kind) for item in measured.dangers] == [(name, kind)]
    assert measured.remote_code == (kind in {"code", "unknown"})
    assert measured.format == ("pickle" if kind == "pickle" else "safetensors")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("modules.json", b'[{"type": "sentence_transformers.models.Transformer"}]'),
        ("LICENSE", b"MIT"),
        (".gitattributes", b""),
        ("tokenizer.model", b"\x0a"),
        ("merges.txt", b"#version"),
        ("chat_template.jinja", b"{{ x }}"),
        ("config.json", b'{"auto_map": null, "custom_pipelines": {}}'),
        ("model.gguf", b"GGUF\x03"),
        ("empty.txt", b""),
    ],
)
def test_what_cannot_run_is_no_danger(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)

    assert measure(folder).dangers == ()


def test_the_least_harmless_format_is_the_one_that_is_told(folder: Path) -> None:
    (folder / "model.gguf").write_bytes(b"GGUF\x03")
    assert measure(folder).format == "gguf"

    (folder / "model.bin").write_bytes(b"")
    assert measure(folder).format == "pickle"


def test_links_to_files_are_followed_and_links_to_directories_refused(
    tmp_path: Path, folder: Path
) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(GOOD)
    (folder / "linked.safetensors").symlink_to(blob)
    assert len(measure(folder).tensors) == 2

    (folder / "sub").symlink_to(tmp_path)
    with pytest.raises(CatalogError, match="links to a directory: copy it here"):
        measure(folder)


def test_a_broken_link_and_a_pipe_are_refused(folder: Path) -> None:
    (folder / "gone").symlink_to(folder / "nowhere")
    with pytest.raises(CatalogError, match="is no regular file"):
        measure(folder)
    (folder / "gone").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(CatalogError, match="is no regular file"):
        measure(folder)


def test_a_place_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="holds no files"):
        measure(tmp_path)
    with pytest.raises(CatalogError, match="is no file or directory"):
        measure(tmp_path / "nowhere")


def test_a_cache_names_the_commit_that_it_holds(tmp_path: Path, folder: Path) -> None:
    snapshot = tmp_path / "models--a--b/snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    assert measure(snapshot).revision == COMMIT

    other = snapshot.rename(tmp_path / "local")
    cache = other / ".cache/huggingface/download"
    cache.mkdir(parents=True)
    (cache / "config.json.metadata").write_text(f"{COMMIT}\netag\n1.0\n")
    assert measure(other).revision == COMMIT
    # Files of two commits are of none.
    (cache / "model.safetensors.metadata").write_text(f"{'f' * 40}\netag\n1.0\n")
    assert measure(other).revision is None


def test_progress_ends_with_all_bytes(folder: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    measure(folder, progress=lambda *step: steps.append(step))

    size = sum(file.stat().st_size for file in folder.iterdir())
    assert steps[-1] == ("weights", size, size)
    assert len(steps) == 3


def test_a_single_file_is_weights_too(folder: Path) -> None:
    measured = measure(folder / "model.safetensors")

    assert measured.files == (
        WeightsFile(path="model.safetensors", sha256=measured.files[0].sha256),
    )
    assert measured.dangers == ()
    assert Danger(path="a", kind="code", why="b") not in measured.dangers
