"""What was recorded is hostile: scripts, template tricks, reordering characters, endless lines, in every field."""

import json
import re
from typing import Any

import pytest

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>"
TEMPLATE = "{{ 7*7 }}{% raw %}{# #}${7*7}"
BIDI = "\u202eevil\u2066\u2069\x1b[31m\x00\u200b\ufeff"
URL = "javascript:alert(1)//&q=x#?/../%2e"
ATTACKS = {"script": SCRIPT, "template": TEMPLATE, "bidi": BIDI, "url": URL, "long": "x" * 1_000_000}

TEXT_FIELDS = (
    "hook_type",
    "session_id",
    "tool_name",
    "tool_use_id",
    "status",
    "src",
    "loglevel",
    "origin",
    "agent",
    "agent_id",
    "role",
    "model",
    "project_dir",
    "hostname",
    "ip_address",
)


def harmless(page: str) -> None:
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<svg/onload" not in page
    assert not re.search(r"""(?:href|src|action)=["']\s*javascript:""", page)
    assert "49{" not in page, "a template was rendered"
    for char in ("\u202e", "\u2066", "\u2069", "\x1b", "\x00", "\u200b", "\ufeff"):
        inputs_kept = re.sub(r'value="[^"]*"', "", page)
        assert char not in inputs_kept


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_in_every_field_does_no_harm_on_any_page(
    site: Any, record: Any, now_us: int, name: str
) -> None:
    attack = ATTACKS[name]
    payload = {
        "prompt": attack,
        attack[:100]: [attack[:1_000]],
        "tool_input": {"command": attack},
        "message": {"content": [{"type": "text", "text": attack}]},
    }
    meta = {"git": {"branch": attack}, "execution": {"error_code": attack, "error_message": attack}}
    fields = dict.fromkeys(TEXT_FIELDS, attack)
    [event_id] = record(now_us, data=json.dumps(payload), meta=meta, error=1, **fields)

    answer = await site.get("/-/eyelet?range=all")
    assert answer.status_code == 200
    harmless(answer.text)
    assert len(answer.text) < 100_000
    opened = await site.get(f"/-/eyelet/row/default/{event_id}?range=all&stack=type")
    for part in (opened, *[await site.get(f"/-/eyelet/row/default/{event_id}/around{of}") for of in ("", "/session")]):
        assert part.status_code == 200
        assert "default-src 'none'" in part.headers["content-security-policy"]
        harmless(part.text)
        assert len(part.text) < 200_000
    values = re.findall(r'class="eyelet-value" href="([^"]*)"', answer.text)
    asked = dict.fromkeys([*re.findall(r'href="(/-/eyelet\?[^"]*)" title="Show only', opened.text), *values])
    assert len(asked) > (1 if name == "long" else 3)
    for url in asked:
        path = url.replace("&amp;", "&")
        narrowed = await site.get(path)
        assert narrowed.status_code == 200
        harmless(narrowed.text)
        assert f"/event/default/{event_id}" in narrowed.text, "the filter finds the row it came from"
    whole = await site.get(f"/-/eyelet/event/default/{event_id}")
    assert whole.status_code == 200
    harmless(whole.text)
    for path in ("/-/eyelet.json?range=all", f"/-/eyelet/event/default/{event_id}.json"):
        beside = await site.get(path)
        assert beside.status_code == 200
        assert "json" in beside.headers["content-type"]
        assert beside.json()["ok"] is True


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "long"])
@pytest.mark.parametrize(
    "parameter", ["q", "src", "type", "status", "context", "range", "from", "tz", "_next", "_size"]
)
async def test_an_attack_in_the_address_does_no_harm(site: Any, name: str, parameter: str) -> None:
    from urllib.parse import urlencode

    answer = await site.get(f"/-/eyelet?{urlencode({parameter: ATTACKS[name]})}")
    assert answer.status_code in (200, 400)
    harmless(answer.text)


@pytest.mark.parametrize("name", ["script", "bidi"])
@pytest.mark.parametrize("page", ["sessions", "sources"])
async def test_a_range_in_the_address_that_is_none_does_no_harm(site: Any, name: str, page: str) -> None:
    """The bar of ranges repeats it."""
    from urllib.parse import urlencode

    answer = await site.get(f"/-/eyelet/{page}?{urlencode({'range': ATTACKS[name]})}")
    assert answer.status_code in (200, 400)
    harmless(answer.text)


async def test_a_list_of_endless_lines_stays_a_page(site: Any, record: Any, now_us: int) -> None:
    record(*range(now_us - 20, now_us), data=json.dumps({"prompt": "x" * 1_000_000}), src="s" * 160)
    answer = await site.get("/-/eyelet?range=all")
    assert answer.status_code == 200
    assert len(answer.text) < 300_000


@pytest.mark.parametrize("levels", [100, 899])
async def test_deep_payloads_are_shown(site: Any, record: Any, now_us: int, levels: int) -> None:
    [event_id] = record(now_us, data="[" * levels + '{"a": 1}' + "]" * levels)
    for path in ("/-/eyelet?range=all", f"/-/eyelet/event/default/{event_id}", "/-/eyelet.json?range=all"):
        assert (await site.get(path)).status_code == 200
