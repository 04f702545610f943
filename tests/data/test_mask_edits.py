"""Edits of a mask: every stroke is kept, undo is exact, what is saved is the mask on the image's own grid."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.spatial.transform import Rotation

import medomicslab_nb as ml
from medomicslab_nb.data.image_table import stored
from medomicslab_nb.data.images import import_dicom, import_image_list
from medomicslab_nb.data.mask_edits import DRAFTS, Draft, has_draft, note_of, open_draft
from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import load_case, load_image, resolve
from medomicslab_nb.imaging.orientation import Orientation
from medomicslab_nb.imaging.volumes import Volume, read_labels, write_volume
from medomicslab_nb.study import Study
from tests.imaging import dicom_factory
from tests.imaging.contour_factory import at_slice, frame_uid, write_rtstruct
from tests.imaging.dicom_factory import write_series

SIZE, SPACING, ORIGIN = (6, 7, 5), (0.9, 1.4, 3.2), (-212.5, -301.25, 812.75)
OBLIQUE = tuple(Rotation.from_euler("xyz", [12, -31, 25], degrees=True).as_matrix().ravel().tolist())
GEOMETRIES = {
    "axial": Geometry(SIZE, SPACING, ORIGIN),
    "sagittal": Geometry(SIZE, SPACING, ORIGIN, (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)),
    "mirrored": Geometry(SIZE, SPACING, ORIGIN, (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
    "oblique": Geometry(SIZE, SPACING, ORIGIN, OBLIQUE)}
VOXELS = int(np.prod(SIZE))


def study_with(folder: Path, geometry: Geometry, suffix: str = "nii.gz") -> Study:
    """One CT with one ROI of random voxels."""
    rng = np.random.default_rng(5)
    source = folder / "given"
    source.mkdir(parents=True)
    write_volume(Volume(rng.integers(-200, 200, geometry.shape).astype(np.float32), geometry), source / f"a.{suffix}")
    write_volume(Volume(rng.random(geometry.shape) > 0.6, geometry), source / f"b.{suffix}")
    pd.DataFrame({"patient": ["PAT-001"], "modality": ["CT"], "image": [f"a.{suffix}"], "mask": [f"b.{suffix}"],
                  "roi": ["GTV"], "date": ["2020-01-02"]}).to_csv(source / "list.csv", index=False)
    study = ml.create_study(folder / "study")
    import_image_list(study, source / "list.csv")
    return study


def row_of(study: Study, roi: str = "GTV") -> dict:
    rows = stored(study, "images").to_dict("records")
    return next(row for row in rows if row["roi"] == roi)


def begun(study: Study, **how) -> Draft:
    row = row_of(study)
    image = load_image(study.path, row["image"])
    return open_draft(study, row, image.geometry, image.frame_of_reference, **how)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_with(tmp_path, GEOMETRIES["oblique"])


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    return {name: study_with(tmp_path_factory.mktemp(name), geometry) for name, geometry in GEOMETRIES.items()}


actions = st.lists(st.one_of(st.just("undo"), st.just("redo"), st.just("reopen"),
                             st.tuples(st.lists(st.sets(st.integers(0, VOXELS - 1), max_size=20), min_size=1,
                                                max_size=3), st.booleans())), max_size=14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.sampled_from(sorted(GEOMETRIES)), actions)
def test_saved_mask_is_the_edited_one_voxel_for_voxel(studies: dict[str, Study], name: str, actions: list) -> None:
    """Strokes in parts, undo, redo and reopening in any order, against a list of whole masks."""
    study = studies[name]
    row = row_of(study)
    image, start = load_case(study.path, row)
    turn = Orientation.of(image.geometry)
    states, at = [turn.turned(start.array).copy()], 0
    draft = begun(study)
    for action in actions:
        if action == "undo":
            assert draft.undo() == (at > 0)
            at = max(0, at - 1)
        elif action == "redo":
            assert draft.redo() == (at < len(states) - 1)
            at = min(at + 1, len(states) - 1)
        elif action == "reopen":
            draft.close()
            draft = begun(study)
        else:
            parts, value = action
            mask = states[at].copy()
            for place, part in enumerate(parts):
                indices = np.array(sorted(part), dtype=np.uint32)
                draft.paint(indices, value, begin=place == 0, end=place == len(parts) - 1)
                mask.reshape(-1)[indices] = value
            states, at = [*states[:at + 1], mask], at + 1
        assert np.array_equal(draft.mask, states[at])
        assert (draft.strokes, draft.can_undo, draft.can_redo) == (at, at > 0, at < len(states) - 1)
    if not states[at].any():
        draft.discard()
        return
    saved = draft.save(draft.name, "Ada Lovelace")
    _, mask = load_case(study.path, row_of(study, saved["roi"]))
    assert np.array_equal(mask.array, turn.back(states[at]))
    own = read_labels(resolve(study.path, saved["mask"]))
    assert own.geometry.same_as(image.geometry)
    assert np.array_equal(own.array, turn.back(states[at]))


def test_ten_strokes_with_undo_on_a_dicom_series_and_its_contours(tmp_path: Path) -> None:
    """What is saved can be measured; nobody's name is in the table."""
    geometry = dicom_factory.SAGITTAL
    export, rng = tmp_path / "export", np.random.default_rng(1)
    write_series(export, geometry=geometry, patient_id="PAT-1")

    def edited(item) -> None:
        item.PatientID = "PAT-1"
        item.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[
            0].SeriesInstanceUID = dicom_factory.uid("series", "PAT-1", 1, 1)

    box = [[(2.0, 3.0), (7.0, 3.0), (7.0, 12.0), (2.0, 12.0)]]
    write_rtstruct(export / "rs.dcm", [("GTV", [c for k in (4, 5, 6) for c in at_slice(box, k, geometry)])],
                   frame=frame_uid(1, "PAT-1"), edit=edited)
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, export)
    _, start = load_case(study.path, row_of(study))
    draft = begun(study)
    turn = Orientation.of(geometry)
    expected = turn.turned(start.array).copy()
    assert np.array_equal(draft.mask, expected)
    for number in range(10):
        indices = rng.choice(expected.size, 40, replace=False).astype(np.uint32)
        draft.paint(indices, number % 2 == 0, begin=True, end=True)
        if number in (3, 7):
            draft.undo()
        else:
            expected.reshape(-1)[indices] = number % 2 == 0
    saved = draft.save("GTV edited 1", "Ada Lovelace", "border to the vessel")
    frame = study.table("images").reset_index()
    assert list(frame["roi"]) == ["GTV", "GTV edited 1"] and list(frame["lesion"]) == ["1", "2"]
    assert "Ada" not in frame.to_csv() and "PAT-1" not in str(saved["mask"])
    _, mask = load_case(study.path, row_of(study, "GTV edited 1"))
    assert np.array_equal(mask.array, turn.back(expected))
    record = ml.run("radiomics", study, {"preset": "plain", "rois": ["GTV edited 1"], "filters": ["original"]},
                    sinks=[])
    assert record.table("lesions")["voxels"].tolist() == [int(expected.sum())]


def test_note_says_who_when_and_from_what(study: Study) -> None:
    before = sha256_of(resolve(study.path, row_of(study)["mask"]))
    draft = begun(study)
    draft.paint(np.arange(9), True, begin=True, end=True)
    draft.paint(np.arange(9), False, begin=True, end=True)
    draft.undo()
    saved = draft.save("GTV edited 1", " Ada Lovelace ", "more of it")
    path = resolve(study.path, saved["mask"])
    note = yaml.safe_load(note_of(path).read_text())
    assert (note["format"], note["format_version"]) == ("medomicslab_nb/mask", 1)
    assert (note["who"], note["note"], note["strokes"], note["roi"]) == ("Ada Lovelace", "more of it", 1,
                                                                         "GTV edited 1")
    assert note["from"]["sha256"] == before == sha256_of(resolve(study.path, note["from"]["file"]))
    assert note["mask_sha256"] == sha256_of(path) and note["image_sha256"] == row_of(study)["image_sha256"]
    assert pd.Timestamp(note["when"]).tzinfo is not None
    assert not draft.folder.exists() and not has_draft(study, row_of(study))


def test_second_edit_gets_a_file_and_a_name_of_its_own(study: Study) -> None:
    saved = []
    for _ in range(2):
        draft = begun(study)
        draft.paint(np.arange(5), True, begin=True, end=True)
        saved.append(draft.save(draft.name, "A. L."))
    assert [row["roi"] for row in saved] == ["GTV edited 1", "GTV edited 2"]
    assert saved[0]["mask"] != saved[1]["mask"]
    assert resolve(study.path, saved[0]["mask"]).exists()


@pytest.mark.parametrize(("name", "author", "found"), [
    ("gtv", "Ada", "has a ROI 'gtv' already"), ("", "Ada", "has no name"), ("GTV 2", " ", "no name of who"),
    ("GTV by Ada", "ada lovelace", "names a person"),
    ("GTV_ada1", "Ada", "names a person"), ("GTV PAT-001", "Ada", "names a person")])
def test_what_is_refused_when_saving_leaves_the_draft(study: Study, name: str, author: str, found: str) -> None:
    draft = begun(study)
    draft.paint(np.arange(5), True, begin=True, end=True)
    with pytest.raises(DataError, match=found):
        draft.save(name, author)
    assert draft.strokes == 1 and has_draft(study, row_of(study))
    assert len(study.table("images")) == 1
    draft.close()


def test_letters_of_a_persons_name_inside_other_words_name_nobody(study: Study) -> None:
    draft = begun(study)
    draft.paint(np.arange(5), True, begin=True, end=True)
    assert draft.save("left renal GTV", "Al Ren")["roi"] == "left renal GTV"


def test_empty_mask_and_voxels_outside_are_refused(study: Study) -> None:
    draft = begun(study)
    with pytest.raises(DataError, match="beyond the image"):
        draft.paint(np.array([VOXELS]), True, begin=True, end=True)
    draft.paint(np.arange(VOXELS), False, begin=True, end=True)
    with pytest.raises(DataError, match="mask is empty"):
        draft.save("x", "Ada")
    draft.close()


def test_draft_whose_image_changed_is_refused_by_name(study: Study) -> None:
    draft = begun(study)
    draft.paint(np.arange(5), True, begin=True, end=True)
    path = resolve(study.path, row_of(study)["image"])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="changed since the draft 'GTV edited 1' was begun"):
        draft.save("x", "Ada")
    draft.close()
    row = row_of(study)
    image = GEOMETRIES["oblique"]
    with pytest.raises(DataError, match="changed since the draft 'GTV edited 1' was begun"):
        open_draft(study, row, image)
    with pytest.raises(DataError, match="'GTV edited 1'"):
        open_draft(study, row | {"image_sha256": sha256_of(path)}, image)


def test_newer_viewer_of_this_process_goes_on_and_the_older_one_is_told(study: Study) -> None:
    old = begun(study)
    old.paint(np.arange(5), True, begin=True, end=True)
    new = begun(study)
    assert new.strokes == 1
    with pytest.raises(StudyError, match="goes on in a newer viewer"):
        old.paint(np.arange(9), True, begin=True, end=True)
    old.close()
    new.undo()
    new.close()


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from medomicslab_nb.study import open_study
from tests.data.test_mask_edits import begun
draft = begun(open_study(sys.argv[1]))
for number in range(10_000):
    draft.paint(np.array([number % draft.mask.size]), number // draft.mask.size % 2 == 0, begin=number % 3 == 0,
                end=number % 3 == 2)
    print(number, flush=True)
"""


def test_killed_process_loses_nothing_and_nobody_else_writes_meanwhile(study: Study) -> None:
    """What was painted before the kill is there, in whatever state the last record is."""
    row = row_of(study)
    turn = Orientation.of(GEOMETRIES["oblique"])
    expected = turn.turned(load_case(study.path, row)[1].array).reshape(-1).copy()
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(study.path)], stdout=subprocess.PIPE, text=True,
                               cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    for _ in range(40):
        process.stdout.readline()
    with pytest.raises(StudyError, match="somebody else is editing"):
        begun(study)
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0].split()
    done = 40 + len(rest)
    draft = begun(study)
    mask = draft.mask.reshape(-1)
    for number in range(done):
        expected[number % VOXELS] = number // VOXELS % 2 == 0
    beyond = np.flatnonzero(mask != expected)
    assert len(beyond) <= 1  # a stroke that was written, but not told before the kill
    draft.close()


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_journal_that_was_cut_off_keeps_all_whole_records(study: Study, cut: int) -> None:
    draft = begun(study)
    for number in range(4):
        draft.paint(np.array([number]), True, begin=True, end=True)
        draft.paint(np.array([number]), False, begin=True, end=True)
    strokes = draft.strokes
    draft.close()
    path = draft.folder / "strokes.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    again = begun(study)
    assert strokes - 2 <= again.strokes < strokes
    again.paint(np.array([9]), True, begin=True, end=True)
    again.close()
    last = begun(study)
    assert last.strokes == again.strokes
    last.close()


def test_drafts_lie_in_the_study_under_no_name(study: Study) -> None:
    draft = begun(study, name="my GTV")
    assert draft.name == "my GTV" and draft.roi == "GTV"
    assert draft.folder.parent == study.path / DRAFTS
    assert not any("PAT-001" in path.read_bytes().decode("latin-1") for path in draft.folder.iterdir())
    draft.discard()
    assert not has_draft(study, row_of(study))


def test_discard_in_an_older_viewer_leaves_the_draft_that_a_newer_one_holds(study: Study) -> None:
    old = begun(study)
    new = begun(study)
    new.paint(np.arange(5), True, begin=True, end=True)
    with pytest.raises(StudyError, match="goes on in a newer viewer"):
        old.discard()
    assert has_draft(study, row_of(study))
    new.close()
    again = begun(study)
    assert again.strokes == 1
    again.discard()
    assert not has_draft(study, row_of(study))


def test_stroke_for_which_the_disk_has_no_room_changes_nothing(study: Study) -> None:
    """A limit on the size of files takes a part of the record, as a disk does that gets full."""
    draft = begun(study)
    draft.paint(np.arange(5), True, begin=True, end=True)
    path, before = draft.folder / "strokes.bin", draft.mask.copy()
    length = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length + 10, limits[1]))
    try:
        with pytest.raises(StudyError, match=r"could not be stored.*Make room on the disk"):
            draft.paint(np.arange(20, 60), True, begin=True, end=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == length
    assert np.array_equal(draft.mask, before) and draft.strokes == 1
    draft.paint(np.arange(20, 60), True, begin=True, end=True)
    after = draft.mask.copy()
    draft.close()
    again = begun(study)
    assert again.strokes == 2 and np.array_equal(again.mask, after)
    again.close()
