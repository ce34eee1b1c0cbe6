"""How the figures are made, in short, and the full methodology of every index."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.site.formats import file_name
from orchestration.site.pages import Page
from orchestration.site.reading import Published


def methodology(copy: Published) -> Iterator[Page]:
    """The page in short, and one an index."""
    documents = copy.rows(
        """select index_id, version, document from api.index_methodology where is_in_force and document is not null order by index_id"""
    )
    names = {row["index_id"]: row["name"] for row in copy.rows("select index_id, name from api.indices")}
    yield Page(
        path="methodology.html",
        title="Methodology",
        template="methodology.html",
        section="Methodology",
        context={
            "documents": [
                {
                    "name": names.get(row["index_id"], row["index_id"]),
                    "version": row["version"],
                    "path": f"methodology/{file_name(row['index_id'])}.html",
                }
                for row in documents
            ],
            "versions": sorted(copy.manifest.model_versions.items()),
        },
    )
    for row in documents:
        yield Page(
            path=f"methodology/{file_name(row['index_id'])}.html",
            title=f"{names.get(row['index_id'], row['index_id'])}: methodology",
            template="document.html",
            section="Methodology",
            context={"document": row["document"], "index_path": f"indices/{file_name(row['index_id'])}.html"},
        )
