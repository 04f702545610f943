import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.pdl1 import find


@pytest.mark.parametrize(("language", "text", "said"), [
    ("fr", "PD-L1 TPS à 80 %", [("80", "TPS")]), ("en", "PD-L1 (22C3) TPS 60%", [("60", "TPS")]),
    ("en", "PD-L1 (28-8): 2 %", [("2", "")]), ("en", "CPS 10", [("10", "CPS")]), ("fr", "PD-L1 < 1 %", [("1", "<")]),
    ("fr", "PDL1 négatif", [("negative", "")]), ("en", "PD-L1 positive", [("positive", "")]),
    ("fr", "PD-L1 positif (TPS 70 %, CPS 75)", [("70", "TPS"), ("75", "CPS")]),
    ("en", "no PD-L1 expression", [("negative", "")]),
    ("en", "PD-L1 TPS one per cent", [("1", "TPS")]), ("en", "high PD-L1 expression (TPS 90%)", [("90", "TPS")]),
    ("en", "PD-L1 0, ALK negative", [("0", "")]), ("fr", "CPS supérieur à 10", [("10", "CPS >")]),
    ("en", "PD-L1 TPS 5 % on the biopsy, 40 % on the lobe", [("5", "TPS"), ("40", "TPS")]),
    ("en", "TPS/CPS 30%/35", [("30", "TPS"), ("35", "CPS")]), ("en", "PD-L1 cut-off of 50 %", []),
    ("en", "regardless of PD-L1 expression", []), ("fr", "PD-L1 1 %, cellularité 60 %", [("1", "")]),
    ("fr", "anti-PD-L1", []), ("en", "PD-L1 inhibitor", []), ("en", "PD-L1 testing is pending", []),
    ("fr", "pembrolizumab si PD-L1 ≥ 50 %", []),
])
def test_scores(language, text, said):
    assert [(found.value, found.qualifier) for found in find(Note(text, language))] == said
