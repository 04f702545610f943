"""From one row a value to one row a patient."""

from __future__ import annotations

import pandas as pd

from medomicslab_nb.radiomics.wide import column_names, values_of, widen

LONG = pd.DataFrame(
    [("P-2", "PT", "original", "glcm", "contrast", "3D, averaged", 1.0, 1.0),
     ("P-2", "PT", "original", "glcm", "contrast", "3D, merged", 2.0, 2.0),
     ("P-2", "PT", "original", "statistics", "kurtosis", "", 5.0, 2.0),
     ("P-1", "PT", "original", "statistics", "kurtosis", "", 6.0, 3.0),
     ("P-1", "PT", "log_1", "statistics", "total_energy", "", 7.0, float("nan"))],
    columns=["patient", "modality", "filter", "family", "feature", "aggregation", "value", "ibsi_value"])


def wide(definitions: str) -> pd.DataFrame:
    return widen(LONG.assign(column=column_names(LONG), wide=values_of(LONG, definitions)), ["patient"])


def test_columns_say_modality_filter_family_feature_and_aggregation() -> None:
    assert list(wide("ibsi").columns) == [
        "patient", "PT_original_glcm_contrast_3d_avg", "PT_original_glcm_contrast_3d_merged",
        "PT_original_statistics_kurtosis", "PT_log_1_statistics_total_energy"]


def test_one_row_a_patient_in_order_with_gaps_where_there_is_no_value() -> None:
    table = wide("ibsi")
    assert list(table["patient"]) == ["P-2", "P-1"]
    assert table["PT_original_glcm_contrast_3d_avg"].isna().tolist() == [False, True]


def test_ibsi_values_where_ibsi_has_one_or_the_librarys() -> None:
    assert wide("ibsi")["PT_original_statistics_kurtosis"].tolist() == [2.0, 3.0]
    assert wide("library")["PT_original_statistics_kurtosis"].tolist() == [5.0, 6.0]
    assert wide("ibsi")["PT_log_1_statistics_total_energy"].tolist()[1] == 7.0
