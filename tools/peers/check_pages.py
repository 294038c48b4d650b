#!/usr/bin/env python3
"""Opens soma's pages in headless Chromium, on a desk and on a phone, light and dark: no errors on
the console, nothing fetched, no sideways scrolling, axe-core content, and what moves moves.

Usage: check_pages.py OUT PAGE.html ... | OUT http://127.0.0.1:PORT/ IMAGE
Screenshots go to OUT. Needs chromium, and from PyPI playwright and axe-playwright-python.
"""
import shutil
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
problems = []


def expect(good, *words):
    if not good:
        problems.append(" ".join(map(str, words)))


def open_page(browser, url, size, scheme, local):
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda m: expect(m.type not in ("error", "warning"), url, "console:", m.text))
    page.on("pageerror", lambda error: expect(False, url, "error:", error))
    page.on("request", lambda request: expect(
        request.url.startswith(("data:", "blob:", local)), url, "fetches", request.url))
    page.goto(url)
    expect(page.title(), url, "has no title")
    return page


def look(page, name, out, full=True):
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
    expect(not wide, name, "scrolls sideways")
    found = Axe().run(page).response["violations"]
    for rule in found:
        expect(False, name, f"axe {rule['id']} ({rule['impact']}): {rule['help']}:",
               rule["nodes"][0]["html"][:160])
    page.screenshot(path=out / f"{name}.png", full_page=full)


def slide(page, selector, value):
    page.locator(selector).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value)


def visible(page, selector):
    return page.locator(f"{selector}:not([hidden])").count()


def try_charts(page, name):
    charts = page.locator("figure.chart svg")
    if charts.count() == 0:
        return
    for i in range(charts.count()):
        page.locator("figure.chart").nth(i).scroll_into_view_if_needed()
        if page.locator("figure.chart").nth(i).locator("text=no data").count():
            continue
        charts.nth(i).hover()
        expect(page.locator("figure.chart .readout").nth(i).inner_text(), name, "chart", i,
               "reads nothing off")
        charts.nth(i).press("ArrowRight")
    for box in page.locator("input[data-hides]").all():
        marks = page.locator(f".{box.get_attribute('data-hides')}-marks").first
        before = marks.evaluate("e => getComputedStyle(e).display")
        box.click()
        expect(marks.evaluate("e => getComputedStyle(e).display") != before, name, "box without use")
        box.click()


def try_explain(page, name):
    if not page.locator("#rank").count():
        return
    slide(page, "#score", "0")
    everything = visible(page, "#result [data-score]")
    slide(page, "#score", "0.99")
    expect(everything == 0 or visible(page, "#result [data-score]") < everything, name, "#score")
    slide(page, "#score", "0.3")
    slide(page, "#rank", "3")
    expect(visible(page, "[data-rank]") <= 6, name, "#rank")
    slide(page, "#rank", "60")
    if page.locator("canvas.mask").count():
        pixels = "e => e.toDataURL()"
        before = page.locator("canvas.mask").first.evaluate(pixels)
        slide(page, "#mask", "0.9")
        expect(page.locator("canvas.mask").first.evaluate(pixels) != before, name, "#mask")
        slide(page, "#mask", "0.5")
    options = page.locator("#anchor-cell option").count()
    if options > 1:
        page.select_option("#anchor-cell", index=1)
        expect(visible(page, ".anchors") == 1, name, "#anchor-cell")


def try_serve(page, image, name):
    page.set_input_files("#file", image)
    page.locator("#status", has_text="Done.").wait_for(timeout=180000)
    slide(page, "#score", "0")
    page.wait_for_timeout(700)
    before = page.locator("#marks path").count()
    slide(page, "#score", "1")
    page.wait_for_timeout(700)
    expect(before > 0 and page.locator("#marks path").count() == 0, name, "#score")
    slide(page, "#score", "0.3")
    page.wait_for_timeout(700)
    for link in page.locator("[data-file]").all():
        answer = page.request.get(page.url.split("#")[0].rstrip("/") + link.get_attribute("href"))
        expect(answer.ok and answer.body(), name, "download", link.get_attribute("data-file"))


def main():
    out, *urls = sys.argv[1:]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    image = urls.pop() if urls[0].startswith("http") else None
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"),
                                       args=["--no-sandbox"])
        for url in urls:
            local = url if image else Path(url).resolve().as_uri()
            stem = "serve" if image else Path(url).stem
            for size, scheme in ((DESK, "light"), (PHONE, "dark"), (DESK, "dark"), (PHONE, "light")):
                name = f"{stem}-{size['width']}-{scheme}"
                page = open_page(browser, local, size, scheme, local)
                if image:
                    try_serve(page, image, name)
                try_charts(page, name)
                try_explain(page, name)
                look(page, name, out)
                page.context.close()
        browser.close()
    for line in dict.fromkeys(problems):
        print(line)
    print(f"{len(urls)} pages, {len(set(problems))} problems; pictures in {out}")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
