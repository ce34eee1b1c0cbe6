from orchestration.lib.attribution import ATTRIBUTION
from orchestration.source_reference import PAGE, page
from orchestration.sources.datasets import DATASETS


def test_the_page_of_sources_is_what_the_registries_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run make source-reference"


def test_every_provider_of_a_dataset_has_its_attribution():
    own_records = {"published_indices", "reference"}

    assert {source for source, _ in DATASETS} - own_records <= set(ATTRIBUTION)
