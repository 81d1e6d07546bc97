"""Where secrets stand: lines of commands, code, configuration, logs and prose.

`NAMED` have a name before the value, `BARE` none. Each takes (rng, name in words, value) and returns the text, in which
the value stands once and as it is. Where quotes stand around the value it may hold any sign (`QUOTED`).
"""

from collections.abc import Callable
from random import Random

from tests.corpus.told import styled

Line = Callable[[Random, str, str], str]

HOSTS = ("api.example.com", "build.internal", "10.0.4.17:8443", "registry.example.org", "db-3.prod.example.net")


def _host(rng: Random) -> str:
    return rng.choice(HOSTS)


def _styles(form: str, *styles: str) -> Line:
    """A line of this form: {n} the name in one of the styles, {v} the value, {h} a host."""

    def line(rng: Random, name: str, value: str) -> str:
        return form.replace("{n}", styled(name, rng.choice(styles))).replace("{h}", _host(rng)).replace("{v}", value)

    return line


NAMED: dict[str, Line] = {
    "export": _styles("export {n}={v}", "upper"),
    "inline-env": _styles("{n}={v} npm run deploy -- --verbose", "upper"),
    "docker-env": _styles("docker run --rm -e {n}={v} -p 8080:80 app:latest", "upper"),
    "option-space": _styles("mytool push --{n} {v} --force", "kebab"),
    "option-equals": _styles("mytool push --{n}={v} --force", "kebab", "snake"),
    "env-file": _styles("NODE_ENV=production\n{n}={v}\nPORT=3000\n", "upper"),
    "yaml": _styles("server:\n  port: 80\n  {n}: {v}\n  debug: false\n", "snake", "camel", "kebab"),
    "ini": _styles("[default]\nregion = eu-west-1\n{n} = {v}\noutput = json\n", "snake"),
    "properties": _styles("app.name=shop\napp.{n}={v}\n", "kebab", "camel"),
    "url-query": _styles("GET https://{h}/v1/items?page=2&{n}={v} HTTP/1.1", "snake", "camel"),
    "log-line": _styles("2026-03-04T10:11:12Z INFO client: connecting with {n}={v} to {h}", "snake", "camel"),
    "printenv": _styles("HOME=/home/bob\nLANG=C.UTF-8\n{n}={v}\nSHELL=/bin/bash\n", "upper"),
    "header": _styles("POST /v1/upload HTTP/1.1\nHost: {h}\n{n}: {v}\nAccept: */*\n", "header", "kebab"),
    "diff": _styles("@@ -1,3 +1,3 @@\n port=80\n-{n}={v}\n+debug=1\n", "upper", "snake"),
    "numbered": _styles("     1→# settings\n     2→{n}={v}\n     3→PORT=1\n", "upper"),
    "form-body": _styles("grant_type=refresh&{n}={v}&scope=read", "snake", "camel"),
    "compose-list": _styles("    environment:\n      - {n}={v}\n      - TZ=UTC\n", "upper"),
    "actions-log": _styles("2026-03-04T10:11:12.1234567Z   {n}: {v}\n", "upper"),
    "dockerfile": _styles("FROM alpine\nENV {n}={v}\nRUN make\n", "upper"),
    "powershell": _styles('$env:{n} = "{v}"', "upper"),
}

NAMED_QUOTED: dict[str, Line] = {
    "export-quoted": _styles("export {n}='{v}'", "upper"),
    "json": _styles('{\n  "host": "{h}",\n  "{n}": "{v}",\n  "retries": 3\n}', "snake", "camel", "kebab"),
    "json-compact": _styles('{"host":"{h}","{n}":"{v}","retries":3}', "snake", "camel"),
    "python": _styles('client = Client(host, {n}="{v}")', "snake"),
    "python-assign": _styles('import os\n\n{n} = "{v}"\n', "snake", "upper"),
    "python-dict": _styles("CONFIG = {'{n}': '{v}', 'debug': True}", "snake", "upper"),
    "javascript": _styles("const config = { {n}: '{v}', retries: 3 };", "camel"),
    "typescript": _styles("export const {n}: string = '{v}';", "camel"),
    "go": _styles('cfg := Config{\n\t{n}: "{v}",\n}', "pascal"),
    "go-short": _styles('{n} := "{v}"', "camel"),
    "java": _styles('private static final String {n} = "{v}";', "upper"),
    "csharp": _styles('public string {n} { get; set; } = "{v}";', "pascal"),
    "rust": _styles('let {n} = "{v}".to_string();', "snake"),
    "ruby": _styles("config.{n} = '{v}'", "snake"),
    "ruby-hash": _styles("{ :{n} => '{v}', :host => '{h}' }", "snake"),
    "php": _styles("define('{n}', '{v}');", "upper"),
    "php-array": _styles("'{n}' => '{v}',", "snake"),
    "toml": _styles('[server]\nhost = "{h}"\n{n} = "{v}"\n', "snake"),
    "hcl": _styles('resource "x" "y" {\n  {n} = "{v}"\n}', "snake"),
    "yaml-quoted": _styles("  {n}: '{v}'\n", "snake", "camel"),
    "xml-attribute": _styles('<add key="{n}" value="{v}" />', "pascal", "camel"),
    "sql-set": _styles("update settings set {n} = '{v}' where id = 1;", "snake"),
    "curl-json": _styles('curl -s https://{h}/login -d \'{"{n}": "{v}"}\'', "snake", "camel"),
    "env-block": _styles('      - name: {n}\n        value: "{v}"\n', "upper"),
    "repr": _styles("Settings(host='{h}', {n}='{v}', debug=False)", "snake"),
    "setenv": _styles('os.environ["{n}"] = "{v}"', "upper"),
    "default": _styles('os.environ.get("{n}", "{v}")', "upper"),
    "backticks": _styles("Set `{n}` to `{v}` and restart.", "upper"),
    "heredoc": _styles('cat > .env <<EOF\nPORT=1\n{n}="{v}"\nEOF', "upper"),
}

NAMED_XML: dict[str, Line] = {"xml": _styles("<server><id>x</id><{n}>{v}</{n}></server>", "camel", "snake")}

BARE: dict[str, Line] = {
    "argument": lambda rng, name, value: f"mytool login {value} && mytool push",
    "stdin": lambda rng, name, value: f"echo {value} | mytool login --stdin {_host(rng)}",
    "echo-quoted": lambda rng, name, value: f"echo '{value}' > /tmp/x",
    "prose": lambda rng, name, value: f"I used {value} for the upload, please rotate it afterwards.",
    "prose-end": lambda rng, name, value: f"Here is what I found in the output: {value}.",
    "prose-quoted": lambda rng, name, value: f'The file has "{value}" on its second line.',
    "markdown": lambda rng, name, value: f"- value: `{value}`\n- next step\n",
    "table": lambda rng, name, value: f"| name | value |\n|---|---|\n| ci | {value} |\n",
    "log": lambda rng, name, value: f"[debug] 12:04:11 request from {_host(rng)} with {value} rejected (401)",
    "url-path": lambda rng, name, value: f"https://{_host(rng)}/hook/{value}/send",
    "url-fragment": lambda rng, name, value: f"open https://{_host(rng)}/cb#x={value}&state=1",
    "code": lambda rng, name, value: f'    upload(path, "{value}")\n    return True\n',
    "list": lambda rng, name, value: f"['first', '{value}', 'last']",
    "csv": lambda rng, name, value: f"id,name,v\n1,ci,{value}\n2,dev,none\n",
    "diff-bare": lambda rng, name, value: f"-  use({value})\n+  use(os.environ['X'])\n",
    "grep": lambda rng, name, value: f"src/app.py:41:    x = '{value}'\nsrc/b.py:2: pass\n",
    "traceback": lambda rng, name, value: f'ValueError: refused: {value!r}\n  File "a.py", line 3',
    "escaped-json": lambda rng, name, value: '{"body": "{\\"x\\": \\"' + value + '\\"}"}',
    "angle": lambda rng, name, value: f"<value>{value}</value>",
    "comment": lambda rng, name, value: f"# old: {value}\nx = 1\n",
    "file-name": lambda rng, name, value: f"cp notes.txt /tmp/old-{value}.txt && ls /tmp",
    "wget": lambda rng, name, value: f"wget 'https://{_host(rng)}/x.tgz?sig={value}' -O x.tgz",
}

PEM_LINES: dict[str, Line] = {
    "cat": lambda rng, name, value: f"$ cat key.pem\n{value}\n$ ls\n",
    "only": lambda rng, name, value: value,
    "heredoc": lambda rng, name, value: f"cat > key.pem <<'EOF'\n{value}\nEOF\nchmod 600 key.pem",
    "python": lambda rng, name, value: f'KEY = """{value}"""\n',
    "prose": lambda rng, name, value: f"This is the key:\n\n{value}\n\nKeep it.",
}
