"""`make doctor`: what is wrong with the machine, the data folder and the settings, found without writing anything.

    finding.py    what a check says, and what it looks at
    machine.py    Python, packages, dbt's picture of the project, DuckDB, memory, clock
    folder.py     kind, rights, file system, disk, lock
    contents.py   warehouse, published copy, models, landed files, runs
    service.py    settings, sources, alerts, schedules

Belongs here: checks, one small function each. Does not: printing (`commands_doctor.py`), mending.
"""
