"""The project as a service: Dagster's daemon, its UI and a code server under one process in the foreground, `make serve`.

`supervisor.py` keeps the three alive and ends them; `children.py` starts and kills processes; `health.py` asks how they are;
`notify.py` tells systemd. `tidemark.service` and `Containerfile` are the two ways to install it (docs/how-to/serve.md).
"""
