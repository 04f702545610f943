"""Settings of radiomics: what excludes what."""

from __future__ import annotations

import pytest

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.radiomics.settings import RadiomicsSettings


def test_settings_with_a_parameter_file_are_read_again_from_all_their_fields() -> None:
    settings = RadiomicsSettings.parse({"parameter_file": "params.yaml"})
    again = RadiomicsSettings.parse(settings.model_dump(mode="json"))
    assert again.digest() == settings.digest()


@pytest.mark.parametrize("own", [{"preset": "plain"}, {"spacing": [1, 1, 1]}, {"interpolation": "spline"},
                                 {"range": [0, 1]}, {"outliers": 3}, {"bin_width": 5}, {"bin_count": 32}])
def test_parameter_file_excludes_what_it_brings(own: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="brings its own"):
        RadiomicsSettings.parse({"parameter_file": "params.yaml", **own})
