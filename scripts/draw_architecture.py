"""Draw the two pictures of docs/ARCHITECTURE.md: the layers, and one search.

    python scripts/draw_architecture.py

writes docs/images/layers.svg and docs/images/refine.svg.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "docs" / "images"
INK, PAPER, BOX, STRONG = "#1f2933", "#ffffff", "#eef2f6", "#d7e3f0"
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'width="{width}" height="{height}" font-family="sans-serif" font-size="14" fill="{ink}" '
    'role="img">\n'
    "<title>{title}</title>\n"
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="{ink}"/></marker></defs>\n'
    '<rect width="100%" height="100%" fill="{paper}"/>\n'
)


class Picture:
    """Boxes with words, and arrows between them.

    Args:
        width: in pixels.
        height: in pixels.
        title: what a screen reader says.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            HEAD.format(width=width, height=height, ink=INK, paper=PAPER, title=escape(title))
        ]

    def box(
        self, x: int, y: int, width: int, height: int, *lines: str, strong: bool = False
    ) -> None:
        """A box; its first line is bold."""
        fill = STRONG if strong else BOX
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
            f'stroke="{INK}"/>\n'
        )
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            weight = ' font-weight="bold"' if number == 0 else ' font-size="12"'
            self._parts.append(
                f'<text x="{x + width / 2:g}" y="{top + 18 * number:g}" '
                f'text-anchor="middle"{weight}>{escape(line)}</text>\n'
            )

    def arrow(
        self, *points: tuple[int, int], label: str = "", at: tuple[int, int] = (0, 0)
    ) -> None:
        """An arrow along points, with words at a place."""
        path = "L".join(f"{x} {y}" for x, y in points)
        self._parts.append(
            f'<path d="M{path}" fill="none" stroke="{INK}" stroke-width="1.4" '
            'marker-end="url(#tip)"/>\n'
        )
        if label:
            self._parts.append(
                f'<text x="{at[0]}" y="{at[1]}" text-anchor="middle" font-size="12">'
                f"{escape(label)}</text>\n"
            )

    def write(self, name: str) -> None:
        """Write the picture into the folder of images."""
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / name).write_text("".join([*self._parts, "</svg>\n"]), encoding="utf-8")


def layers() -> None:
    """Which package may import which: what lies below, and nothing else."""
    picture = Picture(760, 430, "The packages in layers; each imports only what lies below it")
    picture.box(20, 20, 470, 50, "deepdiva.cli", "commands: options in, tables and JSON out")
    picture.box(505, 20, 235, 50, "deepdiva.app", "the page: server, queue, notes")
    picture.arrow((490, 45), (503, 45))
    picture.box(
        20,
        95,
        720,
        50,
        "deepdiva.pipeline",
        "match, predict, train, evaluate: from sounds to results",
    )
    picture.box(
        20, 170, 720, 50, "deepdiva.evaluation", "metrics, methods, runs, statistics, reports"
    )
    picture.box(20, 245, 230, 60, "deepdiva.search", "strategies, stages, the loop")
    picture.box(265, 245, 230, 60, "deepdiva.models", "networks, training, predictors")
    picture.box(510, 245, 230, 60, "deepdiva.data", "corpora, test sets")
    picture.box(
        20, 330, 720, 80, "the core: deepdiva",
        "parameters, space, note, audio, distance, renderer",
        "engine (embedded), hosts (plug-ins), synths/diva (what is Diva's)",
        strong=True,
    )  # fmt: skip
    for x in (135, 380, 625):
        picture.arrow((x, 70), (x, 93))
        picture.arrow((x, 145), (x, 168))
        picture.arrow((x, 220), (x, 243))
        picture.arrow((x, 305), (x, 328))
    picture.write("layers.svg")


def refine() -> None:
    """One search, from a recording to a preset."""
    picture = Picture(900, 440, "One search: ask, render, score, tell, until the budget is spent")
    picture.box(20, 20, 190, 60, "recording", "trimmed, cut to the note")
    picture.box(20, 120, 190, 60, "prior", "network, base preset, partials")
    picture.box(300, 120, 230, 60, "stage: a strategy", "search, halving, moves, CMA-ES",
                strong=True)  # fmt: skip
    picture.box(640, 120, 240, 60, "ParameterSpace", "points in [0, 1] to patches in units")
    picture.box(640, 220, 240, 60, "Renderer", "engine, or plug-ins in processes")
    picture.box(640, 320, 240, 60, "distance of the stage", "averaged spectra, levels, frames")
    picture.box(300, 220, 230, 60, "budget and journal", "counts, records, resumes")
    picture.box(20, 320, 190, 60, "result", "preset, preview, picture")
    picture.arrow((115, 80), (115, 118))
    picture.arrow((210, 50), (890, 50), (890, 350), (882, 350), label="target", at=(500, 42))
    picture.arrow((210, 150), (298, 150), label="begins", at=(254, 142))
    picture.arrow((530, 150), (638, 150), label="ask", at=(584, 142))
    picture.arrow((760, 180), (760, 218), label="patches", at=(792, 204))
    picture.arrow((760, 280), (760, 318), label="sounds", at=(790, 304))
    picture.arrow((640, 350), (585, 350), (585, 250), (532, 250), label="values", at=(612, 342))
    picture.arrow((415, 220), (415, 182), label="tell", at=(436, 206))
    picture.arrow((415, 280), (415, 350), (212, 350), label="best, when spent", at=(315, 342))
    picture.write("refine.svg")


if __name__ == "__main__":
    layers()
    refine()
