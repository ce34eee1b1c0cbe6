"""Tables of the site: what is left out, what has a tone, what is said where there is nothing."""

import pytest

from orchestration.site.formats import change
from orchestration.site.tables import Column, sign, table

COLUMNS = [
    Column("Token", "symbol"),
    Column("Return", "return", change, is_number=True, tone=sign),
    Column("Why", "why"),
]


def of_rows(*rows, **settings):
    return table("made", "Returns.", rows, COLUMNS, **settings)


def test_a_column_of_which_nothing_is_known_is_left_out_and_one_known_once_stays():
    unknown = of_rows({"symbol": "A", "return": None, "why": ""}, {"symbol": "B", "return": float("nan"), "why": None})
    known_once = of_rows({"symbol": "A", "return": None, "why": ""}, {"symbol": "B", "return": 0.0, "why": None})

    assert unknown.heads == [("Token", False)]
    assert [len(row) for row in unknown.rows] == [1, 1]
    assert known_once.heads == [("Token", False), ("Return", True)]
    assert [row[1].text for row in known_once.rows] == ["–", "0.0 %"]  # noqa: RUF001 - the site's dash


def test_the_first_column_stays_whatever_it_holds():
    assert of_rows({"symbol": None, "return": 0.1, "why": ""}).heads == [("Token", False), ("Return", True)]


@pytest.mark.parametrize(
    ("value", "tone"), [(0.01, "good"), (-0.01, "bad"), (0.0001, ""), (-0.0001, ""), (0.0, ""), (None, "")]
)
def test_what_rounds_to_zero_is_neither_good_nor_bad(value, tone):
    made = of_rows({"symbol": "A", "return": value, "why": "x"}, {"symbol": "B", "return": 1.0, "why": "x"})

    classes = made.rows[0][1].classes.split()

    assert [each for each in classes if each in ("good", "bad")] == ([tone] if tone else [])


def test_an_empty_table_says_so_in_its_own_words_or_in_general():
    assert of_rows(none="Nobody entered.").caption == "Nobody entered."
    assert of_rows().caption == "Returns. Nothing to show."
