"""The hook does what the settings say: where it records, as what, what besides the payload, and when nothing at all."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from eyelet_ingest import capture, faults, json_files, limits, metadata, pause, settings, surroundings
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import identity
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

LIGHT = [sys.executable, "-I", "-S", str(Path(capture.__file__))]
SECRET = "ghp_" + "Ab3dEf7hIj" * 4


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git working tree on a branch, with a remote that has credentials."""
    folder = tmp_path / "work"
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    (folder / ".git" / "config").write_text(f'[remote "origin"]\n\turl = https://me:{SECRET}@example.org/a.git\n')
    return folder


def hook(project: Path, said: str = "", *, flags: tuple[str, ...] = (), env: dict[str, str] | None = None,
         of_project: str = "", **fields: object) -> None:  # fmt: skip
    """One event in `project` under these settings, global and of the project."""
    home = Path.home() / ".eyelet"
    home.mkdir(exist_ok=True, mode=0o700)
    if said:
        (home / "eyelet.yaml").write_text(said)
    if of_project:
        (project / "eyelet.yaml").write_text(of_project)
    with patch.object(surroundings, "WAIT_MS", 20_000):  # the hook would give up where the machine is busy
        surroundings.Surroundings(str(project))
    given = json.dumps({"session_id": "s1", "hook_event_name": "PostToolUse", "tool_name": "Bash", **fields})
    surrounding = {**os.environ, **(env or {})}
    done = subprocess.run([*LIGHT, *flags], input=given.encode(), capture_output=True, cwd=project, env=surrounding)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def rows(root: Path) -> list[dict[str, object]]:
    if not root.is_dir():
        return []
    with Store(str(root)) as store:
        store.drain_spool()
        return store.search(Filter(), limit=1000).rows


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


GLOBAL = Path("~/.eyelet")


@pytest.mark.parametrize(("scope", "counts"), [("global", (1, 0)), ("project", (0, 1)), ("both", (1, 1))])
def test_the_scope_says_into_which_roots(project: Path, scope: str, counts: tuple[int, int]) -> None:
    hook(project, f"logging:\n  scope: {scope}\n")
    found = rows(GLOBAL.expanduser()), rows(project / ".eyelet-hooks")
    assert (len(found[0]), len(found[1])) == counts
    if scope == "both":
        assert found[0][0]["uid"] == found[1][0]["uid"]  # one event, whoever brings the roots together
    if scope != "global":
        assert (project / ".eyelet-hooks" / ".gitignore").read_text() == "*\n"
        assert (project / ".eyelet-hooks").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("scope", ["global", "project", "both"])
@pytest.mark.parametrize("form", ["sqlite", "json"])
def test_each_root_has_the_markers_of_its_own_key(project: Path, scope: str, form: str) -> None:
    env = {"EYELET_NOTE": SECRET}
    said = {"tool_input": {"command": f"echo {SECRET}", SECRET: SECRET}, "cwd": f"/tmp/{SECRET}"}
    hook(project, f"logging:\n  scope: {scope}\n  format: {form}\n", env=env, **said)
    hashes = set()
    for root in (GLOBAL.expanduser(), project / ".eyelet-hooks"):
        if scope not in ("both", {".eyelet": "global"}.get(root.name, "project")):
            continue
        content = all_bytes(root)
        found = set(re.findall(rb"\[redacted:[a-z-]+:([0-9a-f]{6})\]", content))
        marker = Redactor(identity.load_key(str(root))).marker("github-token", SECRET)
        assert found == {marker[-7:-1].encode()} and marker.encode() in content and SECRET.encode() not in content
        hashes |= found
    assert len(hashes) == (2 if scope == "both" else 1)


@pytest.mark.parametrize("scope", ["global", "project"])
def test_what_is_no_json_has_the_markers_of_its_root_too(project: Path, scope: str) -> None:
    (Path.home() / ".eyelet").mkdir(mode=0o700)
    (Path.home() / ".eyelet" / "eyelet.yaml").write_text(f"logging: {{scope: {scope}}}\n")
    subprocess.run(LIGHT, input=f'{{"a": "{SECRET}", '.encode(), cwd=project, check=True)
    root = GLOBAL.expanduser() if scope == "global" else project / ".eyelet-hooks"
    (row,) = rows(root)
    kept = json.loads(str(row["data"]))
    marker = Redactor(identity.load_key(str(root))).marker("github-token", SECRET)
    assert base64.b64decode(kept["_raw"]) == f'{{"a": "{marker}", '.encode()


def test_a_hook_has_the_patterns_and_the_values_that_stay(project: Path) -> None:
    said = "redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n  allow: ['hunter-stays']\n"
    hook(
        project, said, tool_input={"command": "echo ACME-ABCDEFGHI", "password": "hunter-stays", "secret": "goes-away"}
    )
    hook(project, tool_input={"command": "no secret at all"})
    first, second = rows(GLOBAL.expanduser())[::-1]
    redactor = Redactor(identity.load_key(str(GLOBAL.expanduser())))
    given = json.loads(str(first["data"]))["tool_input"]
    assert given["command"] == f"echo {redactor.marker('acme-key', 'ACME-ABCDEFGHI')}"
    assert given["password"] == "hunter-stays" and given["secret"] == redactor.marker("secret", "goes-away")
    assert json.loads(str(second["data"]))["tool_input"] == {"command": "no secret at all"}
    assert not faults.read(surroundings.home())


def test_with_wrong_patterns_a_hook_goes_on_with_what_they_were_and_says_so(project: Path) -> None:
    hook(
        project, "redaction:\n  patterns:\n    acme-key: 'ACME-[A-Z]{9}'\n", tool_input={"command": "ACME-ABCDEFGHI 1"}
    )
    hook(project, "redaction:\n  patterns:\n    acme-key: '(?:x+)+y'\n", tool_input={"command": "ACME-ABCDEFGHI 2"})
    assert b"ABCDEFGHI" not in all_bytes(GLOBAL.expanduser() / "logs")
    (fault,) = faults.read(surroundings.home())
    assert fault.kind == "settings" and "eyelet.yaml:3: redaction.patterns.acme-key" in fault.reason


def test_a_gitignore_is_made_with_the_root_and_never_again_and_only_if_it_is_wanted(project: Path) -> None:
    hook(project, "logging: {scope: project}\n")
    (project / ".eyelet-hooks" / ".gitignore").unlink()
    hook(project)
    assert not (project / ".eyelet-hooks" / ".gitignore").exists()
    hook(project, "logging: {scope: project, project_path: other, add_to_gitignore: false}\n")
    assert len(rows(project / "other")) == 1
    assert not (project / "other" / ".gitignore").exists()


def hostile_link(project: Path, outside: Path) -> None:
    (project / ".eyelet-hooks").symlink_to(outside)


def hostile_inner_link(project: Path, outside: Path) -> None:
    (project / ".eyelet-hooks").mkdir(mode=0o700)
    (project / ".eyelet-hooks" / "logs").symlink_to(outside)


def hostile_folder(project: Path, outside: Path) -> None:
    (project / ".eyelet-hooks").mkdir()
    (project / ".eyelet-hooks").chmod(0o755)  # as git makes folders


def hostile_file(project: Path, outside: Path) -> None:
    (project / ".eyelet-hooks").write_text("a file")


@pytest.mark.parametrize("prepare", [hostile_link, hostile_inner_link, hostile_folder, hostile_file])
def test_a_root_that_somebody_prepared_is_not_used_and_the_event_is_kept_globally(
    project: Path, tmp_path: Path, prepare  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    prepare(project, outside)
    hook(project, of_project="logging: {scope: project}\n")
    assert list(outside.iterdir()) == []
    assert len(rows(GLOBAL.expanduser())) == 1
    assert [fault.kind for fault in faults.read(surroundings.home())] == ["project"]


@pytest.mark.parametrize(("form", "counts"), [("json", (0, 1)), ("sqlite", (1, 0)), ("both", (1, 1))])
def test_the_format_says_as_what(project: Path, form: str, counts: tuple[int, int]) -> None:
    hook(project, f"logging: {{format: {form}}}\n", tool_input={"command": "ls"})
    root = GLOBAL.expanduser()
    files = list(json_files.files(str(root)))
    assert (len(rows(root)), len(files)) == counts
    for path in files:
        assert os.stat(path).st_mode & 0o777 == 0o600
        kind, tool, date, _ = Path(path).relative_to(root / "json").parts
        assert (kind, tool, date) == ("PostToolUse", "Bash", time.strftime("%Y-%m-%d", time.gmtime()))
        held = json_files.read(path)
        assert held["session_id"] == "s1"
        assert held["data"]["tool_input"] == {"command": "ls"}  # type: ignore[index]
        assert held["meta"]["git"]["branch"] == "main"  # type: ignore[index]


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc/passwd", "", ".", "..", "a" * 300, "x\0y", SECRET, "Ärger", "logs"]
)
def test_no_name_of_an_event_leads_out_of_its_folder(project: Path, name: str) -> None:
    hook(project, "logging: {format: json}\n", hook_event_name=name, tool_name=name)
    root = GLOBAL.expanduser()
    (path,) = json_files.files(str(root))
    assert len(Path(path).relative_to(root / "json").parts) == 4
    assert SECRET not in path
    assert SECRET.encode() not in all_bytes(root)


def test_a_format_that_fails_costs_the_other_nothing(project: Path) -> None:
    root = GLOBAL.expanduser()
    root.mkdir()
    (root / "json").write_text("in the way")
    hook(project, "logging: {format: both}\n")
    assert len(rows(root)) == 1
    hook(project, "logging: {format: json}\n", session_id="kept")
    assert {row["session_id"] for row in rows(root)} == {"s1", "kept"}
    assert [fault.kind for fault in faults.read(surroundings.home())] == ["json", "json", "spooled"]


def test_the_metadata_is_there_and_without_secrets(project: Path) -> None:
    said = f"metadata:\n  custom_fields:\n    team: core\n    api_token: {SECRET}\n    size: 3\n"
    variables = {
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_CODE_OAUTH_TOKEN": "plain-but-telling-123",
        "EYELET_NOTE": f"see {SECRET}",
        "EYELET_LONG": "x" * 5_000,
        "OTHER": "not allowed",
    }
    hook(project, said, env=variables)
    (row,) = rows(GLOBAL.expanduser())
    meta = json.loads(str(row["meta"]))
    assert meta["git"] == {"branch": "main", "commit": "1" * 40, "remote": "https://example.org/a.git"}
    assert row["git_branch"] == "main"
    assert row["hostname"] == os.uname().nodename
    assert row["ip_address"] == metadata.address(surroundings.home())
    assert (meta["custom"]["team"], meta["custom"]["size"]) == ("core", 3)
    assert meta["environment"]["CLAUDE_CODE_ENTRYPOINT"] == "cli"
    redactor = Redactor(identity.load_key(str(GLOBAL.expanduser())))
    marker = redactor.marker("withheld", variables["CLAUDE_CODE_OAUTH_TOKEN"])
    assert meta["environment"]["CLAUDE_CODE_OAUTH_TOKEN"] == marker
    assert meta["environment"]["EYELET_LONG"].startswith("xxx")
    assert len(meta["environment"]["EYELET_LONG"]) < 600
    assert "OTHER" not in meta["environment"]
    found = all_bytes(GLOBAL.expanduser() / "logs")
    assert SECRET.encode() not in found
    assert b"plain-but-telling" not in found


def test_each_part_of_the_metadata_can_be_switched_off(project: Path) -> None:
    names = ("hostname", "ip", "git", "environment")
    hook(project, "metadata:\n" + "".join(f"  include_{name}: false\n" for name in names), env={"EYELET_NOTE": "x"})
    (row,) = rows(GLOBAL.expanduser())
    assert (row["hostname"], row["ip_address"], row["meta"]) == (None, None, "{}")


def test_the_address_is_asked_for_once_an_hour_and_nothing_is_sent(tmp_path: Path) -> None:
    home = str(tmp_path / "eyelet")
    first = metadata.address(home)
    kept = tmp_path / "eyelet" / "cache" / "address"
    assert kept.read_text() == (first or "")
    kept.write_text("203.0.113.7")
    assert metadata.address(home) == "203.0.113.7"
    os.utime(kept, (time.time() - 4_000,) * 2)
    assert metadata.address(home) == first


@pytest.mark.parametrize("switch", ["enabled", "project", "variable", "pause", "pause here"])
def test_nothing_is_recorded_where_that_is_wanted(project: Path, switch: str) -> None:
    home = surroundings.home()
    if switch == "pause":
        pause.rest(home, "", time.time() + 60)
    if switch == "pause here":
        pause.rest(home, str(project), 0)
    hook(
        project,
        "logging: {enabled: false}\n" if switch == "enabled" else "",
        of_project="logging: {enabled: false}\n" if switch == "project" else "",
        env={"EYELET_ENABLED": "0"} if switch == "variable" else None,
    )
    assert rows(Path(home)) == []
    assert not (Path(home) / "spool").exists()


def test_a_cloned_project_switches_nothing_on_that_the_user_switched_off(project: Path) -> None:
    said = ("hostname", "ip", "git", "environment")
    off = "".join(f"  include_{name}: false\n" for name in said)
    hook(project, f"metadata:\n{off}", of_project=f"metadata:\n{off.replace('false', 'true')}")
    (row,) = rows(GLOBAL.expanduser())
    assert (row["hostname"], row["ip_address"]) == (None, None)
    assert not {"git", "environment"} & set(json.loads(str(row["meta"] or "{}")))
    hook(project, "logging: {enabled: false}\n", of_project="logging: {enabled: true}\n")
    assert len(rows(GLOBAL.expanduser())) == 1
    hook(project, env={"EYELET_ENABLED": "1"})  # the user's own
    assert len(rows(GLOBAL.expanduser())) == 2


@pytest.mark.parametrize("removed", ["global", "project", "both"])
def test_what_a_removed_file_said_holds_for_no_further_event(project: Path, removed: str) -> None:
    hook(project, "context: of-user\n", of_project="metadata: {include_hostname: false}\n")
    hook(project)
    if removed != "project":
        (Path.home() / ".eyelet" / "eyelet.yaml").unlink()
    if removed != "global":
        (project / "eyelet.yaml").unlink()
    hook(project)
    found = sorted(rows(GLOBAL.expanduser()), key=lambda row: row["id"])  # type: ignore[arg-type,return-value]
    seen = [(row["context_name"], row["hostname"] is None) for row in found]
    after = ("of-user" if removed == "project" else "default", removed == "global")
    assert seen == [("of-user", True), ("of-user", True), after]


def test_what_is_resumed_is_recorded_again(project: Path) -> None:
    home = surroundings.home()
    pause.rest(home, str(project), 0)
    pause.rest(home, "", 0)
    assert len(pause.resume(home, str(project))) == 1
    assert pause.rests(home, (str(project),))
    pause.resume(home, "")
    assert not os.path.exists(os.path.join(home, pause.FILE_NAME))
    hook(project)
    assert len(rows(Path(home))) == 1


def test_flags_come_before_the_environment_and_that_before_files(project: Path, tmp_path: Path) -> None:
    said = f"context: of-file\nlogging: {{global_path: {tmp_path}/of-file}}\n"
    hook(project, said)
    env = {"EYELET_CONTEXT": "of-env", "EYELET_ROOT": str(tmp_path / "of-env")}
    hook(project, env=env)
    hook(project, env=env, flags=("--root", str(tmp_path / "of-flag"), "--context=of-flag"))
    for name in ("of-file", "of-env", "of-flag"):
        assert [row["context_name"] for row in rows(tmp_path / name)] == [name]


def test_a_wrong_setting_is_counted_and_costs_no_event(project: Path) -> None:
    hook(project, "logging: {fromat: json}\n")
    assert len(rows(GLOBAL.expanduser())) == 1
    (fault,) = faults.read(surroundings.home())
    assert (fault.kind, "fromat" in fault.reason) == ("settings", True)


def test_a_repeated_file_is_kept_once_unless_that_is_wanted(project: Path) -> None:
    text = "line\n" * 400
    fields = {"tool_name": "Write", "tool_input": {"content": text}, "tool_response": {"content": text}}
    hook(project, **fields)
    hook(project, "limits: {repeated: true}\n", **fields)
    whole, once = rows(GLOBAL.expanduser())
    assert json.loads(str(whole["data"]))["tool_response"] == {"content": text}
    assert len(str(once["data"])) < len(text) + 700
    repeated = json.loads(str(once["meta"]))["repeated"]
    assert limits.expand(json.loads(str(once["data"])), repeated) == json.loads(str(whole["data"]))


def test_a_payload_is_cut_to_its_limit_and_says_so(project: Path) -> None:
    hook(project, "limits: {payload_kib: 16}\n", tool_response={"stdout": "x" * 100_000})
    (row,) = rows(GLOBAL.expanduser())
    assert len(str(row["data"])) <= 16_384
    assert "of 100000 characters]" in str(row["data"])
    assert json.loads(str(row["meta"]))["cut"]["texts"] == 1


def test_without_a_home_folder_nothing_is_made_anywhere(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    package = str(Path(LIGHT[-1]).parent.parent)
    code = (
        f"import os, sys, runpy; sys.path.insert(0, {package!r}); sys.argv = ['capture.py']; "
        f"os.path.expanduser = lambda path: path; runpy.run_path({LIGHT[-1]!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], input=b'{"a":1}', cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0
    assert not (tmp_path / "~").exists()
    assert not (tmp_path / ".eyelet").exists()


def test_faults_are_bounded_private_and_without_secrets(tmp_path: Path) -> None:
    home = str(tmp_path / "new" / "home")
    faults.note(home, "spooled", f"token {SECRET}\nand\tmore")
    (fault,) = faults.read(home)
    assert (fault.kind, SECRET in fault.reason, "\n" in fault.reason) == ("spooled", False, False)
    path = Path(home, faults.FILE_NAME)
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("a") as file:
        file.write("nonsense\n" * 40_000)
    for _ in range(3):
        faults.note(home, "lost", "x" * 10_000)
    assert path.stat().st_size < 2_000
    assert [one.kind for one in faults.read(home)] == ["spooled", "lost", "lost", "lost"]
    faults.clear(home)
    assert faults.read(home) == []


def test_every_kind_of_fault_has_its_sentence() -> None:
    package = Path(capture.__file__).parent
    text = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "faults.py")
    for kind in faults.KINDS:
        assert f'"{kind}"' in text or f"\\t{kind}\\t" in text


def test_the_settings_of_the_hook_are_those_of_everybody(project: Path) -> None:
    assert settings.compiled(settings.of_files("", "")) == surroundings.DEFAULTS
