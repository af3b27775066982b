"""One self-contained HTML page: prose, code with its output, pictures, sound, tables and checks.

Nothing is loaded from elsewhere and no script runs; colours follow the reader's light or dark mode.
"""

from __future__ import annotations

import base64
import io
import keyword
import os
import re
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path

from convgrad.tools.svg import MONO, SANS, Picture, escape, palette_css, picture_style, write_atomically

_CSS = """
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:1rem}
body{margin:0;background:var(--cg-paper);color:var(--cg-ink);font:1.03rem/1.62 %(sans)s;
-webkit-text-size-adjust:100%%}
.all{max-width:76rem;margin:0 auto;padding:2rem 1.2rem 5rem}
header h1{font-size:2.1rem;line-height:1.2;margin:.2rem 0 .5rem;letter-spacing:-.015em}
header .lead{font-size:1.12rem;color:var(--cg-muted);max-width:44rem;margin:0 0 1rem}
nav{margin:1rem 0 2rem;padding:.9rem 1.1rem;background:var(--cg-panel);border-radius:10px;font-size:.92rem}
nav strong{display:block;margin-bottom:.3rem}
nav ol{margin:0;padding:0;list-style:none;columns:2;column-gap:2rem}
nav li{break-inside:avoid;padding:.13rem 0}
nav a{color:var(--cg-s0);text-decoration:none}nav a:hover{text-decoration:underline}
section{margin:0 0 3rem;min-width:0}
section h2{font-size:1.42rem;line-height:1.3;margin:0 0 .5rem;padding-top:.9rem;
border-top:1px solid var(--cg-rule)}
section p{max-width:44rem;margin:.6rem 0}
code{font-family:%(mono)s;font-size:.88em;background:var(--cg-panel);border-radius:4px;padding:.08em .3em}
pre{font:.86rem/1.5 %(mono)s;margin:0;padding:.8rem 1rem;overflow-x:auto;tab-size:4}
pre code{font:inherit;background:none;padding:0}
.cell{margin:1rem 0;border:1px solid var(--cg-rule);border-radius:9px;overflow:hidden;max-width:60rem}
.cell .src{background:var(--cg-panel)}
.cell .out{border-top:1px solid var(--cg-rule);color:var(--cg-ink)}
.cell .out::before{content:"output";display:block;
font:.7rem/1.4 %(sans)s;color:var(--cg-muted);margin-bottom:.15rem}
.talk .src{padding:.55rem 1rem}.talk .out{border-top:0;padding:.5rem 1rem .5rem 1.6rem}
.talk .out::before{content:none}
.k{color:var(--cg-s3);font-weight:600}.s{color:var(--cg-s2)}.c{color:var(--cg-muted);font-style:italic}
.n{color:var(--cg-s1)}.d{color:var(--cg-s0);font-weight:600}
figure{margin:1.2rem 0}
figure .frame{overflow-x:auto;border:1px solid var(--cg-rule);border-radius:9px;padding:.3rem}
figure svg{display:block;max-width:100%%;height:auto;margin:0 auto}
figcaption{color:var(--cg-muted);font-size:.9rem;margin-top:.35rem;max-width:44rem}
audio{display:block;width:100%%;max-width:32rem}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.93rem}
th{text-align:left;color:var(--cg-muted);font-weight:600}
th,td{padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--cg-rule);vertical-align:top}
td.num,th.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.check{display:flex;gap:.6rem;align-items:baseline;margin:.35rem 0;max-width:60rem}
.check b{flex:none}.good b{color:var(--cg-good)}.bad b{color:var(--cg-bad)}
.check .detail{color:var(--cg-muted);font-size:.92rem;overflow-wrap:anywhere}
.tally{display:inline-block;
padding:.18rem .75rem;border-radius:99px;border:1.5px solid;font-weight:600;font-size:.92rem}
.tally.good{color:var(--cg-good)}.tally.bad{color:var(--cg-bad)}
@media(min-width:72rem){
.body{display:grid;grid-template-columns:15rem minmax(0,1fr);gap:2.5rem;align-items:start}
nav{position:sticky;top:1rem;max-height:calc(100vh - 2rem);overflow-y:auto;margin-top:0}nav ol{columns:1}
section:first-child h2{border-top:0;padding-top:0}}
@media(max-width:40rem){.all{padding:1.1rem .9rem 3rem}header h1{font-size:1.6rem}nav ol{columns:1}
figure svg.wide{min-width:40rem}}
@media print{nav{display:none}.cell,figure{break-inside:avoid}}
"""


class Page:
    """Builds the page from top to bottom; every method returns the page, so calls can be chained.

    Args:
        title: heading and window title.
        lead: a sentence or two below the heading.
        language: of the text, as in HTML's ``lang``.
    Example:
        >>> page = Page("Hello").section("one", "First", "Some `code` in prose.").code("1 + 1", "2")
        >>> "<h2>First</h2>" in page.html()
        True
    """

    def __init__(self, title: str, lead: str = "", *, language: str = "en") -> None:
        self.title = title
        self.lead = lead
        self.language = language
        self.checks: list[tuple[str, bool]] = []
        self._contents: list[tuple[str, str]] = []
        self._parts: list[str] = []
        self._open = False
        self._pictures = 0

    def section(self, id: str, title: str, prose: str = "") -> Page:
        """Begin a section; ``id`` is its anchor, made unique and safe if need be."""
        anchor = re.sub(r"[^\w.-]+", "-", id).strip("-") or "section"
        taken = {known for known, _ in self._contents}
        unique, count = anchor, 2
        while unique in taken:
            unique, count = f"{anchor}-{count}", count + 1
        self._contents.append((unique, title))
        self._close()
        self._parts.append(f'<section id="{escape(unique)}"><h2>{_inline(title)}</h2>')
        self._open = True
        return self.prose(prose) if prose else self

    def prose(self, text: str) -> Page:
        """Paragraphs, separated by empty lines; `code` in backticks and **bold** are understood."""
        blocks = re.split(r"\n\s*\n", text.strip())
        self._parts.extend(f"<p>{_inline(block)}</p>" for block in blocks if block.strip())
        return self

    def code(self, source: str, output: str = "") -> Page:
        """Python source with colours, and what it printed."""
        shown = f'<pre class="src"><code>{highlight(source.strip(chr(10)))}</code></pre>'
        if output.strip():
            shown += f'<pre class="out">{escape(output.rstrip())}</pre>'
        self._parts.append(f'<div class="cell">{shown}</div>')
        return self

    def transcript(self, pairs: Iterable[tuple[str, str]]) -> Page:
        """Source and output in turn, in one frame: what was typed, what came back, as at a prompt."""
        shown = ""
        for source, output in pairs:
            shown += f'<pre class="src"><code>{highlight(source.strip(chr(10)))}</code></pre>'
            if output.strip():
                shown += f'<pre class="out">{escape(output.rstrip())}</pre>'
        self._parts.append(f'<div class="cell talk">{shown}</div>')
        return self

    def picture(self, picture: Picture, caption: str = "") -> Page:
        """A drawing with its caption."""
        style = picture_style()
        svg = picture.svg.replace(f"<style>{style}</style>", "")  # the page carries it once
        if picture.width > 560:
            svg = svg.replace('class="cg"', 'class="cg wide"', 1)
        self._pictures += 1
        below = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
        self._parts.append(f'<figure><div class="frame">{svg}</div>{below}</figure>')
        return self

    def audio(self, wav: bytes, caption: str = "") -> Page:
        """A player for the bytes of a WAV file."""
        data = base64.b64encode(wav).decode("ascii")
        below = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
        player = f'<audio controls preload="metadata" src="data:audio/wav;base64,{data}"></audio>'
        self._parts.append(f"<figure>{player}{below}</figure>")
        return self

    def table(self, header: Sequence[object], rows: Iterable[Sequence[object]]) -> Page:
        """A table; columns that hold numbers are set right."""
        body = [[str(cell) for cell in row] for row in rows]
        numeric = [
            bool(body) and all(_is_number(row[c]) for row in body if c < len(row)) for c in range(len(header))
        ]
        head = "".join(_cell("th", str(title), numeric[c]) for c, title in enumerate(header))
        lines = "".join(
            "<tr>"
            + "".join(_cell("td", cell, c < len(numeric) and numeric[c]) for c, cell in enumerate(row))
            + "</tr>"
            for row in body
        )
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
        )
        return self

    def check(self, name: str, ok: bool, detail: str = "") -> Page:
        """Something that was verified, and whether it held; the top of the page counts them."""
        self.checks.append((name, bool(ok)))
        mark, kind = ("✓ holds", "good") if ok else ("✗ fails", "bad")
        more = f' <span class="detail">{_inline(detail)}</span>' if detail else ""
        self._parts.append(f'<div class="check {kind}"><b>{mark}</b><span>{_inline(name)}{more}</span></div>')
        return self

    def html(self) -> str:
        """The whole page."""
        sections = "".join(self._parts) + ("</section>" if self._open else "")
        lead = f'<p class="lead">{_inline(self.lead)}</p>' if self.lead else ""
        style = palette_css(":root") + _CSS.replace("\n", "") % {"sans": SANS, "mono": MONO}
        style += picture_style() if self._pictures else ""
        entries = "".join(
            f'<li><a href="#{escape(anchor)}">{_inline(title)}</a></li>' for anchor, title in self._contents
        )
        contents = f'<nav aria-label="Contents"><strong>Contents</strong><ol>{entries}</ol></nav>'
        body = f"{contents if entries else '<div></div>'}<main>{sections}</main>"
        return (
            f'<!DOCTYPE html>\n<html lang="{escape(self.language)}"><head><meta charset="utf-8"/>'
            '<meta name="viewport" content="width=device-width,initial-scale=1"/>'
            f"<title>{escape(self.title)}</title><style>{style}</style></head>\n"
            f'<body><div class="all"><header><h1>{_inline(self.title)}</h1>{lead}{self._tally()}</header>'
            f'<div class="body">{body}</div></div></body></html>\n'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page; a reader never sees half a file."""
        return write_atomically(Path(path), self.html())

    def _tally(self) -> str:
        if not self.checks:
            return ""
        held = sum(ok for _, ok in self.checks)
        failed = [name for name, ok in self.checks if not ok]
        words = f"{held} of {len(self.checks)} checks hold" + (
            f"; not: {', '.join(failed)}" if failed else ""
        )
        return f'<p><span class="tally {"bad" if failed else "good"}">{escape(words)}</span></p>'

    def _close(self) -> None:
        if self._open:
            self._parts.append("</section>")
            self._open = False


def _cell(tag: str, text: str, numeric: bool) -> str:
    kind = ' class="num"' if numeric else ""
    return f"<{tag}{kind}>{_inline(text)}</{tag}>"


_NUMBER = re.compile(r"[-+−±]?[\d.,]+(e[-+]?\d+)?\s*(%|x|×|s|ms|µs)?|nan|-?inf|–|")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _inline(text: str) -> str:
    """Escaped text with `code` and **bold**; what stands in backticks is left as it is."""
    parts = re.split(r"`([^`]+)`", text)
    out = []
    for place, part in enumerate(parts):
        safe = escape(part)
        out.append(
            f"<code>{safe}</code>" if place % 2 else re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
        )
    return "".join(out)


_KINDS = {tokenize.STRING: "s", tokenize.COMMENT: "c", tokenize.NUMBER: "n"}
# f-strings come in pieces from Python 3.12 on
_PIECES = ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
_KINDS.update({getattr(tokenize, name): "s" for name in _PIECES if hasattr(tokenize, name)})


def highlight(source: str) -> str:
    """Python source as HTML with classes for keywords, strings, comments, numbers and defined names.

    Source that is not valid Python (an IPython ``nn.Conv1d?``, say) comes out escaped, without colours.

    Example:
        >>> highlight("return 1")
        '<span class="k">return</span> <span class="n">1</span>'
    """
    lines = [line + "\n" for line in source.split("\n")]  # tokenize's lines; str.splitlines knows more breaks
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out: list[str] = []
    at, before = 0, ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = _KINDS.get(token.type, "")
            if token.type == tokenize.NAME:
                kind = "k" if keyword.iskeyword(token.string) else "d" if before in ("def", "class") else ""
            before = token.string
            if not kind or token.start[0] > len(lines):
                continue
            begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            if begin < at or (kind != "s" and source[begin:end] != token.string):
                continue
            out.append(escape(source[at:begin]))
            out.append(f'<span class="{kind}">{escape(source[begin:end])}</span>')
            at = end
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):  # the last: Python 3.13.0, "\r\xa0"
        return escape(source)
    return "".join(out) + escape(source[at:])
