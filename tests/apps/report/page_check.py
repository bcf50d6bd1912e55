"""What a page has to be, whatever it shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Reads a page, and keeps what is asked about it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.titles: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            if given.get(name):
                self.references.append(str(given[name]))
        self.references += re.findall(r"url\(([^)]+)\)", str(given.get("style") or ""))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> inside {self.open[-3:]}")
        else:
            self.open.pop()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [given for name, given in self.tags if name == tag]


def check(text: str) -> Page:
    """Everything that holds for every page."""
    page = Page(text)
    assert not page.wrong
    assert not page.open
    assert len(set(page.ids)) == len(page.ids)
    for reference in page.references:
        inner = reference.strip("'\"")
        assert inner.startswith(("#", "data:")), reference
        if inner.startswith("#"):
            assert inner[1:] in page.ids, reference
    assert not page.of("script")
    assert "@import" not in text
    assert not re.search(r"url\(\s*['\"]?(?!#|data:)", text)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    for before, after in zip(page.headings, page.headings[1:], strict=False):
        assert after <= before + 1
    (html,) = page.of("html")
    assert html["lang"] in ("en", "zh-Hans")
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.of(landmark)) == 1
    for svg in page.of("svg"):
        assert svg["role"] == "img"
        assert svg.get("width") is None
    assert text.count("<svg ") == text.count("<title id=") == text.count("<desc id=")
    for head in page.of("th"):
        assert head.get("scope") in ("col", "row")
    for table in page.of("table"):
        assert table is not None
    assert text.count("<table>") == text.count("<caption ")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    return page
