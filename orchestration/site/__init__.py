"""The weekly report as a static site: pages for readers who never open a terminal, written from the published copy alone.

Belongs here: what a page shows, charts, templates, writing the folder. Everything on a page comes out of `api`, so that a reader with SQL
finds the same figures.
Does not: figures that no view holds (they belong into `dbt_project/models/api`), publishing (`orchestration/lib/publishing.py`).
"""

SITE = "site"
"""Folder of the pages beside the published copy."""
