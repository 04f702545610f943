"""The slice viewer's answers to a browser: parts, masks, slices, edits; what it costs, and its still twin."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medomicslab_nb.data.image_table import stored
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging import display
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import load_case, resolve
from medomicslab_nb.imaging.orientation import Orientation, to_lps
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.views import slice_viewer, viewer_source
from medomicslab_nb.views.slice_viewer import SliceViewer, StillSlices, view_slices
from medomicslab_nb.views.study_images import images_of
from medomicslab_nb.views.study_viewer import open_viewer
from medomicslab_nb.views.viewer_source import Source
from tests.data.test_mask_edits import GEOMETRIES, row_of, study_with

GEOMETRY = Geometry((40, 30, 20), (1.0, 2.0, 3.0), direction=(0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))


class Tab:
    """A view in a browser, as far as messages go."""

    def __init__(self, viewer: SliceViewer, token: str = "tab") -> None:
        self.viewer, self.token = viewer, token
        self.got: list[tuple[dict[str, Any], list[Any]]] = []
        before = viewer.send
        viewer.send = lambda content, buffers=None: (before(content, buffers), self.take(content, buffers))

    def take(self, content: dict[str, Any], buffers: Any) -> None:
        assert content["token"]
        if content["token"] in (self.token, "*"):
            self.got.append((content, [bytes(one) for one in buffers or []]))

    def say(self, kind: str, *buffers: bytes, **content: Any) -> list[tuple[dict[str, Any], list[Any]]]:
        """Send a message; gives what came back at once."""
        count = len(self.got)
        self.viewer._handle_custom_msg({"type": kind, "token": self.token, **content},
                                       [memoryview(one) for one in buffers])
        return self.got[count:]

    def volume(self, image: str = "base") -> np.ndarray:
        """The whole image, each part confirmed."""
        about = next(one for one in self.viewer.images if one["id"] == image)
        received = np.zeros(np.prod(about["size"]), dtype=about["dtype"])
        todo = self.say("volume", image=image)
        seen = 0
        while todo:
            content, (part,) = todo.pop(0)
            assert content["type"] == "chunk" and content["total"] == received.size
            values = np.frombuffer(part, dtype=about["dtype"])
            assert len(values) == content["count"]
            received[content["offset"]:content["offset"] + content["count"]] = values
            seen += len(values)
            todo += self.say("ack", image=image, received=seen)
        assert seen == received.size
        return received.reshape(about["size"][::-1])

    def paint(self, indices: Any, value: int = 1, **how: bool) -> list[Any]:
        return self.say("stroke", np.asarray(indices, dtype="<u4").tobytes(), value=value, begin=how.get("begin", True),
                        end=how.get("end", True))


@pytest.fixture
def volumes() -> tuple[Volume, Volume]:
    rng = np.random.default_rng(0)
    mask = np.zeros(GEOMETRY.shape, dtype=bool)
    mask[4:9, 10:20, 12:30] = rng.random((5, 10, 18)) > 0.2
    return Volume(rng.integers(-1000, 1000, GEOMETRY.shape).astype(np.float32), GEOMETRY, "HU"), Volume(mask, GEOMETRY)


@pytest.fixture
def viewer(volumes: tuple[Volume, Volume]) -> Iterator[SliceViewer]:
    made = SliceViewer.of(volumes[0], {"GTV <b>": volumes[1]})
    yield made
    made.close()


# -- what is shown -------------------------------------------------------------------------------------------------


def test_image_is_described_and_sent_as_whole_numbers(viewer: SliceViewer, volumes) -> None:
    about = viewer.images[0]
    assert (about["size"], about["dtype"], about["modality"], about["remote"]) == ([20, 40, 30], "int16", "CT", False)
    assert about["window"] == [-160.0, 240.0] and about["presets"][1]["name"] == "lung"
    assert "20 x 40 x 30" in about["description"]
    assert np.array_equal(Tab(viewer).volume(), to_lps(volumes[0]).array)
    step, size = viewer.preview_step, viewer.preview_size
    sample = np.frombuffer(viewer.preview, dtype="int16").reshape(size[::-1])
    assert np.array_equal(sample, to_lps(volumes[0]).array[::step[2], ::step[1], ::step[0]])


def test_roi_is_sent_as_bits_with_its_numbers(viewer: SliceViewer, volumes) -> None:
    about, lps = viewer.rois[0], to_lps(volumes[1]).array
    x, y, z, nx, ny, nz = about["box"]
    [(_, (bits,))] = Tab(viewer).say("mask", roi="roi-0")
    box = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=nx * ny * nz, bitorder="little").reshape(nz, ny, nx)
    assert np.array_equal(box, lps[z:z + nz, y:y + ny, x:x + nx]) and box.sum() == lps.sum()
    inside = volumes[0].array[volumes[1].array].astype(float)
    lines = dict(about["histogram"]["lines"])
    assert lines["mean"] == f"{inside.mean():.5g} HU" and lines["standard deviation"] == f"{inside.std():.5g} HU"
    assert sum(about["histogram"]["counts"]) == len(inside) == int(lines["voxels"])
    assert about["volume"] == f"{lps.sum() * 6 / 1000:.3g} ml"
    assert viewer.view["index"] == [x + nx // 2, y + ny // 2, z + nz // 2]


def test_texts_are_in_the_chosen_language(volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "fr")
    made = SliceViewer.of(volumes[0], {"GTV": volumes[1]})
    assert made.images[0]["presets"][1]["name"] == "poumon"
    assert made.rois[0]["histogram"]["lines"][0][0] == "moyenne"
    made.close()


def test_plain_arrays_for_teaching() -> None:
    ball = np.linalg.norm(np.indices((12, 14, 16)) - 7.0, axis=0)
    made = SliceViewer.of_array(ball, {"ball": ball < 4}, spacing_mm=(1.0, 2.0, 4.0))
    assert made.images[0]["spacing"] == [1.0, 2.0, 4.0] and made.images[0]["dtype"] == "float32"
    assert made.rois[0]["name"] == "ball"
    made.close()


def test_overlay_on_a_turned_grid_of_its_own(viewer: SliceViewer) -> None:
    pet = Volume(np.ones((5, 6, 7), dtype=np.float32), Geometry((7, 6, 5), (5.0, 5.0, 6.0), (2.0, 3.0, -50.0)), "SUVbw")
    identifier = viewer.add_overlay(pet, "PET")
    about = viewer.images[1]
    assert (about["id"], viewer.view["overlay"], about["colormap"], about["modality"]) == (
        identifier, identifier, "hot", "PT")
    assert np.array_equal(Tab(viewer).volume(identifier), pet.array)
    other = Volume(pet.array, pet.geometry, "SUVbw", "1.2.3")
    base = Volume(np.zeros((2, 2, 2), dtype=np.float32), Geometry((2, 2, 2), (1, 1, 1)), "HU", "1.2.4")
    with pytest.raises(DataError, match="different frames of reference"):
        SliceViewer.of(base, overlays={"PET": other})


def test_roi_on_another_grid_is_refused(volumes) -> None:
    other = Volume(volumes[1].array, Geometry(GEOMETRY.size, (1, 2, 4), direction=GEOMETRY.direction))
    with pytest.raises(DataError, match="'GTV' and the image have different grids"):
        SliceViewer.of(volumes[0], {"GTV": other})


# -- messages ------------------------------------------------------------------------------------------------------


def test_no_more_than_three_parts_are_on_their_way_to_each_tab(volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "PART_BYTES", 4000)
    made = SliceViewer.of(volumes[0])
    one, other = Tab(made, "one"), Tab(made, "other")
    assert len(one.say("volume", image="base")) == 3
    assert len(one.say("ack", image="base", received=1)) == 1
    assert other.say("ack", image="base", received=1) == []
    assert np.array_equal(other.volume(), to_lps(volumes[0]).array)
    one.say("closed")
    assert one.say("ack", image="base", received=1) == []
    assert np.array_equal(one.volume(), to_lps(volumes[0]).array)
    made.close()


def test_large_image_stays_in_the_kernel_and_is_sent_by_slices(volumes) -> None:
    made = SliceViewer.of(volumes[0], remote_above=10_000)
    tab = Tab(made)
    assert made.images[0]["remote"] and made.preview
    [(about, (jpeg,))] = tab.say("slice", image="base", axis=1, index=7, window=[-500, 500])
    picture = np.asarray(Image.open(BytesIO(jpeg)))
    plane = to_lps(volumes[0]).array[:, 7, :]
    assert picture.shape == plane.shape == (about["height"], about["width"])
    assert np.corrcoef(picture.ravel(), np.clip(plane, -500, 500).ravel())[0, 1] > 0.95
    [(about, _)] = tab.say("value", image="base", index=[3, 2, 1])
    assert about["text"] == f"{to_lps(volumes[0]).array[1, 2, 3]:g} HU"
    assert tab.say("volume", image="base")[0][0]["type"] == "error"
    made.close()


@pytest.mark.parametrize(("kind", "content"), [
    ("volume", {"image": "nothing"}), ("volume", {}), ("mask", {"roi": "x"}), ("value", {"image": "base"}),
    ("slice", {"image": "base", "axis": 5, "index": 0, "window": [0, 1]}),
    ("value", {"image": "base", "index": [99, 0, 0]}),
    ("slice", {"image": "base", "axis": 0, "index": 0, "window": ["a", 1]}), ("edit", {"roi": ""}),
    ("stroke", {"value": 1, "begin": True, "end": True}), ("save", {"name": "x", "author": "y"})])
def test_what_cannot_be_answered_is_told_to_the_tab_that_asked(viewer: SliceViewer, kind: str, content: dict) -> None:
    tab, other = Tab(viewer), Tab(viewer, "other")
    [(answer, _)] = tab.say(kind, **content)
    assert answer["type"] == "error" and len(answer["message"]) > 20
    assert other.got == []
    assert tab.say("nonsense") == [] and tab.say("ack", image="base") == []


# -- memory --------------------------------------------------------------------------------------------------------


def test_closed_viewer_frees_its_image(volumes) -> None:
    image = Volume(volumes[0].array.copy(), GEOMETRY, "HU")
    voxels = weakref.ref(image.array)
    made = SliceViewer.of(image, {"GTV": volumes[1]})
    Tab(made).say("volume", image="base")
    del image
    assert voxels() is not None
    made.close()
    assert Tab(made).say("volume", image="base") == []
    del made
    gc.collect()
    assert voxels() is None


def test_loaded_image_goes_when_no_view_waits_for_it(monkeypatch: pytest.MonkeyPatch, volumes) -> None:
    monkeypatch.setattr(viewer_source, "IDLE_S", 0.05)
    loads = []
    source = Source(lambda: loads.append(1) or display.displayed(volumes[0]))
    source.get()
    source.get()
    assert len(loads) == 1
    source.release()
    assert not source.loaded
    source.get()
    for _ in range(100):
        if not source.loaded:
            break
        viewer_source.threading.Event().wait(0.02)
    assert not source.loaded and len(loads) == 2
    source.close()


# -- a study -------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path) -> Any:
    return study_with(tmp_path, GEOMETRIES["oblique"])


def opened(study: Any) -> SliceViewer:
    return open_viewer(images_of(study)["PAT-001"][0])


def test_image_of_a_study_is_dropped_after_it_was_sent_and_loaded_again(study) -> None:
    made = opened(study)
    source = made._pictures["base"].source
    lps = to_lps(load_case(study.path, row_of(study))[0]).array
    assert np.array_equal(Tab(made).volume(), lps)
    assert not source.loaded
    assert np.array_equal(Tab(made, "second").volume(), lps)
    assert not source.loaded
    assert "PAT-001" not in str(made.get_state())
    assert made._repr_mimebundle_()[0]["text/plain"] == "SliceViewer()"  # this is stored in the notebook
    made.close()


def test_ten_strokes_with_undo_reach_the_study_voxel_for_voxel(study) -> None:
    made = opened(study)
    tab, rng = Tab(made), np.random.default_rng(2)
    other = Tab(made, "other")
    turn = Orientation.of(GEOMETRIES["oblique"])
    expected = turn.turned(load_case(study.path, row_of(study))[1].array).copy()
    [(about, (bits,))] = tab.say("edit", roi="roi-0", name="")
    assert about["box"] == [0, 0, 0, *made.images[0]["size"]]
    assert np.array_equal(np.unpackbits(np.frombuffer(bits, np.uint8), count=expected.size, bitorder="little"),
                          expected.ravel())
    for number in range(10):
        indices, value = rng.choice(expected.size, 25, replace=False), number % 2
        tab.paint(indices[:10], value, end=False)
        tab.paint(indices[10:], value, begin=False)
        if number in (4, 9):
            tab.say("undo")
        else:
            expected.reshape(-1)[indices] = value
    assert made.editing["strokes"] == 8 and made.editing["can_redo"]
    [(about, (bits,))] = other.say("get_draft")
    assert np.array_equal(np.unpackbits(np.frombuffer(bits, np.uint8), count=expected.size, bitorder="little"),
                          expected.ravel())
    [(answer, _)] = tab.say("save", name="GTV edited 1", author="Ada", note="")
    assert answer["type"] == "saved" and made.editing is None and made.author == "Ada"
    assert made.rois[-1]["name"] == "GTV edited 1" and "GTV edited 1" in made.status
    _, mask = load_case(study.path, row_of(study, "GTV edited 1"))
    assert np.array_equal(mask.array, turn.back(expected))
    assert tab.say("edit", roi=made.rois[-1]["id"], name="")[0][0]["type"] == "draft"
    assert made.editing["name"] == "GTV edited 2"
    made.close()


def test_viewer_that_is_opened_again_goes_on_with_the_draft(study) -> None:
    first = opened(study)
    tab = Tab(first)
    tab.say("edit", roi="roi-0", name="")
    tab.paint([1, 2, 3], 1, end=False)  # the tab is closed in the middle of a stroke
    second = opened(study)
    assert (second.editing["roi"], second.editing["strokes"]) == ("roi-0", 1)
    assert tab.paint([5])[0][0]["type"] == "error"
    assert Tab(second).say("discard") == [] and second.editing is None
    third = opened(study)
    assert third.editing is None
    for one in (first, second, third):
        one.close()


def test_answers_of_edits_bear_the_number_of_their_message(study) -> None:
    made = opened(study)
    tab = Tab(made)
    answers = [*tab.say("edit", roi="roi-0", name="", number=1),
               *tab.say("stroke", np.array([5], "<u4").tobytes(), value=1, begin=True, end=True, number=2),
               *tab.say("undo", number=3), *tab.say("redo", number=4), *tab.say("get_draft", number=5),
               *tab.say("stroke", np.array([10 ** 9], "<u4").tobytes(), value=1, begin=True, end=True, number=6)]
    assert [(content["type"], content["number"]) for content, _ in answers] == [
        ("draft", 1), ("stroke", 2), ("undone", 3), ("redone", 4), ("draft", 5), ("error", 6)]
    made.close()


def test_changed_image_is_told_by_name(study) -> None:
    made = opened(study)
    Tab(made).say("edit", roi="", name="new lesion")
    made.close()
    path = resolve(study.path, row_of(study)["image"])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="was changed since"):
        opened(study)


def test_roi_that_cannot_be_loaded_is_told_and_the_image_is_shown(study) -> None:
    path = resolve(study.path, row_of(study)["mask"])
    path.write_bytes(b"")
    made = opened(study)
    assert made.rois == [] and made.fault
    made.close()


# -- nobody looks --------------------------------------------------------------------------------------------------


def test_without_a_browser_there_is_a_picture_and_no_widget(volumes) -> None:
    shown = view_slices(volumes[0], {"GTV <b>": volumes[1]})
    assert isinstance(shown, StillSlices)
    bundle = shown._repr_mimebundle_()
    assert re.search(r"data:image/png;base64,[\w+/=]{1000,}", bundle["text/html"])
    assert len(bundle["text/html"]) < 90_000
    assert "GTV &lt;b&gt;" in bundle["text/html"] and "<b>" not in bundle["text/html"].replace("GTV <b>", "")


def test_somebody_who_looks_gets_the_viewer(volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_viewer, "interactive", lambda: True)
    made = view_slices(volumes[0], {"GTV": volumes[1]}, title="CT")
    assert isinstance(made, SliceViewer) and made.images[0]["name"] == "CT"
    made.close()


def test_rows_of_a_study_become_images_with_labels(study) -> None:
    found = images_of(study)
    assert [one.label for one in found["PAT-001"]] == ["CT 2020-01-02"]
    assert [row["roi"] for row in found["PAT-001"][0].rois] == ["GTV"]
    assert stored(study, "images")["roi"].tolist() == ["GTV"]
