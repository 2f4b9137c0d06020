"""Line charts as SVG, readable on white and on dark pages: they bring their own white ground."""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

_WIDTH: Final = 720
_HEIGHT: Final = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 64, 48
_COLOURS: Final = ("#c0392b", "#1f5fa8", "#2e7d32", "#8e5ea2", "#b26a00", "#444444")
_DASHES: Final = ("none", "none", "6 3", "2 3", "8 3 2 3", "4 4")


def line_chart(title: str, x_label: str, y_label: str, series: Mapping[str, Points]) -> str:
    """Draw one line for each series, or a dot for one of a single point, from zero on both axes."""
    x_ticks = _ticks(max((x for points in series.values() for x, _ in points), default=1.0))
    y_ticks = _ticks(max((y for points in series.values() for _, y in points), default=1.0))

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * x / x_ticks[-1], 1),
            round(_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * y / y_ticks[-1], 1),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for x in x_ticks:
        left, top = at(x, 0)
        parts.append(f'<text x="{left}" y="{top + 18}" text-anchor="middle">{x:g}</text>')
    for y in y_ticks:
        left, top = at(0, y)
        parts.append(f'<path d="M{left} {top}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{top + 4}" text-anchor="end">{y:g}</text>')
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(y_label)}</text>'
    )
    left = float(_LEFT)
    for number, (name, points) in enumerate(series.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
        where, dots = [at(x, y) for x, y in points], len(points) == 1
        if dots:
            parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in where]
        else:
            line = " ".join(f"{x},{y}" for x, y in where)
            style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
            parts.append(f'<polyline points="{line}" {style}/>')
        key = f'stroke="{colour}" stroke-width="{8 if dots else 2}" stroke-dasharray="{"none" if dots else dash}"'
        parts.append(f'<path d="M{left} 42h{8 if dots else 24}" {key}/>')
        left += 16 if dots else 32
        parts.append(f'<text x="{left:.0f}" y="46">{escape(name)}</text>')
        left += 7 * len(name) + 16
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ticks(most: float) -> list[float]:
    """Return about five round numbers from zero to ``most`` or just above."""
    most = most or 1.0
    rough = most / 5
    magnitude: float = 10 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * (1 - 1e-9))
    return [round(step * number, 10) for number in range(math.ceil(most / step - 1e-9) + 1)]
