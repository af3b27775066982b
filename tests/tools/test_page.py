"""The page: one file, nothing from elsewhere, everything escaped."""

from __future__ import annotations

import base64
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad.tools import Page, line_chart
from convgrad.tools.page import highlight


def full_page() -> Page:
    page = Page("Tour & <more>", "Lead with `code` and **weight**.")
    page.section("L1", "First <b>", "One.\n\nTwo `a < b` **bold**.").code("x = 1  # <note>", "<Sub object>")
    page.picture(line_chart({"a": ([0, 1], [0, 1])}), "A <caption>").audio(b"RIFF....WAVE", "sound")
    page.section("L1", "Again").table(["name", "value"], [["<i>", 1.5], ["b", 20]])
    return page.check("holds <yes>", True, "`1e-7`").check("breaks", False, "got 4")


def parse(page: Page) -> ET.Element:
    """The page is written so that it is well-formed XML as well."""
    return ET.fromstring(page.html().removeprefix("<!DOCTYPE html>\n").replace("<audio controls ", "<audio "))


def test_page_is_well_formed_and_escaped() -> None:
    root = parse(full_page())
    assert root.findtext(".//h1") == "Tour & <more>"
    text = "".join(root.itertext())
    for word in ("First <b>", "<Sub object>", "A <caption>", "a < b", "<i>", "holds <yes>"):
        assert word in text
    assert not root.findall(".//script") and not root.findall(".//i") and not root.findall(".//link")


def test_nothing_comes_from_elsewhere() -> None:
    source = full_page().html()
    links = re.findall(r'(?:src|href)="([^"]*)"', source)
    assert links and all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in source and "url(" not in source
    assert "http" not in source.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_sections_get_unique_anchors_and_the_contents_lead_there() -> None:
    root = parse(full_page().section("Ω / x", "Odd"))
    ids = [s.get("id") for s in root.iter("section")]
    assert len(set(ids)) == len(ids) == 3
    assert [a.get("href") for a in root.findall(".//nav//a")] == [f"#{i}" for i in ids]


def test_checks_are_counted_at_the_top() -> None:
    assert "1 of 2 checks hold; not: breaks" in "".join(parse(full_page()).find(".//header").itertext())  # type: ignore[union-attr]
    good = Page("t").section("a", "A").check("fine", True)
    assert "1 of 1 checks hold" in good.html() and "tally good" in good.html()
    assert "checks" not in "".join(parse(Page("t")).itertext()).partition("</style>")[2]


def test_sound_is_inside() -> None:
    root = parse(full_page())
    (player,) = root.iter("audio")
    kind, _, data = player.get("src", "").partition(",")
    assert kind == "data:audio/wav;base64" and base64.b64decode(data) == b"RIFF....WAVE"


def test_pictures_share_one_style_sheet() -> None:
    picture = line_chart({"a": ([0, 1], [0, 1])})
    page = Page("t").section("a", "A").picture(picture).picture(picture)
    assert page.html().count("<style>") == 1
    assert page.html().count("<svg") == 2 and ".cg text" in page.html()


def test_numbers_stand_right() -> None:
    root = parse(full_page())
    assert [td.text for td in root.iter("td") if td.get("class") == "num"] == ["1.5", "20"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    '''doc'''\n    return f\"{x!r:>{10}} <b>\" + 'a' # c\n",
        "nn.Conv1d?",
        "x = (1,",
        "  indented\nbadly",
        "",
        "a\\\n  = 0x1F + 1e-3j\n",
        'print("""two\nlines""")',
        "a = 1\r\nb = 'x'\u2028\rc = 2",
        "重み = 'ω'  # 畳み込み",
    ],
)
def test_highlight_changes_no_character(source: str) -> None:
    coloured = highlight(source)
    assert html.unescape(re.sub(r"<[^>]*>", "", coloured)) == source
    ET.fromstring(f"<p>{coloured}</p>")


@given(
    st.text(
        st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"]) | st.sampled_from("\r\n\t'\"#\\(")
    )
)
def test_highlight_survives_anything(source: str) -> None:
    coloured = highlight(source)
    assert html.unescape(re.sub(r"<[^>]*>", "", coloured)) == source


def test_highlight_knows_python() -> None:
    assert highlight("class A: pass") == (
        '<span class="k">class</span> <span class="d">A</span>: <span class="k">pass</span>'
    )


def test_page_is_the_same_every_time_and_saved_whole(tmp_path: Path) -> None:
    assert full_page().html() == full_page().html()
    path = full_page().save(tmp_path / "tour.html")
    assert path.read_text(encoding="utf-8") == full_page().html()
    assert [p.name for p in tmp_path.iterdir()] == ["tour.html"]


def test_highlight_survives_a_tokenizer_that_fails() -> None:
    assert highlight("\r\xa0") == "\r\xa0"  # Python 3.13.0's tokenizer ends in a UnicodeDecodeError
