"""Speed as ratios measured side by side in one run; never a timed test.

Each module measures one claim against a plain alternative and returns rows for one table. Quality is measured by `make evaluate`.
"""
