import re

import pytest
from hypothesis import given, strategies

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern


@pytest.mark.parametrize(("text", "fr", "en"), [
    ("12,5", "12.5", "12.5"), ("0.04", "0.04", "0.04"), ("0,040", "0.04", "0.04"), ("1,250", "1.25", "1250"),
    ("1 250", "1250", "1250"), ("12 500,5", "12500.5", "12500.5"), ("1'250", "1250", "1250"),
    ("1.250", "1.25", "1.25"), ("1,250.5", "1250.5", "1250.5"), ("1.250,5", "1250.5", "1250.5"),
    ("1.250.000", "1250000", "1250000"), ("1,250,000", "1250000", "1250000"), (".5", "0.5", "0.5"), ("007", "7", "7"),
    ("3.0", "3", "3"), ("100", "100", "100"), ("0", "0", "0"), ("12.03.2021", None, None), ("3,4,5", None, None),
    ("1.250,5,2", None, None), ("", None, None), ("abc", None, None), ("1250,500", "1250.5", "1250.5"),
])
def test_what_a_number_is_worth(text, fr, en):
    assert number(text, "fr") == fr
    assert number(text, "en") == en


@pytest.mark.parametrize(("text", "found"), [
    ("PSA à 1 250,5 ng/mL", ["1 250,5"]), ("le 12.03.2021", ["12.03.2021"]), ("3, 4 et 5", ["3", "4", "5"]),
    ("de 12500 à 1\u202f250", ["12500", "1 250"]), ("en 2019 250 U", ["2019", "250"]), ("10x5", ["10", "5"]),
    ("soit 4.", ["4"]), ("p=.05", [".05"]), ("1 2500", ["1", "2500"]),
])
def test_where_numbers_stand(text, found):
    assert re.findall(NUMBER, fold(text).folded) == found


@pytest.mark.parametrize(("text", "value"), [
    ("thirty-one", "31"), ("one hundred and sixty", "160"), ("two thousand five hundred", "2500"), ("eleven", "11"),
    ("quatre-vingt-dix-sept", "97"), ("soixante et onze", "71"), ("deux cents", "200"), ("mille deux cent", "1200"),
])
def test_numbers_in_words(text, value):
    assert re.fullmatch(spoken_pattern(), text)
    assert number(text, "fr") == number(text, "en") == value


def test_an_article_is_no_number():
    assert not re.search(spoken_pattern(), "un nodule, une masse, one of them")


@pytest.mark.parametrize(("value", "factor", "product"), [("3.2", 10, "32"), ("0.04", "1000", "40"), ("25", "1", "25"),
                                                          ("1.25", "0.1", "0.125"), ("100", 10, "1000")])
def test_scaled(value, factor, product):
    assert scaled(value, factor) == product


@given(strategies.decimals(min_value=0, max_value=10**7, places=3))
def test_a_number_in_any_way_of_writing_is_the_same(value):
    plain = scaled(f"{value:f}", 1)
    assert number(f"{value:,.2f}0", "en") == scaled(f"{value:.2f}", 1)
    assert number(f"{value:f}".replace(".", ","), "fr") == plain
    assert number(f"{value:,.3f}".replace(",", " ").replace(".", ","), "fr") == plain
