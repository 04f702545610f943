"""Volumes and ROIs in 3D: plotly's surfaces of ROIs, or, as extras, the viewers of ipyniivue and itkwidgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medomicslab_nb.errors import DataError, MissingExtraError, SettingsError
from medomicslab_nb.imaging.surface_mesh import MOST_TRIANGLES, surface_of
from medomicslab_nb.imaging.three_planes import COLOURS
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.views.language import text


def show_volume(image: Volume, rois: Mapping[str, Volume] | None = None, *, backend: str = "plotly") -> Any:
    """An image with its ROIs in 3D.

    Parameters
    ----------
    image : Volume
    rois : mapping of name to Volume
        Masks on the image's grid.
    backend : {"plotly", "niivue", "itk"}
        ``plotly`` draws the surfaces of the ROIs and needs nothing else; ``niivue`` (extra ``viewer3d``) planes and
        volume rendering; ``itk`` (extra ``itk``) too, but it loads its program from the internet.

    Returns
    -------
    Figure or widget
        What a notebook's cell shows.

    Raises
    ------
    SettingsError
        There is no such backend.
    MissingExtraError
        It is not installed.
    DataError
        No ROI, or an empty one, for plotly.
    """
    if backend not in _BACKENDS:
        raise SettingsError(f"there is no backend '{backend}'", todo=f"Choose one of {', '.join(_BACKENDS)}")
    return _BACKENDS[backend](image, rois or {})


def surface_figure(rois: Mapping[str, Volume]) -> Any:
    """Surfaces of ROIs as a plotly figure in mm, all together of at most 40,000 triangles.

    Raises
    ------
    DataError
        There is no ROI, or one is empty.
    """
    from plotly import graph_objects as go

    if not rois:
        raise DataError("there is no ROI to draw", where="surface", todo="Choose an image with a ROI")
    figure = go.Figure([_mesh(go, name, mask, COLOURS[place % len(COLOURS)], MOST_TRIANGLES // len(rois))
                        for place, (name, mask) in enumerate(rois.items())])
    axes = {axis: {"title": {"text": title}, "showspikes": False}
            for axis, title in (("xaxis", "R-L, mm"), ("yaxis", "A-P, mm"), ("zaxis", "I-S, mm"))}
    figure.update_layout(scene={**axes, "aspectmode": "data", "camera": {"eye": {"x": 0.6, "y": -1.7, "z": 0.6}}},
                         margin={"l": 0, "r": 0, "t": 8, "b": 0}, height=460, showlegend=True)
    return figure


def _mesh(go: Any, name: str, mask: Volume, colour: str, most: int) -> Any:
    found = surface_of(mask, most)
    (x, y, z), (i, j, k) = found.vertices.astype("float32").T, found.triangles.astype("int32").T
    return go.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, color=colour, name=name, showlegend=True,
                     hoverinfo="name", lighting={"ambient": 0.5, "diffuse": 0.7, "specular": 0.2})


def _plotly(_: Volume, rois: Mapping[str, Volume]) -> Any:
    return surface_figure(rois)


def _niivue(image: Volume, rois: Mapping[str, Volume]) -> Any:
    try:
        from ipyniivue import NiiVue
    except ImportError:
        raise MissingExtraError("showing volumes with ipyniivue", "viewer3d") from None
    shown = NiiVue(back_color=[0, 0, 0, 1])
    masks = [{"data": _nifti(mask), "name": f"{name}.nii.gz", "colormap": "red", "opacity": 0.4}
             for name, mask in rois.items()]
    shown.load_volumes([{"data": _nifti(image), "name": "image.nii.gz"}, *masks])
    return shown


def _nifti(volume: Volume) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii.gz"
        write_volume(volume, path)
        return path.read_bytes()


def _itk(image: Volume, _: Mapping[str, Volume]) -> Any:
    """Says first that it asks other servers for its program."""
    from IPython.display import display

    display({"text/plain": text("surface_network")}, raw=True)  # type: ignore[no-untyped-call]
    try:
        import itkwidgets
    except ImportError:
        raise MissingExtraError("showing volumes with itkwidgets", "itk") from None
    return itkwidgets.view(image.to_image())


_BACKENDS: dict[str, Callable[[Volume, Mapping[str, Volume]], Any]] = {"plotly": _plotly, "niivue": _niivue,
                                                                       "itk": _itk}
