"""The settings: which wins, what may be said where, and that a wrong word is named with its line and the right one."""

import json
import os
import re
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from eyelet_ingest import settings
from eyelet_ingest.cli import cli
from eyelet_ingest.errors import BadInput
from eyelet_ingest.settings import BY_NAME, SETTINGS, effective

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "shop"
    (folder / ".git").mkdir(parents=True)
    (folder / "src" / "deep").mkdir(parents=True)
    return folder


def write_global(text: str) -> str:
    path = Path(settings.global_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(*where: str) -> str:
    with pytest.raises(BadInput) as bad:
        effective(*where)
    return str(bad.value)


def test_without_any_file_everything_is_its_default() -> None:
    held = effective()
    assert {name: one.value for name, one in held.values.items()} == {one.name: one.default for one in SETTINGS}
    assert {one.origin for one in held.values.values()} == {"default"}


def test_the_later_one_wins_and_each_says_where_it_is_from(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_global("context: one\nlogging:\n  format: json\n  scope: both\nmetadata:\n  include_ip: false\n")
    (project / "eyelet.yaml").write_text("logging:\n  scope: project\n  format: both\ncontext: two\n")
    monkeypatch.setenv("EYELET_FORMAT", "sqlite")
    held = effective(str(project / "src" / "deep"), {"context": ("three", "--context")})
    assert (held["context"], held.values["context"].origin) == ("three", "--context")
    assert (held["logging.format"], held.values["logging.format"].origin) == ("sqlite", "EYELET_FORMAT")
    assert (held["logging.scope"], held.values["logging.scope"].origin) == ("project", f"{project}/eyelet.yaml:2")
    assert (held["metadata.include_ip"], held.values["metadata.include_ip"].origin) == (False, f"{path}:6")
    assert held.values["metadata.include_git"].origin == "default"
    assert held.files == (path, f"{project}/eyelet.yaml")
    assert held.project_root == f"{project}/.eyelet-hooks"


def test_a_projects_file_is_the_nearest_up_to_the_git_root(project: Path) -> None:
    (project.parent / "eyelet.yaml").write_text("context: outside")
    assert effective(str(project / "src"))["context"] == "default"
    (project / "eyelet.yaml").write_text("context: root")
    assert effective(str(project / "src" / "deep"))["context"] == "root"
    (project / "src" / "eyelet.yaml").write_text("context: nearer")
    assert effective(str(project / "src" / "deep"))["context"] == "nearer"
    assert effective(str(project))["context"] == "root"


def test_the_original_eyelets_files_are_understood(project: Path) -> None:
    write_global(
        "logging:\n  format: json\n  enabled: true\n  scope: project\n  global_path: ~/.claude/eyelet-logging\n"
        "  project_path: .eyelet-logging\n  add_to_gitignore: true\n\nmetadata:\n  include_hostname: true\n"
        "  include_ip: true\n"
    )
    (project / "eyelet.yaml").write_text(
        "logging:\n  path: .eyelet-logs\nmetadata:\n  custom_fields:\n    team: core\n"
    )
    held = effective(str(project))
    assert held.root == os.path.expanduser("~/.claude/eyelet-logging")
    assert held.project_root == f"{project}/.eyelet-logs"
    assert held["metadata.custom_fields"] == {"team": "core"}


WRONG = [
    ("logging:\n  formt: json", 2, "there is no setting logging.formt (did you mean logging.format?)"),
    ("format: json", 1, "there is no setting format (did you mean logging.format?)"),
    ("\nloging:\n  enabled: true", 2, "there is no setting loging (did you mean logging?)"),
    ("zzz: 1", 1, "there is no setting zzz (there are logging.enabled,"),
    ("logging:\n  format: xml", 2, "logging.format cannot be 'xml' (one of json, sqlite, both)"),
    ("logging:\n  enabled: 'no'", 2, "logging.enabled cannot be 'no' (true or false)"),
    ("logging: true", 1, "logging must hold settings (such as logging.enabled)"),
    ("limits:\n  payload_kib: -1", 2, "limits.payload_kib cannot be -1 (a whole number from 0 to 262144)"),
    ("limits:\n  payload_kib: true", 2, "limits.payload_kib cannot be True"),
    ("metadata:\n  environment: PATH", 2, "metadata.environment cannot be 'PATH' (a list of names"),
    ("metadata:\n  environment: ['A*B']", 2, "metadata.environment cannot be"),
    ("metadata:\n  custom_fields: {a: .nan}", 2, "metadata.custom_fields cannot be"),
    ("metadata:\n  custom_fields: {a: [1]}", 2, "metadata.custom_fields cannot be"),
    ("context: one\ncontext: two", 2, "context stands on line 1, too (keep one of them)"),
    ("metadata:\n  custom_fields:\n    a: 1\n    a: 2", 4, "a stands there twice"),
    ("context: ''", 1, "context cannot be ''"),
    ("- a", 1, "a file of settings holds names with values"),
    ("a: [1", 1, "expected"),
    ("? [a]\n: 1", 1, "a name must be a plain text"),
    ("logging:\n  project_path: ../elsewhere", 2, "logging.project_path cannot be '../elsewhere' (a folder inside"),
    ("logging:\n  project_path: /etc", 2, "logging.project_path cannot be '/etc' (a folder inside the project)"),
    ("logging:\n  project_path: ~/x", 2, "logging.project_path cannot be '~/x'"),
    ("logging:\n  project_path: .", 2, "logging.project_path cannot be '.'"),
    ("logging:\n  project_path: 'a/../..'", 2, "logging.project_path cannot be"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_what_is_wrong_is_named_with_file_line_and_what_it_may_be(text: str, line: int, said: str) -> None:
    path = write_global(text)
    assert f"read settings {path}:{line}: {said}" in refused() or said == "expected"
    done = CliRunner().invoke(cli, ["config", "show"])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: read settings {path}:{line}: ")


@pytest.mark.parametrize("name", [one.name for one in SETTINGS if one.only_off])
@pytest.mark.parametrize(("of_user", "of_project"), [(False, True), (True, False), (False, False), (True, True)])
def test_a_project_may_only_switch_off(name: str, of_user: bool, of_project: bool, project: Path) -> None:
    group, last = name.split(".")
    path = write_global(f"{group}: {{{last}: {str(of_user).lower()}}}\n")
    (project / "eyelet.yaml").write_text(f"{group}:\n  {last}: {str(of_project).lower()}\n")
    held = effective(str(project)).values[name]
    assert held.value is (of_user and of_project)
    refused_to = f"{path}:1 ({project}/eyelet.yaml:2 may only switch it off)"
    assert held.origin == (refused_to if of_project > of_user else f"{project}/eyelet.yaml:2")


def test_all_that_is_said_about_the_machine_is_only_to_be_switched_off() -> None:
    flags = {one.name for one in SETTINGS if one.name.startswith("metadata.include_")}
    assert flags | {"logging.enabled"} == {one.name for one in SETTINGS if one.only_off}


@pytest.mark.parametrize("name", [one.name for one in SETTINGS if not one.of_project])
def test_a_project_may_not_say_where_to_write_or_what_of_the_environment_to_keep(name: str, project: Path) -> None:
    group, last = name.split(".")
    (project / "eyelet.yaml").write_text(f"{group}:\n  {last}: x")
    assert f"{project}/eyelet.yaml:2: {name} cannot be set by a project (set it in " in refused(str(project))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00", b"a: !!python/object:os.system x", b"\t:"])
def test_what_is_no_yaml_is_said_to_be_none(content: bytes) -> None:
    Path(settings.global_file()).parent.mkdir(parents=True)
    Path(settings.global_file()).write_bytes(content)
    assert refused().startswith(f"read settings {settings.global_file()}")


def test_a_small_file_cannot_say_more_than_memory_holds() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for at in range(1, 15):
        this, before = chr(97 + at), chr(96 + at)
        lines.append(f"{this}: &{this} [{', '.join(['*' + before] * 10)}]")
    write_global("\n".join(lines))
    assert "it nests too deep, or says too much" in refused()
    write_global("&a [*a]")
    assert "read settings" in refused()
    write_global("context: " + "[" * 5_000)
    assert "read settings" in refused()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [("EYELET_FORMAT", "xml", "logging.format cannot be 'xml'"), ("EYELET_ENABLED", "si", "true or false")],
)
def test_a_wrong_variable_is_named(variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert said in refused()
    assert f"read settings {variable}: " in refused()


@pytest.mark.parametrize(
    ("name", "value", "enabled"),
    [
        ("EYELET_DISABLED", "1", False),
        ("EYELET_DISABLED", "0", True),
        ("EYELET_ENABLED", "false", False),
        ("EYELET_ENABLED", "1", True),
    ],
)
def test_the_environment_may_switch_it_off(
    name: str, value: str, enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert effective()["logging.enabled"] is enabled


def test_config_show_says_each_value_and_its_origin(project: Path) -> None:
    (project / "eyelet.yaml").write_text("logging:\n  enabled: false\nmetadata:\n  custom_fields: {team: core}\n")
    args = ["config", "show", "--project", str(project)]
    shown = json.loads(CliRunner().invoke(cli, [*args, "--json"], catch_exceptions=False).stdout)
    by_name = {one["name"]: (one["value"], one["origin"]) for one in shown}
    assert set(BY_NAME) < set(by_name)
    assert by_name["logging.enabled"] == (False, f"{project}/eyelet.yaml:2")
    assert by_name["metadata.custom_fields"] == ({"team": "core"}, f"{project}/eyelet.yaml:4")
    assert by_name["sqlite.writer.synchronous"] == ("normal", "default")
    table = CliRunner().invoke(cli, args, catch_exceptions=False).stdout
    assert re.search(rf"^logging.enabled +false +{re.escape(str(project))}/eyelet.yaml:2$", table, re.M)


def test_the_schema_for_editors_has_every_setting_and_no_other() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["config", "schema"], catch_exceptions=False).stdout)

    def names(part: dict[str, Any], before: str = "") -> list[str]:
        if "properties" not in part:
            return [before]
        assert part["additionalProperties"] is False
        return [
            one for name, inner in part["properties"].items() for one in names(inner, f"{before}.{name}".strip("."))
        ]

    assert sorted(names(schema)) == sorted(BY_NAME)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)
def test_every_setting_is_in_the_docs_with_its_default_and_variable(setting: settings.Setting) -> None:
    docs = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    (row,) = [line for line in docs.splitlines() if line.startswith(f"| `{setting.name}` |")]
    assert not setting.variable or f"`{setting.variable}`" in row
    assert all(f"`{word}`" in row for word in setting.words)
    assert ("not by a project" in row) is not setting.of_project
    assert ("a project only off" in row) is setting.only_off


@hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), deadline=None)
@given(
    st.sampled_from(SETTINGS), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
)
def test_whatever_a_file_says_is_a_setting_or_a_refusal(setting: settings.Setting, value: Any) -> None:
    try:
        kept = settings.checked(setting, value, "here")
    except BadInput as bad:
        assert "read settings here: " in str(bad)
    else:
        assert list(kept) == value if setting.kind in ("names", "values", "command") else kept == value
