"""The ready-made site: metadata.yml, the template overrides, and that a site may replace any page of ours."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from datasette.app import Datasette
from datasette.utils import parse_metadata

from tests.web.conftest import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


def site_options(flag: str) -> list[str]:
    return [flag, str(REPOSITORY / "metadata.yml"), "--template-dir", str(REPOSITORY / "templates")]


@pytest.mark.parametrize("flag", ["-m", "-c"])
def test_metadata_yml_makes_a_site(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if flag == "-c" and not hasattr(Datasette, "allowed"):
        pytest.skip("Datasette 0.65 has another -c")
    monkeypatch.setenv("EYELET_ROOT", str(tmp_path / "root"))
    command = [sys.executable, "-m", "datasette", "serve", *site_options(flag), "--get", "/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Search what was recorded" in done.stdout
    assert "flight recorder" in done.stdout


async def test_metadata_yml_has_only_settings_the_plugin_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EYELET_ROOT", str(tmp_path / "root"))
    metadata = parse_metadata((REPOSITORY / "metadata.yml").read_text(encoding="utf-8"))
    site = Datasette(memory=True, metadata=metadata, template_dir=str(REPOSITORY / "templates"))
    await site.invoke_startup()
    assert site._eyelet.root == str(tmp_path / "root"), "the file names no root: `eyelet serve --root` does"
    front = (await site.client.get("/")).text
    assert 'href="/-/eyelet"' in front and "Search what was recorded" in front
    assert "_memory" in front, "the front page is still Datasette's"


async def test_a_site_may_replace_any_page_of_ours(open_site: Any, tmp_path: Path) -> None:
    override = tmp_path / "templates" / "eyelet" / "no_data.html"
    override.parent.mkdir(parents=True)
    override.write_text("<p>Ask the operations desk.</p>")
    site = await open_site(datasette={"template_dir": str(tmp_path / "templates")})
    text = (await site.get("/-/eyelet")).text
    assert "Ask the operations desk." in text
    assert "Nothing is recorded yet" not in text


async def test_the_sites_front_page_has_the_entry_in_the_look_of_our_pages(open_site: Any, record: Any) -> None:
    record(1_774_008_000_000_000, hook_type="Stop")
    plain = (await (await open_site()).get("/")).text
    site = (await (await open_site(datasette={"template_dir": str(REPOSITORY / "templates")})).get("/")).text
    for front in (plain, site):
        assert front.count('href="/default-2026-079" class=') + front.count('href="/default-2026-079" title=') == 1
        assert front.count('rel="stylesheet" href="/-/static-plugins/datasette-eyelet/eyelet.css') == 1
    assert '<body class="index">' in plain and '<body class="index eyelet">' in site
    assert "Search what was recorded" in site and "Search what was recorded" not in plain


def test_the_site_that_make_serve_starts_has_the_override(serve: Any, record: Any) -> None:
    record(1_774_008_000_000_000, hook_type="Stop")
    served = serve("--port", str(free_port()))
    browser = build_opener(HTTPCookieProcessor())
    browser.open(served.sign_in_url, timeout=30).close()
    with browser.open(urljoin(served.search_url, "/"), timeout=30) as answer:
        front = answer.read().decode()
    assert "Search what was recorded" in front
    assert "/default-2026-079" in front
    assert '<body class="index eyelet">' in front


async def test_a_site_may_replace_the_front_page_and_keep_the_entry(open_site: Any, tmp_path: Path) -> None:
    override = tmp_path / "templates" / "index.html"
    override.parent.mkdir()
    for source, expected in (
        ('{% extends "eyelet/index.html" %}{% block eyelet_entry %}Hello. {{ super() }}{% endblock %}', True),
        ('{% extends "default:index.html" %}', False),
    ):
        override.write_text(source)
        site = await open_site(datasette={"template_dir": str(tmp_path / "templates")})
        front = (await site.get("/")).text
        assert ("Hello." in front) == expected
        assert ("eyelet-front" in front) == expected
        assert 'href="/eyelet"' in front, "Datasette's own listing has it too"


async def test_our_stylesheet_and_script_are_served(site: Any) -> None:
    text = (await site.get("/-/eyelet")).text
    for name, kind in (("eyelet.css", "text/css"), ("menus.js", "javascript")):
        url = next(part for part in text.split('"') if f"{name}?" in part)
        answer = await site.get(url)
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]


async def test_no_script_stands_in_our_pages_but_what_the_policy_names(site: Any) -> None:
    """Datasette 1.0's base page has one fixed line; 0.65's inline script is replaced by our file."""
    from base64 import b64encode
    from hashlib import sha256
    from re import DOTALL, findall

    answer = await site.get("/-/eyelet")
    for script in findall(r"<script>(.*?)</script>", answer.text, DOTALL):
        digest = b64encode(sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert " style=" not in answer.text
    assert not findall(r"\son\w+=", answer.text)
