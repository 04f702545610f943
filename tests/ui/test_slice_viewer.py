"""The slice viewer in a real JupyterLab: contours at the right millimetre, keys and wheel, fusion, edits that last."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medomicslab_nb.data.image_table import stored
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import load_case
from medomicslab_nb.imaging.orientation import Orientation
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.study import Study
from tests.data.test_mask_edits import row_of, study_with

pytestmark = pytest.mark.ui

SIZE, SPACING = (60, 48, 40), (1.5, 1.0, 2.5)
BOX = ((12, 32), (10, 34), (8, 24))  # first and last + 1 voxel along x, y, z
BALL, RADIUS_MM = (45, 24, 16), 12.0
GREY = (-160.0 + 240.0) / 2
COLOURS = {"box": (255, 196, 0), "ball": (0, 194, 255)}
AXES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}
ANGLES = {"plain": (0.0, 0.0, 0.0), "oblique": (12.0, -17.0, 25.0)}

SHOW = """\
from tests.ui.test_slice_viewer import phantom
from medomicslab_nb.views.slice_viewer import SliceViewer
image, rois, pet = phantom('KIND')
viewer = SliceViewer.of(image, rois, name='phantom')
viewer  # SHOW
"""
FUSE = "viewer.add_overlay(pet, 'PET'); None  # FUSE"
EDIT = """\
import numpy as np
import medomicslab_nb as ml
from medomicslab_nb.views.study_images import images_of
from medomicslab_nb.views.study_viewer import open_viewer
study = ml.open_study('edit_study/study')
viewer = open_viewer(images_of(study)['PAT-001'][0])
viewer  # SHOW
"""
SAY = """\
start = viewer._draft._start()
print('DRAFT', viewer.editing['strokes'], np.flatnonzero(viewer._draft.mask != start).tolist())
"""
MANY = """\
from IPython.display import clear_output, display
opened = [SliceViewer.of(image, rois) for _ in range(COUNT)]
display(*opened)  # MANY
"""
CLOSE = """\
while opened:
    opened.pop().close()
clear_output()  # CLOSE
"""


def lps_geometry(kind: str) -> Geometry:
    from scipy.spatial.transform import Rotation

    axes = Rotation.from_euler("xyz", ANGLES[kind], degrees=True).as_matrix()
    return Geometry(SIZE, SPACING, (-44.0, -30.0, 410.0), tuple(axes.ravel().tolist()))


def phantom(kind: str) -> tuple[Volume, dict[str, Volume], Volume]:
    """A grey block with a box and a ball as ROIs, and a PET to lie over it; oblique: stored turned and mirrored."""
    grid = lps_geometry(kind)
    k, j, i = np.indices(grid.shape)
    inside = [(axis >= low) & (axis < high) for axis, (low, high) in zip((i, j, k), BOX, strict=True)]
    offset = [(axis - at) * step for axis, at, step in zip((i, j, k), BALL, SPACING, strict=True)]
    masks = {"box": inside[0] & inside[1] & inside[2], "ball": np.sqrt(sum(part**2 for part in offset)) < RADIUS_MM}
    image = np.full(grid.shape, GREY, dtype=np.float32)
    pet = Geometry((20, 16, 20), (4.5, 3.0, 5.0), grid.origin_mm, grid.direction)
    hot = Volume(np.full(pet.shape, 2.0, dtype=np.float32), pet, "SUVbw")
    return stored_as(image, grid, kind), {name: stored_as(mask, grid, kind) for name, mask in masks.items()}, hot


def stored_as(array: np.ndarray, grid: Geometry, kind: str) -> Volume:
    """The same voxels in another order: axes (y, z, x), the second one backwards."""
    if kind == "plain":
        return Volume(array, grid, "HU" if array.dtype != bool else "")
    turned = array.transpose(2, 0, 1)[:, ::-1]
    corner = grid.to_points(np.array([[0, 0, SIZE[2] - 1]]))[0]
    axes = grid.axes[:, [1, 2, 0]] * [1, -1, 1]
    nx, ny, nz = (SIZE[axis] for axis in (1, 2, 0))
    spacing = tuple(SPACING[axis] for axis in (1, 2, 0))
    geometry = Geometry((nx, ny, nz), spacing, tuple(corner.tolist()), tuple(axes.ravel().tolist()))
    return Volume(np.ascontiguousarray(turned), geometry, "HU" if array.dtype != bool else "")


class ViewerPage:
    """A notebook with the viewer in its first cell."""

    def __init__(self, browser: Any, lab: str, root: Path, name: str, *cells: str) -> None:
        from tests.ui.notebook_page import NotebookPage

        content = {"cells": [{"cell_type": "code", "id": f"cell{place}", "metadata": {}, "execution_count": None,
                              "outputs": [], "source": source} for place, source in enumerate(cells)],
                   "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
                   "nbformat": 4, "nbformat_minor": 5}
        (root / f"{name}.ipynb").write_text(json.dumps(content))
        self.notebook = NotebookPage(browser, lab, f"{name}.ipynb")
        self.page = self.notebook.page
        self.show()

    @property
    def root(self) -> Any:
        return self.page.locator(".mlab-slices").first

    def show(self) -> None:
        """Run the first cell and wait for the whole volume."""
        self.notebook.run_cells("# SHOW")
        self.page.wait_for_function("() => document.querySelector('.mlab-slices')?.__timing?.volume")
        self.page.wait_for_timeout(500)
        self.root.scroll_into_view_if_needed()

    def canvas(self, axis: int) -> Any:
        return self.root.locator(f"canvas[data-axis='{axis}']")

    def pixels(self, axis: int) -> np.ndarray:
        """What stands on a plane's canvas, (rows, columns, RGB)."""
        from PIL import Image

        self.page.wait_for_timeout(150)
        url = self.canvas(axis).evaluate("one => one.toDataURL('image/png')")
        return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)

    @property
    def index(self) -> list[int]:
        return self.root.evaluate("one => [...one.__viewer.state.index]")

    def place(self, axis: int, index: list[float]) -> tuple[float, float]:
        """Where a voxel's centre lies in the window."""
        x, y = self.root.evaluate("(one, [axis, index]) => one.__viewer.planes.find((p) => p.axis === axis)"
                                  ".toScreen(...index)", [axis, index])
        box = self.canvas(axis).bounding_box()
        return box["x"] + x, box["y"] + y

    def drag(self, axis: int, start: list[float], end: list[float], *, release: bool = True) -> None:
        mouse = self.page.mouse
        self.canvas(axis).scroll_into_view_if_needed()
        mouse.move(*self.place(axis, start))
        mouse.down()
        mouse.move(*self.place(axis, end), steps=4)
        if release:
            mouse.up()
        self.page.wait_for_timeout(60)

    def said(self, word: str) -> str:
        self.notebook.run_cells(f"print('{word}'")
        return self.page.locator(".jp-OutputArea-output", has_text=word).last.inner_text()

    def close(self) -> None:
        assert self.notebook.foreign() == []
        assert self.notebook.our_complaints() == []
        self.notebook.close()


@pytest.fixture
def pages(browser: Any, lab: str, study: Study) -> Iterator[Any]:
    opened = []

    def open_one(name: str, *cells: str) -> ViewerPage:
        opened.append(ViewerPage(browser, lab, study.path.parent, name, *cells))
        return opened[-1]

    yield open_one
    for page in opened:
        page.notebook.close()


def near(picture: np.ndarray, colour: tuple[int, int, int], most: int = 60) -> np.ndarray:
    return np.abs(picture - colour).max(axis=2) < most


def ends(found: np.ndarray, axis: int, share: float = 0.0) -> tuple[float, float]:
    """First and last + 1 place along an axis where more than this share of pixels was found."""
    places = np.flatnonzero(found.mean(axis=1 - axis) > share)
    return float(places[0]), float(places[-1] + 1)


def extent_mm(roi: str, axis: int, *, from_end: bool = False) -> list[float]:
    """Where a ROI begins and ends along an axis, in mm from the image's first side, or from its last one."""
    step = SPACING[axis]
    middle = (BALL[axis] + 0.5) * step
    found = [n * step for n in BOX[axis]] if roi == "box" else [middle - RADIUS_MM, middle + RADIUS_MM]
    return [SIZE[axis] * step - value for value in reversed(found)] if from_end else found


# -- what is seen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ANGLES)
def test_contours_lie_at_the_right_millimetre(kind: str, pages: Any, artefacts: Path) -> None:
    """Read back from the canvas: how far the outlines lie from the sides of the image, in all three planes."""
    page = pages(f"contours_{kind}", SHOW.replace("KIND", kind))
    assert page.index == [22, 22, 16]
    page.canvas(2).focus()
    page.page.keyboard.press("x")
    page.page.keyboard.press("x")
    for axis, across, down in AXES.values():
        picture = page.pixels(axis)
        grey = near(picture, (128, 128, 128), 12)
        (left, right), (top, bottom) = ends(grey, 1, 0.3), ends(grey, 0, 0.3)
        per_mm = (right - left) / (SIZE[across] * SPACING[across])
        assert (bottom - top) / (SIZE[down] * SPACING[down]) == pytest.approx(per_mm, rel=0.01)  # one scale
        for roi in COLOURS if axis == 2 else ("box",):  # the ball's middle lies in the axial slice of the box
            line = near(picture, COLOURS[roi])
            slack = 0.6 if roi == "box" else 1.5
            measured = [(value - left) / per_mm for value in ends(line, 1)]
            assert measured == pytest.approx(extent_mm(roi, across), abs=slack), (roi, axis)
            measured = [(value - top) / per_mm for value in ends(line, 0)]
            assert measured == pytest.approx(extent_mm(roi, down, from_end=axis != 2), abs=slack), (roi, axis)
    page.page.screenshot(path=artefacts / f"slice_viewer_{kind}.png")
    says_position(page, kind)
    page.close()


def says_position(page: ViewerPage, kind: str) -> None:
    """The line below the planes names the voxel under the pointer and its place in the patient."""
    expected = lps_geometry(kind).to_points(np.array([[30, 20, 16]]))[0]
    page.page.mouse.move(*page.place(2, [30, 20, 16]))
    page.page.wait_for_timeout(300)
    words = page.root.locator(".mlab-readout").inner_text()
    found = [float(number.replace("\u2212", "-").replace(",", ""))
             for number in re.findall(r"[-\u2212]?[\d,]+(?:\.\d+)?", words)]
    assert any(np.allclose(found[at:at + 3], expected, atol=0.8) for at in range(len(found) - 2)), (words, expected)
    assert "30  20  16" in words and "40" in words


def test_closed_viewers_leave_nothing_in_the_page(pages: Any) -> None:
    """Neither models, which have what came from the kernel, nor what was drawn on; no module is loaded twice."""
    count = 4
    page = pages("many", SHOW.replace("KIND", "plain"), MANY.replace("COUNT", str(count)), CLOSE)
    before, modules = alive(page.page), loaded_modules(page.page)
    assert before == {"models": 1, "canvases": 9}
    page.notebook.run_cells("# MANY")
    page.page.wait_for_function(f"""() => {{ const all = [...document.querySelectorAll('.mlab-slices')];
        return all.length === {count + 1} && all.every((one) => one.__timing?.volume); }}""")
    assert alive(page.page) == {name: (count + 1) * number for name, number in before.items()}
    page.notebook.run_cells("# CLOSE")
    page.page.wait_for_function("() => document.querySelectorAll('.mlab-slices').length === 1")
    for _ in range(10):  # anywidget and the browser hold some of it a few seconds longer
        page.page.wait_for_timeout(1000)
        if alive(page.page) == before:
            break
    assert alive(page.page) == before
    assert loaded_modules(page.page) - modules == count  # the loader only, which anywidget asks for
    page.close()


def alive(page: Any) -> dict[str, int]:
    """How many widgets' models and canvases are there after the garbage was collected."""
    kinds = {"models": ("Object", "one.constructor?.model_name === 'AnyModel' && one !== one.constructor.prototype"),
             "canvases": ("HTMLCanvasElement", "true")}
    talk = page.context.new_cdp_session(page)
    found = {}
    for name, (kind, test) in kinds.items():
        of = talk.send("Runtime.evaluate", {"expression": f"{kind}.prototype"})["result"]["objectId"]
        all_of_it = talk.send("Runtime.queryObjects", {"prototypeObjectId": of})["objects"]["objectId"]
        count = f"""function () {{
            return this.filter((one) => {{ try {{ return {test}; }} catch {{ return false; }} }}).length; }}"""
        counted = {"objectId": all_of_it, "functionDeclaration": count, "returnByValue": True}
        found[name] = int(talk.send("Runtime.callFunctionOn", counted)["result"]["value"])
    talk.detach()
    return found


def loaded_modules(page: Any) -> int:
    """How many modules of widgets the page has loaded."""
    talk = page.context.new_cdp_session(page)
    found: list[str] = []
    talk.on("Debugger.scriptParsed", lambda script: found.append(script["url"]))
    talk.send("Debugger.enable")
    talk.detach()
    return sum(url.startswith("blob:") for url in found)


def test_wheel_and_keys_move_slices_the_window_changes_and_fusion_is_shown(pages: Any, artefacts: Path) -> None:
    page = pages("keys", SHOW.replace("KIND", "plain"), FUSE)
    start = page.index
    page.page.mouse.move(*page.place(2, [5, 5, 16]))
    page.page.mouse.wheel(0, -120)
    page.page.wait_for_timeout(200)
    moved = page.index
    assert (moved[:2], abs(moved[2] - start[2])) == (start[:2], 1)
    page.canvas(1).focus()
    page.page.keyboard.press("PageUp")
    page.page.keyboard.press("PageUp")
    page.page.wait_for_timeout(200)
    assert abs(page.index[1] - start[1]) == 2
    before = page.pixels(2)
    page.page.mouse.move(*page.place(2, [5, 5, 16]))
    page.page.mouse.down(button="right")
    page.page.mouse.move(*page.place(2, [25, 25, 16]), steps=5)
    page.page.mouse.up(button="right")
    changed = np.abs(page.pixels(2) - before).max(axis=2) > 5
    assert changed.mean() > 0.2
    assert page.page.locator(".lm-Menu:visible").count() == 0
    shows_fusion(page)
    page.root.scroll_into_view_if_needed()
    page.page.screenshot(path=artefacts / "slice_viewer_fusion.png")
    page.close()


def shows_fusion(page: ViewerPage) -> None:
    """A PET that Python adds appears in colour."""
    before = page.pixels(2)
    page.notebook.run_cells("# FUSE")
    page.page.wait_for_function("() => document.querySelectorAll('.mlab-slices')[0].__viewer.state.overlay !== ''")
    page.page.wait_for_timeout(1500)
    picture = page.pixels(2)
    changed = np.abs(picture - before).max(axis=2) > 20
    coloured = picture.max(axis=2) - picture.min(axis=2) > 40
    assert changed.mean() > 0.1 and (changed & coloured).sum() > 0.5 * changed.sum()


# -- edits ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edited(study: Study) -> Study:
    """Beside the study: one with an oblique CT and one ROI."""
    geometry = Geometry((30, 24, 18), (1.2, 1.5, 2.5), (-20.0, -18.0, 100.0), lps_geometry("oblique").direction)
    return study_with(study.path.parent / "edit_study", geometry)


def begin(page: ViewerPage) -> None:
    """Copy the first ROI, and take a brush of one voxel."""
    form = page.root.locator("form").first
    form.locator("select").select_option(index=1)
    form.locator("input").first.fill("GTV edited 1")
    form.locator("button[type=submit]").click()
    page.page.wait_for_function("() => document.querySelector('.mlab-slices').__viewer.state.tool === 'brush'")
    page.root.evaluate("one => { one.__viewer.state.radius = 0.1; one.__viewer.state.ball = false; }")
    page.canvas(2).scroll_into_view_if_needed()


def test_ten_strokes_with_undo_reach_the_study_and_a_closed_tab_loses_nothing(
        pages: Any, edited: Study, artefacts: Path) -> None:
    _, mask = load_case(edited.path, row_of(edited))
    turn = Orientation.of(mask.geometry)
    expected = turn.turned(mask.array).copy()
    page = pages("edit", EDIT, SAY)
    begin(page)
    z = page.index[2]
    for number in range(10):
        y, value = 3 + 2 * number, number % 3 != 2
        page.canvas(2).focus()
        page.page.keyboard.press("b" if value else "e")
        page.drag(2, [4, y, z], [20, y, z])
        if number in (4, 9):
            page.canvas(2).focus()
            page.page.keyboard.press("Control+z")
        else:
            expected[z, y, 4:21] = value
    page.page.screenshot(path=artefacts / "slice_viewer_edit.png")
    start = turn.turned(mask.array)
    strokes, _, changed = page.said("DRAFT").partition("DRAFT ")[2].partition(" ")
    assert json.loads(changed) == np.flatnonzero(expected != start).tolist()
    assert int(strokes) == 8

    # In the middle of a stroke the tab is closed; what was painted is there when the notebook is opened again.
    page.page.keyboard.press("b")
    page.drag(2, [22, 2, z], [26, 2, z], release=False)
    page.page.wait_for_timeout(300)
    assert page.notebook.our_complaints() == []
    page.page.close()
    expected[z, 2, 22:27] = True
    again = pages("edit", EDIT, SAY)
    again.root.locator("canvas").first.wait_for()
    changed = again.said("DRAFT").partition("DRAFT ")[2].partition(" ")[2]
    assert json.loads(changed) == np.flatnonzero(expected != start).tolist()

    again.root.get_by_role("button", name=re.compile("^Save as", re.IGNORECASE)).first.click()
    form = again.root.locator("form").filter(has=again.page.locator("textarea")).first
    form.locator("input").nth(0).fill("GTV edited 1")
    form.locator("input").nth(1).fill("Ada Lovelace")
    form.locator("button[type=submit]").click()
    again.page.wait_for_function("""() => { const words = document.querySelector('.mlab-slices').innerText;
        return words.includes('GTV edited 1') && !words.includes('being edited'); }""")
    again.root.scroll_into_view_if_needed()
    again.page.screenshot(path=artefacts / "slice_viewer_saved.png")
    assert list(stored(edited, "images")["roi"]) == ["GTV", "GTV edited 1"]
    _, saved = load_case(edited.path, row_of(edited, "GTV edited 1"))
    assert np.array_equal(saved.array, turn.back(expected))
    assert "Lovelace" not in stored(edited, "images").to_csv()
    again.close()


# -- the radiomics view --------------------------------------------------------------------------------------------


def test_radiomics_view_opens_images_and_a_surface(browser: Any, lab: str, artefacts: Path) -> None:
    from tests.ui.notebook_page import NotebookPage

    notebook = NotebookPage(browser, lab, "02_radiomics.ipynb")
    notebook.show_view()
    page = notebook.page
    notebook.button("Look at the images").click()
    page.wait_for_function("() => document.querySelector('.mlab-slices')?.__timing?.volume")
    page.locator(".mlab-slices").first.scroll_into_view_if_needed()
    page.screenshot(path=artefacts / "radiomics_viewer.png")
    first = page.locator(".mlab-slices canvas").first.evaluate("one => one.toDataURL()")
    notebook.button("Next patient").click()
    page.wait_for_function("before => { const root = document.querySelector('.mlab-slices');"
                           " return root?.__timing?.volume && root.querySelector('canvas').toDataURL() !== before; }",
                           arg=first)
    notebook.button("Surface in 3D").click()
    page.wait_for_selector(".jp-OutputArea .js-plotly-plot canvas")
    page.wait_for_timeout(1500)
    page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    page.screenshot(path=artefacts / "radiomics_surface.png")
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []
    notebook.close()
