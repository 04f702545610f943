"""Looking through a study's images beside the radiomics form: choose, fuse, edit, surface, map of a feature.

Nothing is loaded before somebody asks for it. Patients are named for the person who looks: what stands here is widget
state, which notebooks do not keep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.progress import Event, Progress
from medomicslab_nb.protect import scrub
from medomicslab_nb.radiomics.feature_map import feature_map
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.study import Study
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape
from medomicslab_nb.views.slice_viewer import SliceViewer
from medomicslab_nb.views.study_images import StudyImage, day_of, images_of
from medomicslab_nb.views.study_viewer import open_viewer
from medomicslab_nb.views.surface import surface_figure

_HEIGHT = 480
_NAMES_ROI = ("patient", "series", "image", "roi", "mask", "label")


class ImageTools:
    """Choices, buttons and the viewer.

    Parameters
    ----------
    study : Study
    settings : callable
        The settings with which a feature is mapped.
    features : callable
        Names of features to offer for a modality.

    Attributes
    ----------
    widget : VBox
    viewer : SliceViewer or None
    """

    def __init__(self, study: Study, settings: Callable[[], RadiomicsSettings],
                 features: Callable[[str], tuple[str, ...]]) -> None:
        self._study, self._settings, self._features = study, settings, features
        self._images = images_of(study)
        self._identifiers = study.identifiers()
        self.viewer: SliceViewer | None = None
        self._image: StudyImage | None = None
        self._choosing = False
        self.patient = ipywidgets.Dropdown(description=text("patient_choice"), options=list(self._images))
        self.image = ipywidgets.Dropdown(description=text("image"))
        self.fusion = ipywidgets.Dropdown(description=text("fusion"))
        self.roi = ipywidgets.Dropdown(description="ROI")
        self.lesion = ipywidgets.Dropdown(description=text("lesion"), layout={"display": "none", "width": "auto"})
        self.back, self.forth = _button("previous_patient", "arrow-left"), _button("next_patient", "arrow-right")
        self.open = _button("show_images", "eye")
        self.surface = _button("show_surface", "cube")
        self.status = ipywidgets.HTML()
        self.place, self.output = ipywidgets.VBox(), ipywidgets.Output()
        self.map = MapTool(self)
        first = ipywidgets.HBox([self.back, self.patient, self.forth, self.image, self.fusion, self.open],
                                layout={"flex_flow": "row wrap"})
        second = ipywidgets.HBox([self.roi, self.surface, *self.map.controls], layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([first, self.lesion, self.status, self.place, second, self.output])
        self._listen()
        self._choose_patient()

    def _listen(self) -> None:
        self.patient.observe(lambda _: self._choose_patient(), "value")
        self.image.observe(lambda _: self._choose_image(), "value")
        self.fusion.observe(lambda _: self._again(), "value")
        self.roi.observe(lambda _: self._go_to_roi(), "value")
        self.lesion.observe(lambda change: self._go_to_lesion(change["new"]), "value")
        self.open.on_click(lambda _: self.show())
        self.surface.on_click(lambda _: self._show_surface())
        self.back.on_click(lambda _: self._step(-1))
        self.forth.on_click(lambda _: self._step(1))

    @property
    def chosen(self) -> StudyImage | None:
        """The image that is chosen, as the study had it when it was looked at last."""
        return self._as_read(self.image.value)

    def show(self) -> None:
        """Open what is chosen, in place of what is open."""
        self._images = images_of(self._study)  # a ROI may have been saved since
        image = self.chosen
        if image is None:
            return
        self.close_viewer()
        self._offer_rois(image)
        try:
            self.viewer = open_viewer(image, self._as_read(self.fusion.value), height=_HEIGHT)
        except MedomicsError as error:
            self.say(str(error), fault=True)
            return
        self._image = image
        self.place.children = (self.viewer,)
        self.say("")
        self._go_to_roi()

    def close_viewer(self) -> None:
        """Free what is open."""
        self.map.cancel()
        self.place.children = ()
        if self.viewer is not None:
            self.viewer.close()
        self.viewer = self._image = None
        self.output.outputs = ()

    def offer_lesions(self, rows: Sequence[Mapping[Any, Any]], id_column: str) -> None:
        """Let the lesions of a run be opened.

        Parameters
        ----------
        rows : sequence of mappings
            The run's table ``lesions``.
        """
        options: list[tuple[str, Any]] = [(text("lesion_choice"), None)]
        options += [(f"{row[id_column]} · {row['modality']} · {row['roi']} · {row['volume_ml']:.3g} ml",
                     (str(row[id_column]), str(row["modality"]), str(row["roi"]), day_of(row["date"])))
                    for row in rows]
        self.lesion.options = options
        self.lesion.layout.display = "" if rows else "none"

    def say(self, words: str, *, fault: bool = False) -> None:
        """A line for the person who looks."""
        clean = escape(scrub(words, self._identifiers))
        self.status.value = f'<span role="status" class="{"mlab-fault" if fault else ""}">{clean}</span>'

    def roi_volumes(self) -> tuple[Volume, Volume] | None:
        """The chosen image and its chosen ROI, loaded anew; None where there is no ROI.

        Raises
        ------
        DataError
        """
        image, row = self.chosen, self.roi.value
        if image is None or row is None:
            return None
        volume = image.load()
        return volume, image.mask(row, volume)

    def features(self) -> tuple[str, ...]:
        """Features to offer for the chosen image."""
        return () if self.chosen is None else self._features(self.chosen.modality)

    def settings(self) -> RadiomicsSettings:
        return self._settings()

    def _as_read(self, image: StudyImage | None) -> StudyImage | None:
        """The image among those that were read last."""
        if image is None:
            return None
        return next((one for one in self._images.get(image.key[0], []) if one.key == image.key), None)

    def _choose_patient(self) -> None:
        self._images = images_of(self._study)
        images = self._images.get(self.patient.value or "", [])
        _offer(self.image, [(one.label, one) for one in images])
        order = list(self.patient.options)
        place = order.index(self.patient.value) if self.patient.value in order else 0
        self.back.disabled, self.forth.disabled = place == 0, place >= len(order) - 1
        self.open.disabled = not images

    def _choose_image(self) -> None:
        image = self.chosen
        others = [] if image is None else [one for one in self._images[image.key[0]] if one is not image]
        _offer(self.fusion, [(text("no_overlay"), None), *((one.label, one) for one in others)])
        self._offer_rois(image)
        self.map.offer()
        self._again()

    def _offer_rois(self, image: StudyImage | None) -> None:
        """The image's ROIs; the one that is chosen stays so where it is among them."""
        before = self.roi.value
        options = [] if image is None else [(str(row["roi"]), row) for row in image.rois]
        _offer(self.roi, options)
        same = [place for place, (_, row) in enumerate(options) if before is not None
                and all(row[name] == before[name] for name in _NAMES_ROI)]
        if same:
            self.roi.index = same[0]
        self.surface.disabled = self.map.start_button.disabled = not options

    def _again(self) -> None:
        """What is open follows what is chosen."""
        if self.viewer is not None and not self._choosing:
            self.show()

    def _step(self, by: int) -> None:
        order = list(self.patient.options)
        self.patient.value = order[max(0, min(len(order) - 1, order.index(self.patient.value) + by))]

    def _go_to_roi(self) -> None:
        if self.viewer is None or self.roi.value is None or self._image is not self.chosen:
            return
        found = next((one["box"] for one in self.viewer.rois if one["name"] == self.roi.value["roi"]), None)
        if found is not None:
            self.viewer.jump([low + size // 2 for low, size in zip(found[:3], found[3:], strict=True)])

    def _go_to_lesion(self, wanted: tuple[str, str, str, str] | None) -> None:
        if wanted is None:
            return
        patient, modality, roi, day = wanted
        self._images = images_of(self._study)
        fitting = [one for one in self._images.get(patient, []) if (one.modality, one.day) == (modality, day)
                   and any(row["roi"] == roi for row in one.rois)]
        if not fitting:
            self.say(text("lesion_not_found"), fault=True)
            return
        self._choosing = True  # opened once, when all is chosen
        try:
            self.patient.options = tuple(self._images)
            self.patient.value = patient
            self._choose_patient()
            self.image.value = next(one for _, one in self.image.options if one.key == fitting[0].key)
            self.roi.value = next(row for _, row in self.roi.options if row["roi"] == roi)
        finally:
            self._choosing = False
        self.show()

    def _show_surface(self) -> None:
        import json

        try:
            found = self.roi_volumes()
            if found is None:
                return
            figure = surface_figure({scrub(str(self.roi.value["roi"]), self._identifiers): found[1]})
        except MedomicsError as error:
            self.say(str(error), fault=True)
            return
        bundle = {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}
        self.output.outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)


class MapTool:
    """The map of a feature, computed by a thread and shown over the image."""

    def __init__(self, tools: ImageTools) -> None:
        self._tools = tools
        self._stop = threading.Event()
        self.feature = ipywidgets.Combobox(placeholder=text("show_map"), layout={"width": "340px"},
                                           continuous_update=False)
        self.start_button, self.stop_button = _button("show_map", "map"), _button("cancel", "stop")
        self.stop_button.disabled = True
        self.start_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.cancel())
        self.controls = (self.feature, self.start_button, self.stop_button)
        self._thread: threading.Thread | None = None

    def offer(self) -> None:
        """Features of the chosen image."""
        names = self._tools.features()
        self.feature.options = names
        self.feature.value = names[0] if names else ""

    def start(self) -> None:
        """Compute in a thread; the notebook stays usable."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._tools.viewer is None:
            self._tools.show()
        self._stop.clear()
        self.start_button.disabled, self.stop_button.disabled = True, False
        self._thread = threading.Thread(target=self._compute, args=(self.feature.value,), daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        self._stop.set()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _compute(self, feature: str) -> None:
        tools, viewer = self._tools, self._tools.viewer
        try:
            found = tools.roi_volumes()
            if found is None or viewer is None or tools.chosen is None:
                return
            progress = Progress([self._follow], self._stop.is_set)
            local = feature_map(*found, feature, tools.settings(), modality=tools.chosen.modality, progress=progress)
            shown = Volume.of_image(local, frame_of_reference=found[0].frame_of_reference)
            if viewer is tools.viewer:  # otherwise another image was opened meanwhile
                viewer.add_overlay(shown, feature)
                tools.say(text("feature_map_done", feature=feature))
        except MedomicsError as error:
            tools.say(text("feature_map_cancelled") if self._stop.is_set() else str(error),
                      fault=not self._stop.is_set())
        finally:
            self.start_button.disabled, self.stop_button.disabled = False, True

    def _follow(self, event: Event) -> None:
        if not event.finished:
            self._tools.say(text("feature_map_running", done=event.done, total=event.total or "?"))


def _offer(choice: ipywidgets.Dropdown, options: list[tuple[str, Any]]) -> None:
    """New options, the first of which is chosen: a dropdown that was empty would choose none."""
    choice.options = options
    choice.index = 0 if options else None


def _button(key: str, icon: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=text(key), icon=icon, tooltip=text(key), layout={"width": "auto"})
