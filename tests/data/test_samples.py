"""Sample sets: shipped, from a mirror, downloaded from a server of our own."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medomicslab_nb.data import samples, synthetic, synthetic_dicom
from medomicslab_nb.data.samples import SAMPLES, SampleFile, fetch, find_sample, get_sample, list_samples
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.metrics import c_index
from medomicslab_nb.progress import Event, Progress


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server on this machine that offers the folder ``public``."""
    folder = tmp_path / "public"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch) -> None:
    monkeypatch.delenv("MEDOMICSLAB_DATA", raising=False)


def test_list_names_licence_and_source():
    listed = list_samples().set_index("name")
    assert {"transbig", "gbsg2", "heart", "hn", "sts", "synthetic", "synthetic-null"} <= set(listed.index)
    assert listed[["licence", "source", "where"]].ne("").all().all()
    assert listed.loc["heart", "licence"] == "CC BY 4.0"
    assert listed.loc["synthetic", "where"] == "generated on this machine"
    assert listed.loc["sts", "where"] == "mirror only (MEDOMICSLAB_DATA)"


def test_transbig_is_split_into_clinical_data_and_genes(study):
    infos = {info.name: info for info in get_sample("transbig", study)}
    assert infos["genes"].block == "genes"
    clinical, genes = study.table("clinical"), study.table("genes")
    assert list(clinical.columns) == ["age", "size", "grade", "er", "e.tdm", "t.tdm"]
    assert genes.shape == (198, 76)
    assert clinical.index.tolist() == genes.index.tolist()
    assert clinical.index[0] == "TB-001"
    assert clinical["e.tdm"].sum() == 51
    assert infos["clinical"].column("t.tdm").endpoint == infos["clinical"].column("e.tdm").endpoint == "dmfs"


def test_gbsg2_has_its_endpoint(study):
    (info,) = get_sample("gbsg2", study)
    assert info.n_rows == 686
    assert (info.column("time").unit, info.column("cens").endpoint) == ("days", "rfs")
    assert study.table("clinical")["cens"].sum() == 299


def test_unknown_sample_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'transbig'"):
        find_sample("transbgi")


def test_download_counts_its_bytes_and_is_checked(tmp_path, address):
    content = b"a" * 200_000
    (tmp_path / "public/a.csv").write_bytes(content)
    events: list[Event] = []
    file = SampleFile("set/a.csv", hashlib.sha256(content).hexdigest(), f"{address}/a.csv")
    assert fetch(file, Progress([events.append])) == content
    assert events[-1].done == events[-1].total == len(content)


def test_download_with_a_wrong_checksum_changes_nothing(tmp_path, address, study, monkeypatch):
    get_sample("gbsg2", study)
    before = study.info("clinical").sha256
    (tmp_path / "public/a.csv").write_bytes(b"tampered")
    file = SampleFile("hn/a.csv", "0" * 64, f"{address}/a.csv")
    monkeypatch.setitem(SAMPLES, "hn", replace(SAMPLES["hn"], files=(file,)))
    with pytest.raises(DataError, match=r"checksum is wrong.*nothing stored was changed"):
        get_sample("hn", study)
    assert study.info("clinical").sha256 == before


def test_failed_download_names_the_mirror(address):
    with pytest.raises(DataError, match=r"cannot be fetched.*MEDOMICSLAB_DATA"):
        fetch(SampleFile("set/a.csv", "0" * 64, f"{address}/absent.csv"), Progress())


def test_set_without_address_asks_for_the_mirror(study):
    with pytest.raises(DataError, match="Set MEDOMICSLAB_DATA"):
        get_sample("hn", study)


def test_images_without_a_mirror_name_it_and_nothing_is_added(tmp_path, monkeypatch, study):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(tmp_path))
    content = b"patient_id,lung_metastasis\nSTS_001,0\n"
    (tmp_path / "outcome.csv").write_bytes(content)
    file = SampleFile("outcome.csv", hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(SAMPLES, "sts", replace(SAMPLES["sts"], files=(file,)))
    with pytest.raises(DataError, match=r"sts/dicom.*only from a mirror.*Set MEDOMICSLAB_DATA"):
        get_sample("sts", study)
    assert not study.tables


@pytest.mark.parametrize(("name", "patients", "oracle"), [("synthetic", 16, (0.72, 0.78)),
                                                          ("synthetic-null", 8, (0.5, 0.5))])
def test_synthetic_cohorts_come_with_images_notes_and_truth(study, monkeypatch, name, patients, oracle):
    monkeypatch.setattr(synthetic, "PATIENTS", patients)
    monkeypatch.setattr(synthetic_dicom, "SIZES", {"CT": (60, 52, 26), "PT": (40, 34, 20)})
    get_sample(name, study)
    images, truth, clinical = study.table("images"), study.table("truth"), study.table("clinical")
    assert set(study.tables) == {"clinical", "genes", "images", "notes", "protocol", "truth"}
    assert len(truth) == len(clinical) == images.index.nunique() == patients
    assert images["problem"].eq("").all()
    assert set(images["modality"]) == {"CT", "PT"}
    assert not images[["image", "mask"]].map(lambda path: Path(path).is_absolute()).any(axis=None)
    assert study.table("genes").shape == (patients, 500)
    assert len(study.table("notes")) == 2 * patients
    oracle_c = c_index(clinical["os_event"].to_numpy(bool), clinical["os_days"].to_numpy(float),
                       truth["linear_predictor"].to_numpy())
    assert oracle[0] <= oracle_c <= oracle[1]


def test_mirror_is_looked_in_first_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(tmp_path))
    (tmp_path / "a.csv").write_bytes(b"x")
    right = SampleFile("a.csv", hashlib.sha256(b"x").hexdigest(), "http://127.0.0.1:9/never-asked")
    assert fetch(right, Progress()) == b"x"
    with pytest.raises(DataError, match="checksum"):
        fetch(replace(right, sha256="0" * 64), Progress())
    assert (tmp_path / "a.csv").read_bytes() == b"x"


def test_only_asking_by_name_fetches(monkeypatch):
    monkeypatch.setattr(samples.urllib.request, "urlopen", lambda *_, **__: pytest.fail("asked the network"))
    list_samples()
    find_sample("heart")


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "patients", "events"), [("hn", 194, 32), ("heart", 920, 509)])
def test_real_sets_from_the_mirror(study, real_data, monkeypatch, name, patients, events):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(real_data))
    (info,) = get_sample(name, study)
    table = study.table("clinical")
    assert info.n_rows == len(table) == patients
    assert table["death_event" if name == "hn" else "disease"].sum() == events


@pytest.mark.slow
@pytest.mark.realdata
def test_sts_comes_with_its_images_where_they_lie(study, real_data, monkeypatch):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(real_data))
    get_sample("sts", study)
    outcome, images = study.table("outcome"), study.table("images")
    assert (len(outcome), outcome["lung_metastasis"].sum()) == (51, 19)
    assert study.info("outcome").column("lung_metastasis").role == "outcome"
    assert images["problem"].eq("").all()
    assert images["modality"].value_counts().to_dict() == {"PT": 51, "CT": 10, "MR": 10}
    assert set(images.index) == set(outcome.index)


@pytest.mark.realdata
def test_bad_input_91_cholesterol_of_every_swiss_patient_is_zero(study, real_data, monkeypatch):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(real_data))
    get_sample("heart", study)
    table = study.table("clinical")
    assert table.loc[table["site"] == "switzerland", "chol"].eq(0).sum() == 123
