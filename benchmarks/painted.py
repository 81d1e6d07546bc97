"""How soon a browser shows something of a page: for the benchmarks of pages."""

import shutil
import statistics

from many_days import Server

ROUNDS = 5


def first_paint_ms(server: Server, path: str, shown: str) -> float | None:
    """Milliseconds from the answer's first byte to the first paint, in Chromium, of a page with `shown` (a selector);
    the median of a few visits after one that is not counted. None, said, where there is no browser."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        print("no browser: Playwright is not installed")
        return None
    name, value = server.headers["cookie"].split("=", 1)
    url = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as missing:
            print(f"no browser: {str(missing).splitlines()[0]}")
            return None
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": url}])
        took: list[float] = []
        for number in range(1 + ROUNDS):
            tab = context.new_page()
            tab.goto(url + path)
            tab.wait_for_selector(shown)
            tab.wait_for_function("performance.getEntriesByType('paint').length >= 2")
            painted = tab.evaluate(
                "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                " - performance.getEntriesByType('navigation')[0].responseStart"
            )
            tab.close()
            if number:
                took.append(float(painted))
        browser.close()
    return statistics.median(took)
