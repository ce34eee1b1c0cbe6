"""The lexicon of crypto: what is in it, and which files are refused."""

import pytest

from models_ml.sentiment.lexicon import KINDS, lexicon, parse_lexicon

HEADER = "kind,term,valence\n"


def test_the_file_is_read_with_valences_within_four():
    entries = lexicon()

    assert {entry.kind for entry in entries} == set(KINDS)
    assert all(-4 <= entry.valence <= 4 for entry in entries)
    assert len({entry.term for entry in entries}) == len(entries) > 700


@pytest.mark.parametrize(
    ("term", "is_good"),
    [
        *((term, True) for term in ("moon", "hodl", "bullish", "listing", "ath", "to the moon", "🚀")),
        *((term, False) for term in ("rekt", "rug", "dump", "hack", "exploit", "bearish", "rug pull", "📉")),
    ],
)
def test_the_words_of_the_field_have_the_sign_of_their_use(term, is_good):
    valence = {entry.term: entry.valence for entry in lexicon()}[term]

    assert (valence > 0) is is_good


def test_no_two_phrases_differ_in_hyphens_only():
    phrases = [entry.term.replace("-", " ") for entry in lexicon() if entry.kind == "phrase"]

    assert len(set(phrases)) == len(phrases)


def test_a_malformed_file_is_refused_with_all_its_problems():
    text = HEADER + "\n".join(
        [
            "word,moon,2",
            "word,moon,3",
            "noun,cat,1",
            "word,Upper,1",
            "word,two words,1",
            "phrase,one,1",
            "word,far,4.5",
            "word,odd,x",
        ]
    )

    with pytest.raises(ValueError, match="sentiment lexicon") as error:
        parse_lexicon(text)

    message = str(error.value)
    for part in (
        *(
            "line 3: 'moon' stands twice",
            "line 4: kind 'noun'",
            "line 5: term 'Upper'",
            "line 6: 'two words' is a phrase",
        ),
        *("line 7: 'one' is a word", "line 8: valence 4.5", "line 9: valence 'x'"),
    ):
        assert part in message
