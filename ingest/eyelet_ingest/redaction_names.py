"""Telling names and what follows them: `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`, `Authorization: Bearer …`.

Two questions are asked of every candidate. Does the name tell of a secret (`kind_of_name`)? And is the value one,
or a placeholder, a type, code, or prose (`is_secret`)? docs/redaction.md states both as tables.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from eyelet_ingest.redaction import marker, may_tell


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that may stand behind the telling one: DATABASE_PASSWORD_PROD, SECRET_KEY_BASE, token2.
_TRAILING = _words(
    "prod production dev development staging test live sandbox local base value new old current confirm"
    " confirmation primary secondary main default backup root admin master b64 base64"
)
_ENDINGS = (  # how a name's letters end, and the kind
    (("accesskey",), "access-key"),
    (("apikey", "apikeys", "appkey"), "api-key"),
    (("privatekey",), "private-key"),
    (("secretkey", "signingkey", "encryptionkey", "masterkey", "accountkey", "sharedkey"), "secret-key"),
    (("servicekey", "servicerolekey", "authkey"), "secret-key"),
    (("password", "passwords", "passwd", "passphrase", "passcode"), "password"),
    (("authorization",), "authorization"),
    (("secret",), "secret"),
    (("credential", "credentials"), "credential"),
    (("cookie",), "cookie"),
    (("token",), "token"),
)
# Names that only speak of a secret: is_password, forgotPassword, and tokens of texts, pages and models.
_FIRST_NOT = _words(
    "is has show hide forgot need needs require requires required no missing invalid wrong use uses enable"
    " disable toggle allow get validate generate"
)
_BEFORE_TOKEN_NOT = _words(
    "max min num n total eos bos pad unk mask sep cls special start end stop next prev previous page"
    " continuation first last input output prompt completion per image current cancellation cancel design"
    " each single one by syntax lexer"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SHORT = {"pass": "password", "pwd": "password", "auth": "auth"}


@lru_cache(maxsize=8192)
def kind_of_name(name: str) -> str:
    """What the value under `name`, a key or a variable, is if it is a secret: `password`, `token`, …; else ""."""
    if len(name) > 120 or "[" in name or "=" in name or not may_tell(name):
        return ""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words or words[0] in _FIRST_NOT:
        return ""
    if words[-1] in _SHORT and (len(words) > 1 or words[0] != "pwd"):
        return _SHORT[words[-1]]
    squeezed = "".join(words)
    for endings, kind in _ENDINGS:
        if squeezed.endswith(endings):
            before = words[-2] if len(words) > 1 else ""
            return "" if kind == "token" and before in _BEFORE_TOKEN_NOT else kind
    return ""


class Candidate:
    """A telling name's kind, the name, the value, how it is written, and what stands behind it.

    `style`: key (a JSON value), quoted, env (`NAME=value`), flag (`--name value`), colon, equals (`name=value`),
    spaced (`name = value`), listed (`"name", "value"`), element (`<name>value<`).
    """

    __slots__ = ("after", "ends_line", "kind", "name", "style", "value")

    def __init__(self, kind: str, name: str, value: str, style: str, after: str = "", ends_line: bool = True) -> None:
        self.kind, self.name, self.value = kind, name, value
        self.style, self.after, self.ends_line = style, after, ends_line


_MARKED = re.compile(r"(?:(?:bearer|basic|token|apikey|digest) {1,4})?\[redacted:[a-z0-9-]{1,40}\]", re.I | re.A)
_PLACEHOLDER = re.compile(
    r"\$[A-Za-z_]\w*|\$[0-9@*#?!]|\$\{.*|\$\(.*|\$env:\w+|%\w+%|%[sdrv]|%\(\w+\)s|@\w+@"
    r"|\{\{.*\}\}|\{[\w.!:\"'\[\]() -]*\}|<[^<>]*>|\[[A-Za-z _-]+\]|#\{.*\}"
    r"|([*.xX•_-])\1+\w{0,4}|\w{1,4}(?:[*•]{3,}|\.\.\.|…)\w{0,4}|\.\.\.|…"
    r"|(?:your|insert|enter|replace|example|dummy)[ _-].*"
    r"|(?:[a-z]+[_-])*(?:here|goes-here|placeholder)",
    re.I | re.A | re.S,
)
_HARMLESS = _words(
    "string str text int integer number float bool boolean bytes bytearray any object unknown never void null nil"
    " none undefined true false yes no on off required optional hidden redacted removed masked empty unset unknown"
    " default auto include omit same-origin secretstr header query body bearer basic digest oauth oauth2 disabled"
    " enabled password passwd passphrase pass pw secret secrets token tokens apikey accesskey privatekey key keys"
    " credential credentials auth authorization cookie const let var self this"
)
_VERSION = re.compile(r"(?:npm:\S+@|workspace:)?[\^~<>=v ]{0,4}[0-9]{1,5}(?:\.(?:[0-9]{1,5}|[x*])){1,3}(?:[-+][\w.]+)?")
_CODE = re.compile(
    r"[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*[\[({].*"
    r"|[A-Za-z_$][A-Za-z_$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][A-Za-z_$]*)+[!?]?"
    r"|(?:self|this|cls|args|req|request|process|os|config|cfg|settings|props|state|env|var|local|data)\.[\w.\[\]]+"
    r"|![A-Za-z].*|[&*][A-Za-z_]\w*|[\[({].*|(?:await|new|not|lambda|async|function|return)",
    re.A | re.S,
)
_TYPE = re.compile(r"[A-Z][A-Za-z]*(?:[\[<].*)?|[a-z]+[\[<].*", re.A)
_PATH = re.compile(r"(?:~|\.{1,2})?/[\w.@~/-]+|[A-Za-z]:\\.*|[\w.-]+\.(?:pem|key|json|ya?ml|txt|p12|pub|env)", re.A)
_URL = re.compile(r"[a-z][a-z0-9+]{1,9}:\\?/", re.I | re.A)
_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey|api-key|negotiate|hmac)(?:[ \t]|%20){1,4}", re.I | re.A)
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[^\W\d_]")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w-]*", re.A)


def starts_with_marker(value: str) -> bool:
    return _MARKED.match(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether the value stands for a secret without being one: a variable, a type, `<your-token>`, `****`."""
    return (
        not value
        or starts_with_marker(value)
        or value.lower() in _HARMLESS
        or _PLACEHOLDER.fullmatch(value) is not None
    )


def is_secret(found: Candidate) -> bool:
    """Whether the value under a telling name has to go."""
    value = found.value.strip()
    kind = found.kind
    scheme = _SCHEME.match(value) if kind in ("authorization", "auth", "token") else None
    if scheme:
        value = value[scheme.end() :].strip()
    if is_placeholder(value) or _letters(value) == _letters(found.name) or _is_prose(value):
        return False
    if kind != "password" and (_VERSION.fullmatch(value) or _URL.match(value)):
        return False
    if kind in ("credential", "private-key", "auth") and _PATH.fullmatch(value):
        return False
    if kind == "cookie":
        return _has_cookie(value)
    if found.style not in ("key", "quoted", "listed", "flag") and _CODE.fullmatch(value):
        return False
    if kind == "authorization":
        return len(value) >= 6 if scheme else _is_random(value, 8)
    if kind in ("auth", "credential") or found.style == "listed":
        return _is_random(value, 6 if kind == "password" else 8)
    if found.style in ("key", "quoted"):
        return _is_quoted_secret(found, value)
    return _is_bare_secret(found, value)


def _is_quoted_secret(found: Candidate, value: str) -> bool:
    """A literal: taken at its word, but for a bare `token`, which parsers and models use for any word."""
    if found.name == "pass":
        return " " not in value
    if found.kind != "token" or _letters(found.name) != "token" or found.name.isupper():
        return True
    if _DIGIT.search(value):
        return len(value) >= 6
    if value.isalpha() and (value.islower() or value.istitle() or value.isupper()):
        return len(value) >= 16 or any(stem in value.lower() for stem in ("secret", "pass", "token", "key"))
    return len(value) >= 8


def _is_bare_secret(found: Candidate, value: str) -> bool:
    """A value without quotes: in a shell, an env file or YAML it is one, in code it is an expression."""
    is_password = found.kind == "password"
    if found.style == "flag":
        return not value.startswith("-") and (is_password or len(value) >= 6)
    if found.name.lower() == "pass":  # a verdict, or a statement, more often than a password
        return found.style == "equals" and _is_random(value, 6)
    if found.style in ("element", "env") or _is_random(value, 6 if is_password else 8):
        return True
    if not is_password:
        return len(value) >= 24 and not value.islower() and not _IDENTIFIER.fullmatch(value)
    if value.isdigit():
        return len(value) >= 3
    if not _IDENTIFIER.fullmatch(value):
        return found.ends_line or found.style == "equals"
    if kind_of_name(value) or (found.style == "colon" and _TYPE.fullmatch(value)):
        return False
    return found.ends_line or (found.style == "equals" and found.after not in (",", ")"))


def _letters(text: str) -> str:
    return "".join(_WORD.findall(text)).lower()


def _is_prose(value: str) -> bool:
    """Words about a secret, such as a label or a message: `Enter your password`."""
    return (
        " " in value
        and not _DIGIT.search(value)
        and any(stem in value.lower() for stem in ("passw", "passphrase", "secret", "token", "api key", "credential"))
    )


def _is_random(value: str, least: int) -> bool:
    return len(value) >= least and _DIGIT.search(value) is not None and _LETTER.search(value) is not None


def _has_cookie(value: str) -> bool:
    """Whether a `name=value` pair holds more than a placeholder."""
    for pair in value.split(";"):
        name, equals, crumb = pair.partition("=")
        if equals and name.strip() and not is_placeholder(crumb.strip()):
            return True
    return False


# Behind a telling stem: the rest of its name, what separates it from its value, and the quote that opens the value.
_STEMS = ("pass", "pwd", "secret", "token", "credential", "auth", "cookie", "key")
_BEHIND_STEM = re.compile(
    r"(?P<rest>[\w.-]{0,40})"
    r"(?P<close>\\{0,7}[\"'`])?[\])]?\*{0,2}"
    r"(?P<sep>:[ ]{0,2}[&A-Za-z][\w.\[\]|<>, ?&]{0,40}?[ ]{1,4}=[ ]{1,4}"  # a type between: `token: str = "…"`
    r"|[ \t]{0,4},\s{0,40}\\{0,7}[\"'][vV]alue\\{0,7}[\"'][ \t]{0,4}:[ \t]{0,4}"  # "name": "…", "value": "…"
    r"|[ \t]{0,4}\\?[rn]?\r?\n?[ \t]{1,40}value:[ \t]{1,4}"  # the same in YAML
    r"|[ \t]{0,8}(?:===?|!==?|=>|[:?+]=|[=:>])\*{0,2}[ \t]{0,8}"
    r"|[ \t]{0,4},\s{0,40}"
    r"|[ \t]{1,4})"
    r"(?P<open>[fFrRbBuU]{0,2}\\{0,7}[\"'`])?",
    re.I | re.A,
)
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_BARE_MAX_CHARS = 200
_BARE = re.compile(
    r"(?:\[redacted:[a-z0-9-]{1,40}\]|\$\{\{[^}\n]{0,80}\}\}|\{\{[^}\n]{0,80}\}\}|<[^<>\n]{1,80}>)(?![\w-])"
    r"|(?:[^\s\"'`\\<&;,]|\\\\|\\(?![nrtu\"'`\s\\]).|<(?![/!A-Za-z])|&(?![\w.-]{1,40}=|[&\s]|$)"
    r"|[;,](?![\s\"'`\\]|[\w.-]{1,40}[=:]|$)){1,200}",
    re.A,
)
_BARE_MORE = re.compile(r"[A-Za-z0-9+/=_.~%-]*")
_SCHEMED = re.compile(r"AWS4-HMAC-SHA256[^\n\"'`\\]*|[^\s\"'`\\,;]{1,200}", re.A)
_LINE_END = re.compile(r"[ \t]{0,8}(?:$|[\n\r]|\\[nr]|[\"'`#]|\\{1,7}[\"'`]|//)")
_REST_OF_LINE = re.compile(r"[^\n\r\"'`\\]*")


def redact_named(text: str) -> str:
    """`text` with the secrets behind telling names replaced; names, quotes and what follows stay."""
    pieces: list[str] = []
    done = at = 0
    for stem, length in _stems(text):
        if stem < at:
            continue
        match = _BEHIND_STEM.match(text, stem + length)
        if match is None:
            continue
        kind, name, start = _name(text, stem, match.end("rest"))
        span = _value_span(text, match, kind, name, start) if kind else None
        at = match.end("rest")
        if span is not None:
            begin, end, is_gone = span
            if is_gone:
                pieces += (text[done:begin], marker(kind, text[begin:end]))
                done = end
            at = max(end, at)
    return "".join((*pieces, text[done:])) if pieces else text


def _stems(text: str) -> Iterator[tuple[int, int]]:
    """Where telling stems stand in `text`, in order, and how long they are.

    Searching for each is many times faster than one pattern with all of them.
    """
    low = text.lower()
    if len(low) != len(text):
        low = text.replace("\u0130", "i").lower()  # the one letter whose lower case is longer
    found = []
    for stem in _STEMS:
        at = low.find(stem)
        while at >= 0:
            found.append((at, len(stem)))
            at = low.find(stem, at + len(stem))
    return iter(sorted(found))


def _name(text: str, stem: int, end: int) -> tuple[str, str, int]:
    """Kind, name and start of the name that `stem` is in: what stands before the stem belongs to it."""
    head = text[max(0, stem - 64) : stem]
    before = head.rstrip(_NAME_CHARS)
    prefix = head[len(before) :]
    if prefix[:1] in ("n", "r", "t") and before.endswith("\\"):
        prefix = prefix[1:]  # the end of an escaped line, not of a name
    elif before[-1:] in ("[", ";") and prefix.lstrip("0123456789").startswith("m"):
        prefix = prefix.lstrip("0123456789")[1:]  # the end of a terminal colour
    name = prefix + text[stem:end]
    if not prefix and before.endswith(" ") and text[stem : stem + 3].lower() == "key":
        words = before.rsplit(None, 1)
        name = f"{words[-1]} {name}" if words else name
    return kind_of_name(name), name, stem - len(prefix)


def _value_span(
    text: str, match: "re.Match[str]", kind: str, name: str, name_start: int
) -> "tuple[int, int, bool] | None":
    """Where the value is and whether it has to go; None where there is nothing to pass over."""
    style = _style(text, match, kind, name, name_start)
    begin = match.end()
    if not style:
        return None
    if match["open"]:
        end = _closing(text, begin, match["open"])
        scheme = _SCHEME.match(text, begin, end) if kind == "authorization" else None
        found = Candidate(kind, name, text[begin:end], style)
        return (scheme.end() if scheme else begin, end, True) if is_secret(found) else None
    if kind == "cookie":
        if "=" not in text[begin : begin + 80]:
            return None
        end = _matched(_REST_OF_LINE, text, begin)
        return begin, end, is_secret(Candidate(kind, name, text[begin:end], style))
    scheme = _SCHEME.match(text, begin) if kind == "authorization" else None
    secret_begin = scheme.end() if scheme else begin
    end = _bare_end(text, secret_begin, kind)
    if end == secret_begin:
        return None
    found = Candidate(kind, name, text[begin:end], style, text[end : end + 1], _LINE_END.match(text, end) is not None)
    return (secret_begin, end, True) if is_secret(found) else None


def _style(text: str, match: "re.Match[str]", kind: str, name: str, name_start: int) -> str:
    """How the value is written, or "" where what follows the name is no value."""
    sep = match["sep"]
    core = sep.strip().strip("*")
    is_flag = name.startswith("--")
    if not core:
        if is_flag:
            return "flag"
        return "quoted" if kind == "password" and (match["open"] or "").endswith("'") and not match["close"] else ""
    if core == ",":
        is_list = match["close"] and match["open"] and text[max(0, name_start - 1) : name_start] in ('"', "'", "`")
        return ("flag" if is_flag else "listed") if is_list else ""
    if core == ">":
        return "element" if text[max(0, name_start - 1) : name_start] in ("<", ":") else ""
    if match["open"]:
        return "quoted"
    if is_flag:
        return "flag"
    if core.lower().endswith("value:"):
        return "env"
    if name.isupper() and sep == "=":
        return "env"
    if ":" in core or core == "=>":
        return "colon"
    return "spaced" if " " in sep else "equals"


def _bare_end(text: str, begin: int, kind: str) -> int:
    """The end of a value without quotes: punctuation that closes what stands around it is left."""
    end = _matched(_SCHEMED if kind == "authorization" else _BARE, text, begin)
    if end - begin >= _BARE_MAX_CHARS:
        end = _matched(_BARE_MORE, text, end)
    if starts_with_marker(text[begin : begin + 80]):
        return end
    trimmed = begin + len(text[begin:end].rstrip(")]},;."))
    return trimmed if trimmed > begin else end


def _matched(pattern: "re.Pattern[str]", text: str, begin: int) -> int:
    match = pattern.match(text, begin)
    return match.end() if match else begin


def _closing(text: str, begin: int, opener: str) -> int:
    """Where the value that `opener` opens ends: at its own quote, an outer one, the line's or the text's end.

    In JSON within JSON a quote has 1, 3, 7 backslashes before it: as many as the opener has close the value,
    fewer close what it stands in, more belong to it.
    """
    quote = opener[-1]
    level = opener.count("\\")
    pattern = _QUOTES[quote]
    at = begin
    while True:
        match = pattern.search(text, at)
        if match is None:
            return len(text)
        end = match.start()
        if text[end] == "\n":
            return end
        slashes = end
        while slashes > begin and text[slashes - 1] == "\\":
            slashes -= 1
        count = end - slashes
        if count < level or (count - level) % (2 * level + 2) == 0:
            return end - min(count, level)
        at = end + 1


_QUOTES = {quote: re.compile(f"[{quote}\n]") for quote in "\"'`"}
