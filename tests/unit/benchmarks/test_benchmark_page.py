"""The page of the benchmarks: parts that are measured alone leave the others as they were."""

from benchmarks.page import with_parts

ORDER = ["First", "Second", "Third"]


def test_a_part_measured_alone_takes_its_place_and_leaves_the_others_word_for_word():
    before = with_parts("", {"First": ["one", "", "| a |"], "Third": ["three"]}, order=ORDER)

    after = with_parts(before, {"Second": ["two"]}, order=ORDER)
    again = with_parts(after, {"Second": ["2"]}, order=ORDER)

    assert [line for line in after.splitlines() if line.startswith("#")] == [
        "# Benchmarks",
        "## First",
        "## Second",
        "## Third",
    ]
    assert before.split("## Third")[0] == after.split("## Second")[0]
    assert before.split("## Third")[1] == after.split("## Third")[1]
    assert again == after.replace("two", "2")


def test_text_of_no_part_does_not_stay():
    page = "# Benchmarks\n\nwritten by hand\n\n## First\n\none\n\n## Gone\n\nold\n"

    assert with_parts(page, {}, order=ORDER) == "# Benchmarks\n\n## First\n\none\n"
