"""Alerts: what changed with the newest published week, and what went wrong, told through apprise.

Belongs here: which events there are, who is told of which, templates, the journal that keeps an event from being told twice, sending.
Does not: figures that no view holds (they belong into `dbt_project/models/api`), when alerts are told (`orchestration/defs/automation`).
"""
