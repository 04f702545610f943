import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.laterality import find


def sides(text, language):
    return [found.value for found in sorted(find(Note(text, language)), key=lambda found: found.start)]


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "sein gauche, rein D, lobe sup G, cœur droit", ["left", "right", "left", "right"]),
    ("fr", "épanchement à droite et à gauche", ["right", "left"]),
    ("en", "She had left breast cancer and a right nephrectomy", ["left", "right"]),
    ("en", "bilateral lung nodules", ["bilateral"]),
    ("fr", "ADÉNOPATHIES AXILLAIRES BILATÉRALES", ["bilateral"]),
    ("en", "findings were right lower quadrant pain", ["right"]),
    ("en", "left-sided weakness", ["left"]),
])
def test_sides(language, text, values):
    assert sides(text, language) == values


@pytest.mark.parametrize(("language", "text"), [
    ("en", "He left the hospital right away."), ("en", "The wound was left open."), ("en", "a shift to the left"),
    ("en", "She is right-handed."), ("en", "No tumour was left."), ("fr", "droit d'auteur"),
    ("fr", "muscle grand droit"), ("fr", "lésion du grand droit de l'abdomen"), ("fr", "vitamine D 20 000 UI"),
])
def test_what_is_no_side(language, text):
    assert sides(text, language) == []
