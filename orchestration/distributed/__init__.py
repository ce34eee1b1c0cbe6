"""What runs in several processes need besides settings: Dagster's instance on Postgres, and jobs that a process can load by name.

Belongs here: `dagster.yaml` of such an instance, and the jobs. Does not: what a step does, which is the same in one process.
"""
