# ruff: noqa: RUF001 - letters that look alike are what this is about

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.alerts.text import plain


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("@everyone", "\uff20everyone"),
        ("\uff20here", "\uff20here"),
        ("<!channel>", "‹!channel›"),
        ("<@U012AB3CD>", "‹\uff20U012AB3CD›"),
        ("[Claim](https://evil.example/x)", "(Claim)(https //evil·example/x)"),
        ("yearn.finance", "yearn·finance"),
        ("0.5 %", "0.5 %"),
        ("**bold** _sly_ `code`", "∗∗bold∗∗ sly 'code'"),
        ("ai_top100", "ai_top100"),
        ("a\nb\r\n- c\x00d", "a b - c d"),
        ("\u202egnirts", "gnirts"),
        ("a\u200bb", "ab"),
        ("Z" + "\u0335" * 40, "Z\u0335"),
        ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
        ("&lt;!here&gt;", "\uff06lt;!here\uff06gt;"),
    ],
)
def test_mentions_links_and_markup_become_text(hostile, shown):
    assert plain(hostile) == shown


def test_a_name_of_ten_thousand_letters_is_cut():
    assert plain("x" * 10_000, longest=80) == "x" * 79 + "…"


@given(st.text(max_size=40))
def test_whatever_comes_nothing_in_it_can_mean_something(text):
    shown = plain(text)

    assert not set(shown) & set("@#&<>[]{}*~`|\\\n\r")
    assert "://" not in shown
    assert all(unicodedata.category(letter)[0] != "C" for letter in shown)
    assert len(shown) <= 300
