"""Models, grades, calls and their evaluation as assets."""
