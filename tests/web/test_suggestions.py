"""The values that the search box offers: which, how they are written, and what others hold is not among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasette_eyelet import words
from eyelet_ingest.store import text_query
from eyelet_ingest.store.select import NAMES
from tests.web.conftest import OpenSite, Record, Site

VALUES = "/-/eyelet/values.json?range=all"

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12) | st.sampled_from(
    ["OR", "AND", "NOT", "-x", '"', "a b", "/home/me", ":", "*", "a*", ")", "(", 'NEAR("', '="x"', "a(b", "8080"]
)


@given(st.sampled_from(sorted(NAMES)), texts.filter(words.is_plain))
def test_what_is_written_asks_for_the_value_alone_and_among_others(name: str, value: str) -> None:
    text = words.written(name, value)
    assert text_query.parse(f"{name}:{text}", with_fields=True) == text_query.Field(name, value)
    both = text_query.parse(f"word -{name}:({text} OR other)", with_fields=True)
    assert text_query.Field(name, value) in both.parts[1].part.parts or value == "other"  # type: ignore[union-attr]


async def values(site: Site, more: str, actor: dict[str, str] | None = None) -> list[str]:
    answer = await site.get(VALUES + more, actor or {"id": "root"})
    assert answer.status_code == 200, answer.text
    return [one["value"] for one in answer.json()["values"]]


async def test_those_that_begin_so_come_first_and_then_the_frequent(site: Site, record: Record, noon_us: int) -> None:
    for at, tool in enumerate(("Rebash", "Rebash", "Bash", "Edit", "BASHful", "BASHful", "BASHful")):
        record(noon_us + at, tool_name=tool)
    assert await values(site, "&_field=tool") == ["BASHful", "Rebash", "Bash", "Edit"]
    assert await values(site, "&_field=tool&_begun=ba") == ["BASHful", "Bash", "Rebash"]
    assert await values(site, "&_field=tool&_begun=ba&tool=Edit") == ["BASHful", "Bash", "Rebash"]


async def test_src_comes_level_by_level_and_every_status_is_there(site: Site, record: Record, noon_us: int) -> None:
    record(noon_us, noon_us + 1, src="claude.posttooluse.bash")
    record(noon_us + 2, src="claude.pretooluse.bash")
    assert await values(site, "&_field=src") == ["claude"]
    assert await values(site, "&_field=src&_begun=claude.po") == ["claude.posttooluse"]
    assert set(await values(site, "&_field=status")) >= {"ok", "error", "denied", "unknown"}


@pytest.mark.parametrize("field", sorted(NAMES))
async def test_nothing_of_a_context_that_one_may_not_see(
    open_site: OpenSite, record: Record, noon_us: int, field: str
) -> None:
    secret = dict.fromkeys(("src", "hook_type", "tool_name", "session_id", "agent", "model", "project_dir"), "hidden")
    record(
        noon_us,
        context="hidden",
        meta={"git": {"branch": "hidden"}, "execution": {"exit_code": 9}},
        loglevel="warn",
        **secret,
    )
    record(noon_us, context="mine", session_id="s", src="s", tool_name="Bash", loglevel="info")
    site = await open_site(contexts={"mine": {"allow": {"id": "me"}}})
    for begun in ("", "hid", "w"):
        answer = await site.get(f"{VALUES}&_field={field}&_begun={begun}", {"id": "me"})
        assert answer.status_code == 200
        assert "hidden" not in answer.text and '"warn"' not in answer.text


@pytest.mark.parametrize(
    "wrong", ["&_field=nope", "", "&_field=tool&_begun=" + "x" * 300, "&_field=tool&from=never", "&_field=tool&nope=1"]
)
async def test_what_cannot_be_meant_is_refused_with_its_reason(site: Site, wrong: str) -> None:
    answer = await site.get(VALUES.partition("?")[0] + "?" + wrong.lstrip("&"))
    assert answer.status_code == 400 and answer.json()["error"]
