"""The ready-made site: metadata.yml, the template overrides, and that a site may replace any page of ours."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from datasette.utils import parse_metadata

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


async def test_our_stylesheet_and_script_are_served(site: Any) -> None:
    text = (await site.get("/-/eyelet")).text
    for name, kind in (("eyelet.css", "text/css"), ("eyelet.js", "javascript")):
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
