"""The rooms of docs/architecture.md: which way imports may point, and what the hook's hot path may load."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
INGEST = REPOSITORY / "ingest" / "eyelet_ingest"
PLUGIN = REPOSITORY / "datasette_eyelet"
HOT = [
    *("capture", "live", "intake", "jsontext", "events", "errors", "redaction", "sources.claude_hooks", "store.writer"),
    *("metadata", "limits", "json_files", "project_root", "faults", "pause", "surroundings", "patterns", "posting"),
    *("store.rows", "store.spool", "hot", "plugged", "sources.registry", "redaction_probes", "redaction_runs"),
    *("system", "store.connect", "store.identity", "store.roles", "git_facts"),
]


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def forbidden(folder: Path, *prefixes: str) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in sorted(folder.rglob("*.py"))
        for name in imports_of(path)
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
    ]


def test_ingest_never_imports_datasette() -> None:
    assert forbidden(INGEST, "datasette", "datasette_eyelet") == []


def test_the_plugin_takes_the_command_line_only_to_hand_it_to_datasettes() -> None:
    found = forbidden(PLUGIN, "eyelet_ingest.cli")
    assert {line.split()[0] for line in found} == {"datasette_eyelet/__init__.py"}


@pytest.mark.parametrize("door", [["eyelet"], ["datasette", "eyelet"], ["sqlite-utils", "eyelet"]], ids=" ".join)
def test_one_command_group_has_three_doors(door: list[str]) -> None:
    command = [str(Path(sys.executable).parent / door[0]), *door[1:], "query", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("search", "summary", "errors", "session", "grep"):
        assert f"  {name}" in done.stdout


def test_the_store_imports_nothing_above_it() -> None:
    names = ("cli", "sources", "pipeline", "head", "redaction", "capture", "intake", "health")
    above = [f"eyelet_ingest.{name}" for name in names]
    assert forbidden(INGEST / "store", "click", "pluggy", "sqlite_utils", "datasette", *above) == []


def test_health_knows_no_command_and_no_statement() -> None:
    assert forbidden(INGEST / "health", "click", "datasette", "eyelet_ingest.cli") == []
    for path in sorted((INGEST / "health").glob("*.py")):
        assert not re.search(r"\.execute\(|\bselect .+ from \w+ where\b", path.read_text(encoding="utf-8")), path


def test_leaves_import_nothing_of_ours() -> None:
    for leaf in ("events.py", "errors.py"):
        assert not any(name.startswith("eyelet_ingest") for name in imports_of(INGEST / leaf))


def test_only_connect_chooses_a_sqlite() -> None:
    drivers = ("sqlite3", "pysqlite3", "_sqlite3")
    found = forbidden(INGEST, *drivers) + forbidden(PLUGIN, *drivers)
    assert {line.split()[0] for line in found} == {"ingest/eyelet_ingest/store/connect.py"}


def test_only_schema_defines_and_only_writer_inserts_rows() -> None:
    """DDL of partitions in one file, INSERT into hooks in one file."""
    for path in sorted(INGEST.rglob("*.py")):
        text = path.read_text(encoding="utf-8").lower()
        if path.name != "schema.py":
            assert "create table hooks" not in text, path
            assert "insert into hooks" not in text, path
        if path.name not in ("schema.py", "writer.py", "single_file.py"):
            assert "schema.insert" not in text, path


def test_only_text_schema_defines_the_text_index() -> None:
    for path in sorted([*INGEST.rglob("*.py"), *PLUGIN.rglob("*.py")]):
        text = path.read_text(encoding="utf-8").lower()
        if path.name != "text_schema.py":
            for kind in ("view {view}", "view hooks_text", "table {index}", "table hooks_fts", "trigger eyelet_text"):
                assert f"create {kind}" not in text and f"create virtual {kind}" not in text, path


def test_the_modules_of_one_version_only_are_known_to_compat_alone() -> None:
    for path in sorted(PLUGIN.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name != "compat.py":
            assert "permission_allowed" not in text, path
            assert "register_actions" not in text, path


@pytest.mark.parametrize("module", HOT)
def test_the_capture_path_loads_no_heavy_module(module: str) -> None:
    """In the interpreter the hook runs in, by path, nothing dear is imported: it would be paid on every tool call."""
    code = f"""
import sys
sys.path.append({str(INGEST.parent)!r})
import eyelet_ingest.{module}
dear = {{"os", "posixpath", "stat"}}
dear |= {{"json", "re", "typing", "dataclasses", "collections", "contextlib", "functools", "datetime", "pathlib",
         "enum", "sqlite3", "hashlib", "random", "logging", "inspect", "tempfile", "shutil", "subprocess", "argparse",
         "click", "sqlite_utils", "pluggy", "datasette"}}
print(" ".join(sorted(dear & set(sys.modules))))
print(" ".join(name for name in sys.modules if ".text_" in name))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []  # nor anything of the text index


def test_console_scripts_version_prints_without_loading_the_store() -> None:
    code = "import sys; import eyelet_ingest; print(sorted(m for m in sys.modules if m.startswith('eyelet_ingest')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['eyelet_ingest']"
