"""What a data folder remembers of itself."""

from datetime import date

from orchestration.lib.data_folder import DataFolder


def test_a_folder_has_no_history_until_it_came_whole(tmp_path):
    folder = DataFolder(tmp_path / "data")
    assert not folder.has_history()

    folder.claim("real", start_date=date(2025, 1, 5))
    assert not folder.has_history()  # claimed, then killed

    folder.remember_history()
    folder.remember_history()
    assert folder.has_history()
    assert (folder.kind(), folder.start_date()) == ("real", date(2025, 1, 5))
