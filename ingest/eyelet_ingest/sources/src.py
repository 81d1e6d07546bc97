"""`src`, the dotted name of where an event comes from: `claude.posttooluse.bash.git.push`.

Light: the hook imports it. Never raises, whatever a command looks like. What it makes of a command is two words at
most, a program's name and its subcommand, and only where they look like such: an argument's value never gets in.
"""

TYPE_CHECKING = False  # importing `typing` would cost the hook more than all of this file
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARTS = 8
MAX_CHARS = 160
PART_MAX_CHARS = 64
WORD_MAX_CHARS = 32
LOOKED_AT_CHARS = 4_000  # of a command: its first program stands near its beginning

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_PROGRAM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+")
_ENDS_COMMAND = frozenset(";|&()\n")
_SPECIAL = frozenset("\"'\\`$<>*?#=~{}[]!;|&()\n")

# What prepares the shell and is not what the command is about.
_PREPARES = frozenset(
    ("cd", "pushd", "popd", "export", "set", "unset", "source", ".", "true", ":", "shopt", "umask", "ulimit", "trap")
)
_KEYWORDS = frozenset(
    ("if", "then", "elif", "else", "while", "until", "do", "!", "{", "}", "fi", "done", "esac", "coproc")
)
_HEADS = frozenset(("for", "case", "select", "function"))  # the words that follow are no command
# Programs that run another, and their options that take a value of their own.
_WRAPPERS = {
    "sudo": (
        "-u",
        "-g",
        "-h",
        "-p",
        "-C",
        "-T",
        "-U",
        "-r",
        "-t",
        "-D",
        "-R",
        "--user",
        "--group",
        "--host",
        "--chdir",
    ),
    "doas": ("-u", "-C"),
    "env": ("-u", "-C", "--unset", "--chdir"),
    "time": ("-f", "-o", "--format", "--output"),
    "timeout": ("-s", "-k", "--signal", "--kill-after"),
    "gtimeout": ("-s", "-k", "--signal", "--kill-after"),
    "nice": ("-n", "--adjustment"),
    "ionice": ("-c", "-n", "-p"),
    "stdbuf": ("-i", "-o", "-e"),
    "exec": ("-a",),
    "nohup": (),
    "setsid": (),
    "command": (),
    "builtin": (),
}
_TAKES_DURATION = frozenset(("timeout", "gtimeout"))
# Programs whose first word says what they do, and their options that take a value of their own.
_SUBCOMMANDS = {
    "git": ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"),
    "gh": ("-R", "--repo"),
    "glab": ("-R", "--repo"),
    "docker": ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level"),
    "podman": ("-c", "--connection", "--log-level", "--root"),
    "kubectl": ("-n", "--namespace", "--context", "--cluster", "--kubeconfig", "-s", "--server", "--user"),
    "helm": ("-n", "--namespace", "--kube-context", "--kubeconfig"),
    "npm": ("--prefix", "-C", "-w", "--workspace"),
    "pnpm": ("-C", "--dir", "--filter", "-F"),
    "yarn": ("--cwd",),
    "make": ("-C", "-f", "-j", "--directory", "--file", "-o", "-W", "-I"),
    "just": ("-f", "--justfile", "-d", "--working-directory"),
    "cargo": ("-C", "--config", "-Z", "--manifest-path", "--color"),
    "go": ("-C",),
    "uv": ("--directory", "--project", "--config-file", "-p", "--python"),
    "poetry": ("-C", "--directory", "-P", "--project"),
    "terraform": (),
    "systemctl": ("-H", "-M", "-t", "--type"),
    "apt": ("-o", "-c", "-t"),
    "apt-get": ("-o", "-c", "-t"),
    "aws": ("--profile", "--region", "--output", "--endpoint-url"),
    "gcloud": ("--project", "--account", "--configuration", "--format"),
}
_SUBCOMMANDS |= dict.fromkeys(
    (
        *("az", "bazel", "bd", "brew", "bun", "bundle", "claude", "codex", "composer", "conda", "dart"),
        *("datasette", "deno", "dnf", "dotnet", "eyelet", "firebase", "flutter", "fly", "flyctl"),
        *("gem", "gradle", "gradlew", "heroku", "hg", "jj", "mise", "mix", "mvn", "netlify", "nix"),
        *("pacman", "php", "pip", "pip3", "pipenv", "pipx", "prisma", "rails", "rake", "rustup"),
        *("sqlite-utils", "stack", "supabase", "svn", "swift", "tofu", "vercel", "wrangler", "yum"),
        "zig",
    ),
    (),
)
_SUBCOMMANDS["php"] = ("-d", "-c")


def src(*parts: str) -> str:
    """The parts, lower case and made of `[a-z0-9_-]`, joined by dots: at most 8 of them and 160 characters."""
    kept = [safe for part in parts[: 2 * MAX_PARTS] if (safe := _part(part))]
    return ".".join(kept[:MAX_PARTS])[:MAX_CHARS].rstrip(".")


def of_tool(agent: str, event: str, tool_name: str | None, command: str | None = None) -> str:
    """`<agent>.<event>`, then what there is to say of the tool: of Bash the program and subcommand of its command."""
    return src(agent, event, *tool_parts(tool_name, command))


def tool_parts(tool_name: str | None, command: str | None = None) -> "list[str]":
    """What `src` says of a tool: its name, of an MCP tool its server and name, of Bash the program and subcommand."""
    if not tool_name:
        return []
    if tool_name.startswith("mcp__"):
        return ["mcp", *tool_name[5:].split("__", 1)]
    if tool_name == "Bash" and command is not None:
        return [tool_name, *command_parts(command)]
    return [tool_name]


def command_parts(command: str) -> "list[str]":
    """The first real program of a shell command, and its subcommand where it has them; [] where there is none."""
    fallback: list[str] = []
    for words in _commands(command[:LOOKED_AT_CHARS]):
        found = _program(words)
        if not found:
            continue
        if found[0] not in _PREPARES:
            return found
        fallback = fallback or found[:1]
    return fallback


def _part(text: str) -> str:
    text = text[:PART_MAX_CHARS]
    if _SAFE.issuperset(text):
        return text
    return "".join([char if char in _SAFE else "_" for char in text.lower()])[:PART_MAX_CHARS]


def _program(words: "list[str]") -> "list[str]":
    """The program that a simple command runs, behind assignments, keywords and wrappers, with its subcommand."""
    at, count = 0, len(words)
    while at < count:
        word = words[at]
        if word in _KEYWORDS or _is_assignment(word):
            at += 1
            continue
        name = word.rpartition("/")[2]
        if word in _HEADS or not name or len(name) > WORD_MAX_CHARS or not _PROGRAM.issuperset(name):
            return []
        takes_value = _WRAPPERS.get(name)
        after = at + 1
        if takes_value is not None:
            after = _after_options(words, after, takes_value)
            if name in _TAKES_DURATION:
                after += 1
            if any(not _is_assignment(rest) for rest in words[after:]):
                at = after
                continue
        return _with_subcommand(name, words, at + 1)
    return []


def _with_subcommand(name: str, words: "list[str]", at: int) -> "list[str]":
    takes_value = _SUBCOMMANDS.get(name)
    if takes_value is None:
        return [name]
    while at < len(words) and words[at].startswith("+"):  # cargo's toolchain
        at += 1
    at = _after_options(words, at, takes_value)
    if at < len(words) and _is_subcommand(words[at]):
        return [name, words[at]]
    return [name]


def _after_options(words: "list[str]", at: int, takes_value: "tuple[str, ...]") -> int:
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in takes_value else 1
    return at


def _is_subcommand(word: str) -> bool:
    return 0 < len(word) <= WORD_MAX_CHARS and word[0] in _LOWER and _SAFE.issuperset(word)


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and _NAME.issuperset(name.rstrip("+")) and not name[:1].isdigit() and bool(name)


def _commands(text: str) -> "Iterator[list[str]]":
    """The words of each simple command, in order, as a shell splits them; what is quoted or expanded is marked.

    A word that holds an expansion keeps its `$` or backtick, so that it is taken neither for a program nor for a
    subcommand. Redirections and comments are left out.
    """
    words: list[str] = []
    word = ""
    in_word = skip = False  # skip: the next word is the target of a redirection
    at, end = 0, len(text)
    while at <= end:
        char = text[at] if at < end else "\n"
        if char in " \t\r" or char in _ENDS_COMMAND or char in "<>":
            if in_word and char in "<>" and word.isdigit():
                in_word = False  # the 2 of 2>
            if in_word:
                if not skip:
                    words.append(word)
                skip = in_word = False
            word = ""
            if char in "<>":
                while at + 1 < end and text[at + 1] in "<>&|-":
                    at += 1
                skip = True
            elif char in _ENDS_COMMAND:
                if words:
                    yield words
                words, skip = [], False
            at += 1
            continue
        if char == "#" and not in_word:
            line_end = text.find("\n", at)
            at = end if line_end < 0 else line_end
            continue
        if text.startswith("\\\n", at):  # the line goes on
            at += 2
            continue
        piece, at = _piece(text, at, end)
        word += piece
        in_word = True


def _piece(text: str, at: int, end: int) -> "tuple[str, int]":
    """The next piece of a word and where it ends: a run of plain characters, a quotation, an escape, an expansion."""
    char = text[at]
    if char == "\\":
        return text[at + 1 : at + 2], min(at + 2, end)
    if char in "'\"":
        close = _quotation_end(text, at, end)
        return text[at + 1 : close], min(close + 1, end)
    if char == "`" or text.startswith("$(", at):
        return "$", _expansion_end(text, at, end)
    stop = at + 1
    while stop < end and text[stop] not in _SPECIAL and not text[stop].isspace():
        stop += 1
    return text[at:stop], stop


def _quotation_end(text: str, at: int, end: int) -> int:
    """Where the quotation that begins at `at` has its closing mark, or the end."""
    mark, close = text[at], at
    while True:
        close = text.find(mark, close + 1)
        if close < 0:
            return end
        escapes = 0
        while mark == '"' and text[close - 1 - escapes] == "\\" and close - 1 - escapes > at:
            escapes += 1
        if escapes % 2 == 0:
            return close


def _expansion_end(text: str, at: int, end: int) -> int:
    if text[at] == "`":
        close = text.find("`", at + 1)
        return end if close < 0 else close + 1
    depth, at = 1, min(at + 2, end)
    while at < end and depth:
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return at
