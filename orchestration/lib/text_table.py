"""A table in plain text, for the terminal.

Belongs here: columns as wide as their widest entry. Does not: what the rows say, Markdown (`metadata.py`).
"""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(headers: Sequence[str], rows: Sequence[Sequence[object]], *, left: Sequence[str] = ()) -> list[str]:
    """Lines of a table: header, rule, rows.

    Args:
        headers: Names of the columns.
        rows: Values; whole numbers get thousands separators.
        left: Columns of text, which stand left as the first one does; the others stand right.
    """
    texts = [tuple(f"{value:,}" if isinstance(value, int) else str(value) for value in row) for row in rows]
    widths = [max(len(row[column]) for row in (headers, *texts)) for column in range(len(headers))]
    is_left = [column == 0 or name in left for column, name in enumerate(headers)]
    lines = []
    for row in (tuple(headers), tuple("-" * width for width in widths), *texts):
        cells = [
            text.ljust(width) if stands_left else text.rjust(width)
            for text, width, stands_left in zip(row, widths, is_left, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
