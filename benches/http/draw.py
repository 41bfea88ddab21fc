"""Bars as SVG, readable on light and dark pages."""

from html import escape

WIDTH, ROW, LABEL = 760, 26, 250


def bars(title, rows):
    """`rows`: names and values, in the order in which they are drawn. Those of jwtgate stand out."""
    most = max((value for _, value in rows), default=1)
    height = 44 + ROW * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
           "<style>text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}.own{fill:#0969da}.other{fill:#8c959f}</style>",
           f'<text class="title" x="0" y="18">{escape(title)}</text>']
    for number, (name, value) in enumerate(rows):
        top = 34 + ROW * number
        length = max(1, value / most * (WIDTH - LABEL - 70))
        kind = "own" if name.startswith("jwtgate") else "other"
        out += [f'<text x="{LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(name.replace("`", ""))}</text>',
                f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{length:.1f}" height="{ROW - 8}" rx="2"/>',
                f'<text x="{LABEL + length + 6:.1f}" y="{top + 14}">{value:.1f}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"
