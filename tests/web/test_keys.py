"""Keys and scripts: what the help says, the docs say, and something does."""

import re
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import responses

HERE = Path(responses.HERE)
DOCS = (HERE.parent / "docs" / "keys.md").read_text()
HELP = (HERE / "templates" / "eyelet" / "keys.html").read_text()
KEYS = re.findall(r"<kbd>(.*?)</kbd>", HELP)
BROWSERS_OWN = ("Enter", "Esc", "?")


def scripts() -> dict[str, str]:
    return {path.name: path.read_text() for path in (HERE / "static").glob("*.js")}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_the_help_is_documented_and_does_something(key: str) -> None:
    assert f"`{key}`" in DOCS
    [bound] = re.findall(r"Object.assign\(eyelet.keys, \{(.*?)\}\);", scripts()["rows.js"], re.DOTALL)
    own = set(re.findall(r"^\s+(\w):", bound, re.MULTILINE))
    templates = "".join(path.read_text() for path in (HERE / "templates" / "eyelet").glob("*.html"))
    controls = set(re.findall(r'aria-keyshortcuts="(\S)"', templates))
    assert key in own | controls or key in BROWSERS_OWN


def test_every_script_is_loaded_and_documented() -> None:
    assert set(responses.SCRIPTS) == set(scripts())
    for name in responses.SCRIPTS:
        assert f"| `{name}` |" in DOCS


@pytest.mark.parametrize("name", responses.SCRIPTS)
def test_no_script_makes_html_of_text_or_runs_it(name: str) -> None:
    """`innerHTML` stands once, for rows the server rendered."""
    text = scripts()[name]
    assert not re.search(r"\beval\b|new Function|document\.write|insertAdjacentHTML|outerHTML|\.style\b", text)
    assert text.count("innerHTML") == (name == "live.js")
    assert max(map(len, text.splitlines())) <= 120


async def test_every_page_has_the_scripts_by_their_digest_and_says_its_language(site: Any) -> None:
    for path in ("/-/eyelet", "/-/eyelet/days", "/-/eyelet/event/default/1"):
        text = (await site.get(path)).text
        found = re.findall(r'<script src="[^"]*/([a-z]+\.js)\?[0-9a-f]{8}" defer></script>', text)
        assert tuple(name for name in found if name in responses.SCRIPTS) == responses.SCRIPTS
        assert '<html lang="en">' in text
