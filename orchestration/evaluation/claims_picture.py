"""The picture of the audit of claims: a row a claim, its effect with the interval, coloured by verdict.

Belongs here: how the effects are drawn.
Does not: effects and verdicts (`claims.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.evaluation.claims import Finding

COLOURS = {"held": "#1a7f37", "held, too small to use": "#7aa95c", "not shown": "#6e7781", "refuted": "#cf222e"}
WIDEST = 13.0
"""Bounds beyond this many hundredths are cut, with an arrow; one wide interval would press all others together."""


def draw_effects(found: Sequence[Finding], path: Path) -> None:
    """Write a PNG of all claims whose effect has an interval, in the order of the page."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    drawn = [finding for finding in found if finding.effect.low is not None and finding.effect.high is not None]
    figure = Figure(figsize=(10, 0.42 * len(drawn) + 1.3), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for place, finding in enumerate(drawn):
        low, high = (100 * bound for bound in (finding.effect.low or 0.0, finding.effect.high or 0.0))
        colour = COLOURS[finding.verdict]
        axes.plot([max(low, -WIDEST), min(high, WIDEST)], [place, place], color=colour, linewidth=2.2)
        for bound, marker in ((low, "<"), (high, ">")):
            if abs(bound) > WIDEST:
                axes.plot(WIDEST if marker == ">" else -WIDEST, place, marker, color=colour, markersize=6)
        axes.plot(100 * finding.effect.estimate, place, "o", color=colour, markersize=6)
        matters = 100 * finding.claim.matters
        axes.plot([matters, matters], [place - 0.25, place + 0.25], color="black", linewidth=1)
    axes.set_yticks(range(len(drawn)), [finding.claim.name for finding in drawn], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(-WIDEST * 1.05, WIDEST * 1.05)
    axes.set_xlabel(
        "effect in the claim's direction, % of return (points, where the claim is about a share)", fontsize=9
    )
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25)
    handles = [Line2D([], [], color=colour, marker="o", label=name) for name, colour in COLOURS.items()]
    handles.append(
        Line2D([], [], color="black", marker="|", linestyle="", markersize=9, label="smallest effect that matters")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)
