"""Entries put into settings and taken out: for any settings, the one undoes the other, and nothing else moves."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.install import edit, files
from eyelet_ingest.install.agents import AGENTS
from eyelet_ingest.install.jsonc import NotJson, line_of, parse
from eyelet_ingest.install.launch import Launch, is_ours, launchers

HOME = "/home/somebody/.eyelet"
MARKS = launchers(HOME)
EXAMPLES = 3_000 if os.environ.get("EYELET_SOAK") else 60
EVENTS = ("PreToolUse", "Stop", "SessionEnd", "preToolUse", "stop")


def ours(handler: Any) -> bool:
    return is_ours(handler, MARKS)


def wanted(name: str) -> dict[str, Any]:
    return AGENTS[name].wanted(Launch(HOME))


handlers = st.sampled_from(
    [
        {"type": "command", "command": "npm run lint"},
        {"type": "command", "command": "prettier", "args": ["--write", "ü, ] } // no comment"], "timeout": 3},
        {"type": "http", "url": "http://127.0.0.1:1/x"},
    ]
)
groups = st.one_of(handlers, st.fixed_dictionaries({"matcher": st.just("*"), "hooks": st.lists(handlers, max_size=2)}))
hooks = st.dictionaries(st.sampled_from(EVENTS), st.lists(groups, max_size=3), max_size=4)
others = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
values = st.builds(
    lambda more, held, has, first: (
        {**({"hooks": held} if has and first else {}), **more, **({"hooks": held} if has and not first else {})}
    ),
    st.dictionaries(st.text(max_size=6).filter(lambda name: name != "hooks"), others, max_size=4),
    hooks,
    st.booleans(),
    st.booleans(),
)
GAPS = (
    "",
    "",
    " ",
    "\n",
    "\n  ",
    "\n\t",
    "\r\n  ",
    " // a, [comment]\n",
    " /* { */ ",
    "\n  // line\n  ",
    "\n /* of\n two */",
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """JSON with comments and trailing commas anywhere, written as nobody would, or as everybody does."""
    value = draw(values)
    how = draw(st.sampled_from(("wild", "pretty", "compact", "tabs")))
    if how != "wild":
        said = json.dumps(value, indent={"pretty": 2, "compact": None, "tabs": "\t"}[how], ensure_ascii=False)
        text = said + draw(st.sampled_from(("", "\n")))
        return text.replace("\n", "\r\n") if draw(st.booleans()) else text
    gap = lambda: draw(st.sampled_from(GAPS))  # noqa: E731

    def write(one: Any) -> str:
        if isinstance(one, dict | list):
            opening, closing = "{}" if isinstance(one, dict) else "[]"
            items = (
                [(json.dumps(key) + gap() + ":" + gap() + write(one[key])) for key in one]
                if isinstance(one, dict)
                else [write(inner) for inner in one]
            )
            inside = (gap() + "," + gap()).join(items)
            trailing = "," + gap() if items and draw(st.booleans()) else ""
            return opening + gap() + inside + gap() + trailing + closing
        return json.dumps(one)

    return draw(st.sampled_from(("", "\ufeff"))) + gap() + write(value) + gap()


@given(texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
@example("", "claude")
@example("  // nothing yet\n", "cursor")
@example("{}", "claude")
@example('{"hooks": {}}', "claude")
@example('{\n  "hooks": {\n  }\n}\n', "claude")
@example('{"hooks": {"Stop": []}}', "claude")
@example('{"hooks": {"Stop": [ // mine\n]}, // x\n}', "claude")
def test_for_any_settings_uninstalling_undoes_installing_byte_for_byte(text: str, agent: str) -> None:
    entries = wanted(agent)
    made = edit.add(text, entries, AGENTS[agent].beside)
    assert edit.remove(made.text, ours, made.pieces, made.empty) == text


@given(texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_installing_only_inserts_and_says_what(text: str, agent: str) -> None:
    made = edit.add(text, wanted(agent), AGENTS[agent].beside)
    left, at = made.text, 0
    for piece in made.pieces:
        at = left.index(piece, at)
        left = left[:at] + left[at + len(piece) :]
    assert left == text


@given(texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_every_event_has_its_entry_last_and_everything_else_is_what_it_was(text: str, agent: str) -> None:
    entries, beside = wanted(agent), AGENTS[agent].beside
    before, after = parse(text), parse(edit.add(text, entries, beside).text)
    assert after is not None
    was, now = before.plain() if before else {}, after.plain()
    for event, entry in entries.items():
        assert now["hooks"][event] == [*was.get("hooks", {}).get(event, []), entry]
    for event in was.get("hooks", {}):
        assert event in entries or now["hooks"][event] == was["hooks"][event]
    assert {name: now[name] for name in now if name != "hooks"} == {
        **beside,
        **{name: was[name] for name in was if name != "hooks"},
    }


@given(texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_without_a_record_ours_go_and_all_others_stay(text: str, agent: str) -> None:
    made = edit.add(text, wanted(agent), {})
    bare = edit.remove(made.text, ours)
    assert not edit.found(bare, ours)
    left, was = parse(bare), parse(text)
    assert edit._core(left.plain() if left else {}) == edit._core(was.plain() if was else {})


@given(texts(), texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_what_was_edited_meanwhile_stays(text: str, other: str, agent: str) -> None:
    """Somebody rewrote the file with other hooks beside ours, as agents do when a permission is granted."""
    made = edit.add(text, wanted(agent), AGENTS[agent].beside)
    top = parse(made.text)
    assert top is not None
    mine = {"type": "command", "command": "say done"}
    plain = top.plain()
    plain["model"] = "other"
    for event in plain["hooks"]:
        plain["hooks"][event] = [mine, *plain["hooks"][event], mine]
    rewritten = json.dumps(plain, indent=4)
    bare = parse(edit.remove(rewritten, ours, made.pieces, made.empty))
    assert bare is not None
    assert not edit.found(json.dumps(bare.plain()), ours)
    for event, entries in bare.plain()["hooks"].items():
        assert entries == [one for one in plain["hooks"][event] if not any(map(ours, edit.handlers(one)))]
    assert bare.plain()["model"] == "other"


@given(texts(), st.sampled_from(sorted(AGENTS)))
@settings(deadline=None, max_examples=EXAMPLES)
def test_renewing_what_is_right_changes_nothing_and_what_is_not_becomes_so(text: str, agent: str) -> None:
    entries = wanted(agent)
    made = edit.add(text, entries, AGENTS[agent].beside).text
    assert edit.renew(made, entries, ours) == made
    http = AGENTS[agent].wanted(Launch(HOME, mode="http", url="http://127.0.0.1:8001"))
    renewed = edit.renew(made, http, ours)
    assert edit.found(renewed, ours) == {event: edit.handlers(entry) for event, entry in http.items()}
    fewer = dict(list(http.items())[:3])
    assert set(edit.found(edit.renew(renewed, fewer, ours), ours)) == set(fewer)


def test_a_handler_of_ours_in_somebodys_group_goes_alone() -> None:
    launch = Launch(HOME)
    mine = AGENTS["claude"].handler(launch, "Stop", 1)
    text = json.dumps({"hooks": {"Stop": [{"matcher": "x", "hooks": [{"command": "a"}, mine]}]}}, indent=2)
    top = parse(edit.remove(text, ours))
    assert top is not None and top.plain() == {"hooks": {"Stop": [{"matcher": "x", "hooks": [{"command": "a"}]}]}}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', 3, "comma"),
        ('{\n  "a": 1,\n', 1, "missing"),
        ('{"a": tru}', 1, "no value"),
        ('{\n"hooks": []}', 2, "no object"),
        ('{"hooks": {\n\n"Stop": {}}}', 3, "no array"),
        ("[]", 1, "object"),
        ('{"a": 1}\n{}', 2, "behind the end"),
        ('{"a": "x\ny"}', 1, "control"),
        ("{a: 1}", 1, "double quotes"),
        ("{ /* ", 1, "without end"),
        ('{"hooks": {},\n"hooks": {}}', 2, "twice"),
        ("[" * 300, 1, "deep"),
    ],
)
def test_what_is_broken_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(NotJson) as caught:
        edit.add(text, wanted("claude"), {})
    assert line_of(text, caught.value.at) == line
    assert reason in caught.value.reason


@given(st.text(alphabet='{}[],:"/*\\ \n01truefalsnl-', max_size=40))
@settings(deadline=None, max_examples=EXAMPLES)
def test_reading_never_fails_in_another_way(text: str) -> None:
    try:
        node = parse(text)
    except NotJson as bad:
        assert 0 <= bad.at <= len(text)
        with pytest.raises(ValueError):
            json.loads(text)
    else:
        assume(node is not None)


@given(others)
def test_plain_json_reads_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value)
    node = parse(text)
    assert node is not None and node.plain() == json.loads(text)


@pytest.mark.parametrize("value", ["null", '"x"', "7", "true"])
def test_an_event_that_keeps_no_hooks_is_named_and_not_written_into(value: str) -> None:
    text = f'{{"hooks": {{"theirs": {value}, "Stop": {value}}}}}'
    with pytest.raises(NotJson, match=r"hooks\.Stop is no array"):
        edit.add(text, wanted("claude"), {})
    assert edit.remove(text, ours) == text


def test_an_empty_group_of_somebody_else_is_not_ours_to_renew() -> None:
    text = '{"hooks": {"Stop": [{"matcher": "*", "hooks": []}]}}'
    made = edit.add(text, wanted("claude"), {})
    assert edit.renew(made.text, wanted("claude"), ours) == made.text
    assert edit.remove(made.text, ours, made.pieces, made.empty) == text


def test_what_an_edit_would_lose_is_seen() -> None:
    text = '{"a": 1, "hooks": {"Stop": [{"hooks": [{"command": "x"}]}]}}'
    made = edit.add(text, wanted("claude"), {"version": 1}).text
    assert edit.keeps(text, made, ours, {"version": 1})
    for other in (made.replace('"a": 1', '"a": 2'), made.replace('"command": "x"', '"command": "y"'), made[:-1], "{}"):
        assert not edit.keeps(text, other, ours, {"version": 1})


def test_a_file_whose_name_only_begins_like_the_launchers_is_somebody_elses() -> None:
    path = Launch(HOME).path
    others = [f"{path}-of-mine --x", f"cat {path}.md", f"ls {path}/x"]
    ours_too = [path, f"{path} --agent claude", f'"{path}"; true', f"cat {path}.md && {path}"]
    assert [ours({"command": one}) for one in (*others, *ours_too)] == [False] * 3 + [True] * 4


def test_a_pipe_in_place_of_settings_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.json")
    with pytest.raises(BadInput, match="no regular file"):
        files.read(str(tmp_path / "settings.json"))
