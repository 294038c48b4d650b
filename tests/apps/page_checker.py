"""Reads a page of HTML and says what is wrong with it."""

from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "rect", "path", "line",
        "circle", "image"}
LABELLED = {"img": "alt", "svg": "aria-label", "canvas": "aria-label"}


class Checker(HTMLParser):
    """What is wrong with a page: tags that do not match, ids twice, pictures without words,
    references to nothing, anything fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.wanted, self.wrong, self.tags = [], set(), [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> stays open" for tag in self.open]
        self.wrong += [f"no element {name}" for name in self.wanted if name not in self.ids]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            if attrs["id"] in self.ids:
                self.wrong.append(f"id {attrs['id']} twice")
            self.ids.add(attrs["id"])
        for name in ("aria-labelledby", "aria-controls", "for", "data-chart"):
            self.wanted += (attrs.get(name) or "").split()
        for name in ("href", "src", "srcset", "action", "data"):
            value = attrs.get(name) or ""
            if value.startswith("#"):
                self.wanted.append(value[1:])
            elif value and not value.startswith("data:"):
                self.wrong.append(f"fetches {value[:60]}")
        if tag in LABELLED and not (attrs.get(LABELLED[tag]) or attrs.get("aria-labelledby")):
            self.wrong.append(f"<{tag}> without words")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID and (not self.open or self.open[-1] != tag):
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")
