# SPDX-License-Identifier: MIT
"""A document of headings, sentences, tables and figures, written twice: as Markdown beside its images, and as one HTML page
that contains them."""
import html
import io
import re

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1d2430; background: #fff;
       max-width: 1120px; margin: 0 auto; padding: 24px 28px 80px; }
h1 { font-size: 30px; margin: 12px 0 4px; } h2 { font-size: 21px; margin: 44px 0 8px; border-bottom: 1px solid #dfe3ea;
     padding-bottom: 5px; }
p { max-width: 860px; } code { font: 0.88em ui-monospace, "DejaVu Sans Mono", monospace; background: #f2f4f8; padding: 1px 4px;
    border-radius: 4px; }
figure { margin: 18px 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: #57606e; font-size: 14px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; margin: 12px 0; font-variant-numeric: tabular-nums; }
th { text-align: left; color: #57606e; font-weight: 600; border-bottom: 2px solid #dfe3ea; padding: 4px 14px 4px 0;
     position: sticky; top: 0; background: #fff; }
td { border-bottom: 1px solid #eef0f4; padding: 3px 14px 3px 0; } .n { text-align: right; }
tr:hover td { background: #f7f9fc; } summary { cursor: pointer; color: #0b5cad; margin: 18px 0; }
"""


class Page:
    def __init__(self, title):
        self.title, self.blocks = title, []

    def heading(self, text):
        self.blocks.append(("heading", text))

    def text(self, text):
        self.blocks.append(("text", text))

    def table(self, header, rows, folded=None, page_only=False):
        """Cells are text; a column of numbers stands at the right. folded: behind this sentence. page_only: not in Markdown."""
        if rows:
            self.blocks.append(("table", header, rows, folded, page_only))

    def figure(self, name, figure, caption):
        """A matplotlib figure, or None; an artist's gid "tip:text" is what the mouse over it shows."""
        if figure is not None:
            self.blocks.append(("figure", name, svg_of(figure, name), caption))

    def write(self, folder, stem):
        """folder/stem.md with images/*.svg, folder/stem.html."""
        images = folder / "images"
        images.mkdir(parents=True, exist_ok=True)
        for kind, *block in self.blocks:
            if kind == "figure":
                (images / f"{block[0]}.svg").write_text(block[1])
        (folder / f"{stem}.md").write_text(self.markdown())
        page = folder / f"{'report' if stem == 'README' else stem}.html"
        page.write_text(self.html())
        return page

    # ---- Markdown ----

    def markdown(self):
        lines = [f"# {self.title}", ""]
        for kind, *block in self.blocks:
            if kind == "heading":
                lines += [f"## {block[0]}", ""]
            elif kind == "text":
                lines += [block[0], ""]
            elif kind == "figure":
                lines += [f"![{block[0]}](images/{block[0]}.svg)", "", block[2], ""]
            else:
                header, rows, folded, page_only = block
                if page_only:
                    lines += [f"{folded}: in the HTML page, which `bench/report` writes beside this one.", ""]
                    continue
                if folded:
                    lines += [f"<details><summary>{folded}</summary>", ""]
                ends = ["---:" if numeric(rows, i) else "---" for i in range(len(header))]
                for cells in [header, ends, *rows]:
                    lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
                lines += ["", "</details>", ""] if folded else [""]
        return "\n".join(lines).rstrip() + "\n"

    # ---- HTML ----

    def html(self):
        parts = []
        for kind, *block in self.blocks:
            if kind == "heading":
                parts.append(f"<h2>{marked(block[0])}</h2>")
            elif kind == "text":
                parts.append(f"<p>{marked(block[0])}</p>")
            elif kind == "figure":
                name, svg, caption = block
                # One page, many drawings: the ids of each are its own.
                svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg[svg.index("<svg"):])
                parts.append(f'<figure role="img" aria-label="{html.escape(name)}">{svg}'
                             f"<figcaption>{marked(caption)}</figcaption></figure>")
            else:
                header, rows, folded, _ = block
                at_right = [' class="n"' if numeric(rows, i) else "" for i in range(len(header))]
                line = lambda tag, cells: "<tr>" + "".join(
                    f"<{tag}{c}>{marked(cell)}</{tag}>" for c, cell in zip(at_right, cells)) + "</tr>"
                body = "\n".join(line("td", row) for row in rows)
                table = f'<div class="wide"><table><thead>{line("th", header)}</thead><tbody>{body}</tbody></table></div>'
                parts.append(f"<details><summary>{marked(folded)}</summary>{table}</details>" if folded else table)
        return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
                f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
                f"<body><h1>{html.escape(self.title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n")


def marked(text):
    """`code` and **strong** of Markdown, as HTML."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)


def numeric(rows, column):
    cells = [row[column] for row in rows if row[column]]
    return bool(cells) and all(re.fullmatch(r"[-+×]?[\d.]+(e[-+]?\d+)?( %| GB/s| GFLOP/s)?", cell) for cell in cells)


def svg_of(figure, name):
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight", facecolor="white")
    import matplotlib.pyplot as plt
    plt.close(figure)
    svg = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", text.getvalue())
    return "".join(line.rstrip() + "\n" for line in svg.splitlines())
