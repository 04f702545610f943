"""How quick is the slice viewer in a real browser, what does it cost, and what do others need for the same steps?

    python benchmarks/viewer.py [--quick] [--json FILE]

JupyterLab on 127.0.0.1 and Chromium, both on this machine. A volume of int16 voxels (512 x 512 x 200) with three ROIs
is opened: time from the cell's start to the first pixels and to the full volume; wheel to pixels, from the event to the
end of the frame that shows it; drag of the window to pixels, as the viewer itself notes it (from the event to the end
of drawing); memory of the kernel above what it had before the volume, without the masks that were given to it, at most
and afterwards, over the volume's bytes; what is left of ten viewers of half the size along each axis, opened at once
and closed, beside what JupyterLab keeps of two cells that are run and show none (medians of three rounds each, in
turn). In the same run ipyniivue, a plotly FigureWidget and matplotlib with ipywidgets.interact step through slices:
from the step to the changed pixels in the browser.

Where ipyniivue does not draw a volume within its time limit, one of 256 x 256 x 100 is taken, and the figure says so.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

TARGETS = {"first_pixels_s": 1.5, "full_volume_s": 5.0, "wheel_ms": 20.0, "drag_ms": 30.0, "memory_peak_ratio": 1.5,
           "memory_after_ratio": 1.5, "leak_browser_mb": 0.5}
SIZE, QUICK, SMALL = (512, 512, 200), (128, 128, 64), (256, 256, 100)
STEPS = 40
OTHER_STEPS = 8
NIIVUE_LIMIT_S = 90

SETUP = """\
import os, psutil
import numpy as np
import ipywidgets, IPython
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.views.slice_viewer import SliceViewer
opened = []
print('PID', os.getpid())
"""
LOAD = """\
array = np.load('image.npy')
geometry = Geometry(array.shape[::-1], (0.9, 0.9, 2.0))
rois = {f'ROI {place}': Volume(np.load(f'mask{place}.npy'), geometry) for place in range(3)}
image = Volume(array, geometry, 'HU')
print('LOADED')
"""
SHOW = "viewer = SliceViewer.of(image, rois, name='phantom'); del rois; viewer  # SHOW"
MANY = """\
half = np.ascontiguousarray(array[::2, ::2, ::2])
small = Volume(half, Geometry(half.shape[::-1], (1.8, 1.8, 4.0)), 'HU')
opened = [SliceViewer.of(small) for _ in range(10)]
for one in opened: display(one)
print('OPENED')  # MANY
"""
NONE = "opened = []; one = None; print('OPENED')  # NONE"
CLOSE = """\
import gc, ctypes
one = None
while opened: opened.pop().close()
gc.collect(); ctypes.CDLL(None).malloc_trim(0)
from IPython.display import clear_output
clear_output()
print('CLOSED')  # CLOSE
"""
NIIVUE = """\
from ipyniivue import NiiVue
shown = NiiVue(height=480)
shown.load_volumes([{'path': 'NAME'}])
shown  # SHOW
"""
PLOTLY = """\
import ipywidgets, numpy as np, plotly.graph_objects as go
array = np.load('image.npy')
figure = go.FigureWidget(go.Heatmap(z=array[0], zmin=-200, zmax=300, colorscale='Greys'))
slider = ipywidgets.IntSlider(0, 0, len(array) - 1)
slider.observe(lambda change: figure.data[0].update(z=array[change['new']]), 'value')
ipywidgets.VBox([slider, figure])  # SHOW
"""
MATPLOTLIB = """\
%matplotlib inline
import numpy as np, matplotlib.pyplot as plt, ipywidgets
array = np.load('image.npy')
def show(k=0):
    plt.imshow(array[k], cmap='gray', vmin=-200, vmax=300); plt.show()
ipywidgets.interact(show, k=(0, len(array) - 1))
None  # SHOW
"""

# From the key to the picture that it changed, in the page itself.
WATCH = """() => {
  window.steps = []; window.pressed = null;
  addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
  const changed = () => {
    if (window.pressed !== null) window.steps.push(performance.now() - window.pressed);
    window.pressed = null;
  };
  new MutationObserver((all) => {
    const hit = (node) => node.nodeType === 1 && (node.matches('img, image') || node.querySelector?.('img, image'));
    // No filter by name: that would leave out the attributes of SVG that have a namespace.
    const drawn = (one) => one.type === 'attributes' ? ['src', 'href'].includes(one.attributeName) && hit(one.target)
      : [...one.addedNodes].some(hit);
    if (all.some(drawn)) requestAnimationFrame(changed);
  }).observe(document.querySelector('.jp-Notebook'), { subtree: true, childList: true, attributes: true });
}"""
# Turns the wheel in the page itself, at any moment between two frames, and waits for the end of the frame with it.
# The driver lets a whole frame of the page pass between the time that a wheel event bears and its delivery (Chromium's
# DevTools wait for a "visual state" before it): a sixtieth of a second that no person waits for.
WHEEL = """async (root, steps) => {
  const canvas = root.querySelector("canvas[data-axis='2']"), box = canvas.getBoundingClientRect(), times = [];
  for (let step = 0; step < steps; step++) {
    await new Promise((go) => setTimeout(go, 50 + 33 * Math.random()));
    times.push(await new Promise((done) => {
      const start = performance.now(), channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now() - start);
      root.addEventListener('mlab-drawn', () => channel.port2.postMessage(0), { once: true });
      canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: step % 20 < 10 ? 100 : -100, bubbles: true,
        cancelable: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 }));
    }));
  }
  return times;
}"""
# niivue draws in its handler; reading a pixel waits for the graphics.
NIIVUE_STEP = """(canvas) => {
  const gl = canvas.getContext('webgl2'), box = canvas.getBoundingClientRect(), pixel = new Uint8Array(4);
  const start = performance.now();
  canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: 100, bubbles: true, cancelable: true,
    clientX: box.x + box.width / 4, clientY: box.y + box.height / 4 }));
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a volume of 128 x 128 x 64 voxels")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), QUICK if options.quick else SIZE)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        print(f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value}")
    missed = [name for name, most in TARGETS.items() if figures[name] > most]
    if missed and not options.quick:
        raise SystemExit(f"above the target: {', '.join(missed)}")


def measured(folder: Path, size: tuple[int, int, int]) -> dict[str, Any]:
    """All figures, each viewer in a notebook and a kernel of its own."""
    from playwright.sync_api import sync_playwright

    from tests.ui.notebook_page import FLAGS, jupyter_lab

    root, home = folder / "root", folder / "home"
    root.mkdir()
    home.mkdir()
    write_phantom(root, size)
    figures: dict[str, Any] = {"size": "x".join(map(str, size))}
    with sync_playwright() as driver, jupyter_lab(root, home) as address:
        for part in (ours, plotly, matplotlib, niivue):
            # A browser of its own for each: what one leaves behind must not slow the next.
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"),
                                             args=[*FLAGS, "--js-flags=--expose-gc"])
            found = part(browser, address, root, size)
            print(f"{part.__name__}: {found}", file=sys.stderr, flush=True)
            figures |= found
            browser.close()
    return figures


def write_phantom(root: Path, size: tuple[int, int, int]) -> None:
    """A body with noise, and three balls as ROIs."""
    from medomicslab_nb.imaging.geometry import Geometry
    from medomicslab_nb.imaging.volumes import Volume, write_volume

    x, y, z = np.ogrid[-1:1:size[0] * 1j, -1:1:size[1] * 1j, -1:1:size[2] * 1j]
    x, y, z = (axis.reshape(-1)[tuple(slice(None) if place == 2 - own else None for place in range(3))]
               for own, axis in enumerate((x, y, z)))
    rng = np.random.default_rng(0)
    image = np.empty(size[::-1], dtype=np.int16)
    for k in range(size[2]):
        image[k] = np.where(x[0] ** 2 + y[0] ** 2 < 0.7, 40, -1000) + rng.normal(0, 20, size[1::-1])
    for place, centre in enumerate((-0.4, 0.0, 0.4)):
        mask = (x - centre) ** 2 + (y - centre / 2) ** 2 + (z - centre / 2) ** 2 < 0.03
        image[mask] += 100
        np.save(root / f"mask{place}.npy", mask)
    np.save(root / "image.npy", image)
    half = tuple(slice(None, None, 2) for _ in range(3))
    for name, array, spacing in (("whole.nii", image, 0.9), ("half.nii", image[half], 1.8)):
        geometry = Geometry(array.shape[::-1], (spacing, spacing, 2.0))
        write_volume(Volume(np.ascontiguousarray(array), geometry), root / name)


def notebook(root: Path, name: str, cells: list[str]) -> str:
    """Write a notebook of these cells; gives its name."""
    content = {"cells": [{"cell_type": "code", "id": f"cell{place}", "metadata": {}, "execution_count": None,
                          "outputs": [], "source": source} for place, source in enumerate(cells)],
               "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
               "nbformat": 4, "nbformat_minor": 5}
    (root / f"{name}.ipynb").write_text(json.dumps(content))
    return f"{name}.ipynb"


def said(page: Any, word: str, timeout_s: float = 180) -> str:
    """What a cell printed that begins with a word."""
    found = page.page.locator(".jp-OutputArea-output", has_text=word).last
    found.wait_for(timeout=timeout_s * 1000)
    return found.inner_text()


def ours(browser: Any, address: str, root: Path, size: tuple[int, int, int]) -> dict[str, float]:
    """The slice viewer: times in the browser, memory of the kernel, ten of them opened and closed."""
    from tests.ui.notebook_page import NotebookPage

    page = NotebookPage(browser, address, notebook(root, "ours", [SETUP, LOAD, SHOW, MANY, NONE, CLOSE]))
    try:
        page.run_cells("print('PID'")
        memory = Memory(int(said(page, "PID").split()[1]))
        baseline = memory.now
        page.run_cells("print('LOADED')")
        said(page, "LOADED")
        masks = sum((root / f"mask{place}.npy").stat().st_size for place in range(3))
        memory.reset()
        start = page.page.evaluate("performance.now()")
        page.run_cells("# SHOW")
        viewer = page.page.locator(".mlab-slices").first
        viewer.wait_for()
        page.page.wait_for_function("() => document.querySelector('.mlab-slices').__timing?.volume")
        timing = viewer.evaluate("one => one.__timing")
        volume = float(np.prod(size) * 2)
        figures = {"first_pixels_s": (timing["preview"] - start) / 1000,
                   "full_volume_s": (timing["volume"] - start) / 1000,
                   "memory_peak_ratio": (memory.peak - baseline - masks) / volume,
                   "memory_after_ratio": (memory.now - baseline) / volume}
        figures |= _drawn(page, viewer)
        return figures | _leak(page, memory, volume)
    finally:
        page.close()


def _drawn(page: Any, viewer: Any) -> dict[str, float]:
    """Median time from the wheel, and from a drag of the window, to drawn pixels."""
    viewer.scroll_into_view_if_needed()
    turned = viewer.evaluate(WHEEL, STEPS)
    canvas = viewer.locator("canvas[data-axis='2']").first
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    viewer.evaluate("""one => { window.drawn = {};
      one.addEventListener('mlab-drawn', ({ detail }) => (window.drawn[detail.cause] ??= []).push(detail.ms)); }""")
    mouse = page.page.mouse
    mouse.move(x, y)
    for step in range(STEPS):
        mouse.wheel(0, 100 if step % 20 < 10 else -100)
        page.page.wait_for_timeout(60)
    mouse.down(button="right")
    for step in range(STEPS):
        mouse.move(x + 2 * step, y + step)
        page.page.wait_for_timeout(60)
    mouse.up(button="right")
    drawn = page.page.evaluate("window.drawn")
    by_driver = {f"{name}_ms": float(statistics.median(drawn[cause])) if drawn.get(cause) else float("nan")
                 for name, cause in (("wheel_by_driver", "wheel"), ("drag", "window"))}
    return {"wheel_ms": float(statistics.median(turned)), **by_driver}


def _leak(page: Any, memory: Memory, volume: float) -> dict[str, float]:
    """What ten viewers, opened and closed, leave behind, and what as many cells leave that show none."""
    session = page.page.context.new_cdp_session(page.page)
    many, none = [], []
    now = _closed(page, memory, session)
    for place in range(8):
        page.run_cells("# NONE" if place % 2 else "# MANY")
        if place % 2 == 0:
            page.page.wait_for_function("""() => { const all = [...document.querySelectorAll('.mlab-slices')];
                return all.length >= 11 && all.every((one) => one.__timing?.volume); }""", timeout=300_000)
            opened = memory.now - now[0]
        before, now = now, _closed(page, memory, session)
        (none if place % 2 else many).append(now - before)
    memory.close()
    # The first round of each fills caches; the kernel gives some of its memory back only with the next cells.
    (_, objects, buffers), (_, *rest) = (np.median(found[1:], axis=0) / 1e6 for found in (many, none))
    kernel = np.median(np.add(many, none)[1:, 0]) / 1e6
    return {"ten_viewers_mb": 10 * volume / 8e6, "ten_open_kernel_mb": opened / 1e6, "leak_kernel_mb": kernel,
            "leak_browser_objects_mb": objects, "leak_browser_buffers_mb": buffers,
            "cells_browser_objects_mb": rest[0], "cells_browser_buffers_mb": rest[1],
            "leak_browser_mb": objects + buffers - sum(rest)}


def _closed(page: Any, memory: Memory, session: Any) -> np.ndarray:
    """Close what is open; bytes of the kernel, and of objects and buffers in the browser."""
    page.run_cells("# CLOSE")
    page.page.wait_for_function("() => document.querySelectorAll('.mlab-slices').length <= 1", timeout=60_000)
    page.page.wait_for_timeout(3000)
    # Not at once: what the stack happens to name would be kept.
    page.page.evaluate("async () => { for (let k = 0; k < 4; k++) await gc({ type: 'major', execution: 'async' }); }")
    heap = session.send("Runtime.getHeapUsage")
    return np.array([memory.now, heap["usedSize"], heap.get("backingStorageSize", 0)], dtype=float)


def plotly(browser: Any, address: str, root: Path, _: tuple[int, int, int]) -> dict[str, float]:
    """A heatmap in a FigureWidget."""
    return by_slider(browser, address, root, "plotly", PLOTLY)


def matplotlib(browser: Any, address: str, root: Path, _: tuple[int, int, int]) -> dict[str, float]:
    """A picture made anew by ipywidgets.interact."""
    return by_slider(browser, address, root, "matplotlib", MATPLOTLIB)


def by_slider(browser: Any, address: str, root: Path, name: str, source: str) -> dict[str, float]:
    """Slices stepped through by a slider whose callback runs in the kernel."""
    from tests.ui.notebook_page import NotebookPage

    page = NotebookPage(browser, address, notebook(root, name, [source]))
    try:
        page.run_cells("SHOW")
        handle = page.page.locator(".noUi-handle").first
        handle.wait_for(timeout=120_000)
        page.page.wait_for_timeout(3000)
        page.page.evaluate(WATCH)
        handle.focus()
        for step in range(OTHER_STEPS):
            page.page.keyboard.press("ArrowRight")
            page.page.wait_for_function("count => window.steps.length > count", arg=step, timeout=60_000)
            page.page.wait_for_timeout(200)
        return {f"{name}_step_ms": float(statistics.median(page.page.evaluate("window.steps")))}
    finally:
        page.close()


def niivue(browser: Any, address: str, root: Path, size: tuple[int, int, int]) -> dict[str, Any]:
    """The widget of ipyniivue on the same volume, or on the half-sized one where that does not appear in time."""
    for name, shown in (("whole.nii", size), ("half.nii", tuple(n // 2 for n in size))):
        found = _niivue_on(browser, address, root, name)
        if found:
            return found | {"niivue_size": "x".join(map(str, shown))}
    return {"niivue_size": "none drawn"}


def _niivue_on(browser: Any, address: str, root: Path, name: str) -> dict[str, float]:
    from tests.ui.notebook_page import NotebookPage

    page = None
    try:
        page = NotebookPage(browser, address, notebook(root, f"niivue-{name}", [NIIVUE.replace("NAME", name)]))
        start = time.perf_counter()
        page.run_cells("SHOW")
        canvas = page.page.locator(".jp-OutputArea canvas").first
        canvas.wait_for(timeout=NIIVUE_LIMIT_S * 1000)
        while time.perf_counter() - start < NIIVUE_LIMIT_S:
            if _spread(canvas.screenshot(timeout=NIIVUE_LIMIT_S * 1000)) > 20:
                first = time.perf_counter() - start
                times = [canvas.evaluate(NIIVUE_STEP) for _ in range(OTHER_STEPS)]
                return {"niivue_first_pixels_s": first, "niivue_step_ms": float(statistics.median(times))}
            page.page.wait_for_timeout(500)
    except Exception as error:
        print(f"ipyniivue with {name}: {type(error).__name__}", file=sys.stderr)
    finally:
        if page is not None:
            page.close()
    return {}


def _spread(png: bytes) -> float:
    """Standard deviation of the middle of a picture."""
    from io import BytesIO

    from PIL import Image

    grey = np.asarray(Image.open(BytesIO(png)).convert("L"), dtype=float)
    height, width = grey.shape
    return float(grey[height // 8:-height // 8, width // 8:-width // 8].std())


class Memory:
    """Resident memory of a process, looked at every 10 ms."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = self.now
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def now(self) -> int:
        return int(self._process.memory_info().rss)

    def _watch(self) -> None:
        with suppress(psutil.NoSuchProcess):
            while not self._stop.wait(0.01):
                self.peak = max(self.peak, self.now)

    def reset(self) -> None:
        self.peak = self.now

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


if __name__ == "__main__":
    main()
