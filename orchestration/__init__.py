"""Everything that knows Dagster, a network or a disk: settings, sources, the sandbox, storage, definitions.

Domain code (features, models, indices, screens) lives in `models_ml` and never imports from here.
"""
