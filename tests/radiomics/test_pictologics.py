"""The engine pictologics: IBSI's reference values, and what it says where it is missing. Needs Python 3.12."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines import pictologics as engine
from medomicslab_nb.radiomics.engines.pictologics import measure
from medomicslab_nb.radiomics.nomenclature import nomenclature
from medomicslab_nb.radiomics.preprocessing import Preprocessing
from tests.radiomics.engine_cases import against_reference, anisotropic_roi, check_table, phantom, roi_of, value_of


def test_older_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 7, "final", 0))
    with pytest.raises(MissingExtraError) as error:
        measure(anisotropic_roi())
    assert "3.12" in str(error.value) and "pictologics" in str(error.value)


def test_compiled_kernels_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert engine._cache_folder() == tmp_path / "medomicslab_nb" / "numba"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert engine._cache_folder() == tmp_path / "own"


@pytest.fixture
def library():
    """The engine, its kernels compiled: minutes, where that was not done before."""
    if sys.version_info < (3, 12):
        pytest.skip("pictologics needs Python 3.12: run by make prove")
    if importlib.util.find_spec("pictologics") is None:  # importing it here would compile more than is needed
        pytest.skip("could not import 'pictologics'")
    engine.compile_kernels()


@pytest.mark.realdata
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("data_set", "matched"), [("digital_phantom", 167), ("ct_config_A", 72),
                                                   ("ct_config_C", 166), ("ct_config_D", 167)])
def test_ibsi_reference(library, real_data, data_set, matched):
    table = measure(phantom(real_data, data_set))
    check_table(table)
    assert against_reference(real_data, data_set, table) == (matched, matched, [])


@pytest.mark.timeout(900)
def test_every_name_of_the_nomenclature_is_measured(library):
    offered = nomenclature().query("pictologics != ''")
    table = measure(anisotropic_roi())
    check_table(table)
    assert set(zip(offered["family"], offered["feature"], strict=True)) == set(
        zip(table["family"], table["feature"], strict=True))
    assert set(table["aggregation"]) == {"", "3D", "3D, merged"}


@pytest.mark.timeout(900)
def test_anisotropic_voxels(library):
    # A box of 4 x 6 x 8 voxels of 1 x 1.5 x 3 mm.
    table = measure(anisotropic_roi())
    assert value_of(table, "volume_voxel_counting") == pytest.approx(4 * 9 * 24)
    assert value_of(table, "maximum_3d_diameter") == pytest.approx(np.sqrt(4**2 + 9**2 + 24**2), rel=0.1)
    variance = [(n**2 - 1) / 12 * edge**2 * n**3 / (n**3 - 1) for n, edge in ((8, 3.0), (6, 1.5), (4, 1.0))]
    lengths = [value_of(table, f"{name}_axis_length") for name in ("major", "minor", "least")]
    assert lengths == pytest.approx(4 * np.sqrt(variance), rel=0.01)


@pytest.mark.timeout(900)
def test_two_dimensions_have_no_texture(library):
    table = measure(anisotropic_roi(Preprocessing("2D")))
    check_table(table)
    assert set(table["aggregation"]) == {""}
    assert {"morphology", "statistics", "intensity_histogram"} <= set(table["family"])


@pytest.mark.timeout(900)
def test_filtered_images_have_no_shape(library):
    ready = anisotropic_roi()
    filtered = measure(ready.filtered(ready.image.array * 0.5 - 3, "mean"))
    check_table(filtered)
    assert "morphology" not in set(filtered["family"])
    assert value_of(filtered, "mean_intensity") == pytest.approx(value_of(measure(ready), "mean_intensity") / 2 - 3)


@pytest.mark.timeout(900)
def test_resegmentation_counts_for_intensity_and_not_for_shape(library):
    whole = measure(anisotropic_roi())
    part = measure(anisotropic_roi(Preprocessing(range=(40.0, 60.0))))
    for feature in ("volume_mesh", "volume_voxel_counting", "least_axis_length"):
        assert value_of(part, feature) == value_of(whole, feature)
    assert value_of(part, "minimum_intensity") >= 40 and value_of(part, "maximum_intensity") <= 60


@pytest.mark.timeout(900)
def test_grey_levels_that_start_above_one_are_told(library):
    bins = Preprocessing(discretisation=Discretisation("fixed_bin_size", 5.0), range=(-100.0, 200.0))
    table = measure(anisotropic_roi(bins))
    check_table(table)
    row = table[table["feature"] == "normalised_inverse_difference"].iloc[0]
    assert "grey levels" in row["deviation"]


@pytest.mark.timeout(900)
def test_measuring_twice_gives_the_same(library):
    ready = anisotropic_roi()
    assert measure(ready).equals(measure(ready))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("voxels", [(slice(5, 6), slice(4, 5), slice(3, 5)), (slice(5, 6), slice(4, 9), slice(3, 8)),
                                    (slice(5, 9), slice(4, 5), slice(3, 4))], ids=["two", "plane", "line"])
def test_tiny_rois_have_named_gaps(library, voxels):
    table = measure(roi_of(voxels))
    check_table(table)
    assert len(table) == len(measure(anisotropic_roi()))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("value", [7.0, 7.3])
def test_constant_roi_has_named_gaps(library, value):
    table = measure(anisotropic_roi(values=np.full((18, 24, 20), value)))
    check_table(table)
    assert value_of(table, "intensity_variance") == pytest.approx(0, abs=1e-9)


@pytest.mark.timeout(900)
def test_agrees_with_the_engine_mirp_where_both_are_installed(library):
    pytest.importorskip("mirp")
    from medomicslab_nb.radiomics.engines.mirp import measure as by_mirp

    keys = ["family", "feature", "aggregation"]
    both = measure(anisotropic_roi()).merge(by_mirp(anisotropic_roi()), on=keys)
    assert len(both) == 167
    assert np.allclose(both["value_x"], both["value_y"], rtol=0.02)
