"""Secrets behind telling names in a text, in whatever language it is written: shell, YAML, JSON, code, headers.

A name is found by its stem, its value by what separates the two. Only the value goes: quotes, brackets and what
comes next stay, also where JSON stands in a string of JSON.
"""

from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_containers import closing, secrets_inside
from eyelet_ingest.redaction_names import MARKED, SCHEME, Candidate, is_secret, kind_of_name, starts_with_marker

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from eyelet_ingest.redaction import Mark

# Behind a telling stem: the rest of its name, what separates it from its value, and the quote that opens the value.
_STEMS = ("pass", "pwd", "secret", "token", "credential", "auth", "cookie", "key")
_COLOURS = r"(?:(?:\x1b|\\{1,7}u001[bB])\[[0-9;]{0,12}m){0,2}"  # of a terminal, between name, sign and value
_BEHIND_STEM = compiled(
    r"(?P<rest>[\w.-]{0,40})"
    rf"(?:(?P<close>\\{{0,7}}[\"'`])[\])]?)?\*{{0,2}}{_COLOURS}"
    r"(?P<sep>:[ ]{0,2}[&A-Za-z][\w.\[\]|<>, ?&]{0,40}?[ ]{1,4}=[ ]{1,4}"  # a type between: `token: str = "…"`
    r"|[ \t]{0,4},(?:\s|\\{1,7}[nrt]){0,40}\\{0,7}[\"'][vV]alue\\{0,7}[\"'][ \t]{0,4}:[ \t]{0,4}"  # a pair
    r"|[ \t]{0,4}\\?[rn]?\r?\n?[ \t]{1,40}value:[ \t]{1,4}"  # the same in YAML
    r"|[ \t]{1,4}[vV]alue[ ]{0,2}=[ ]{0,2}(?=\\{0,7}[\"'])"  # an attribute beside it: `key="token" value="…"`
    r"|[ ]{0,2}\{[ ]{0,2}get[^{}\n]{0,40}\}[ ]{0,2}=[ ]{0,2}"  # a property
    r"|[ ]{1,2}(?:to|as)[ ]{1,2}(?=\\{0,7}[\"'`])|[ ]{1,2}is:?[ ]{1,2}"  # prose
    r"|[ \t]{0,4}(?:\|\||\?\?)[ \t]{0,4}(?=\\{0,7}[\"'`])"  # what is taken where it is not set
    r"|[ ]{0,2}[:=][ ]{0,2}\(?(?:\r?\n|\\{1,7}n)[ \t]{1,40}(?=\\{0,7}[\"'])"  # on the next line
    r"|[ ]{0,2}:?=[ ]{0,2}[A-Za-z_][\w:.]{0,40}\((?=\\{0,7}[\"'])|\((?=\\{0,7}[\"'])"  # a call
    r"|[ \t]{0,16}\|[ \t]{1,16}|[ ]{1,2}->[ ]{1,2}"  # the next cell of a table
    r"|[ \t]{0,8}(?:===?|!==?|=>|[:?+]=|[=>]|:(?!:))\*{0,2}[ \t]{0,8}"
    r"|[ \t]{0,4},\s{0,40}"
    r"|[ \t]{1,24})" + _COLOURS + r"(?P<open>[fFrRbBuU]{0,2}\\{0,7}[\"'`])?",
    I | A,
)
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_MARKER = compiled(MARKED, A)
_KIND_MAX_CHARS = 50  # with what stands before it in a marker
_BARE_MAX_CHARS = 200
# A longer value goes to its end, but is judged by its beginning: where it stays, the next name in it is looked at.
_JUDGED_MAX_CHARS = 256
_BARE = compiled(
    rf"(?:{MARKED}|"
    r"\$\{\{[^}\n]{0,80}\}\}|\{\{[^}\n]{0,80}\}\}|<[^<>\n]{1,80}>)(?![\w-])"
    r"|(?:[^\s\0\x1b\"'`\\<&;,]|\\(?!\\{0,7}[nrtu\"'`\s])|<(?![/!A-Za-z])|&(?![\w.-]{1,40}=|[&\s]|$)"
    r"|[;,](?![\s\"'`\\]|[\w.-]{1,40}[=:]|$)){1,200}",
    A,
)
# What is behind the colon where YAML has the value below: the sign of a block, the end of the line, an indentation.
_BLOCK_MAX_CHARS = 1024
_BLOCK_HEAD = compiled(
    r"(?P<sign>[|>][+-]?[1-9]?[+-]?)?[ \t]{0,8}(?P<end>\r?\n|\\{1,7}n)(?P<indent>[ ]{1,40})(?=[^\s#-])"
)
_OUTER_END = compiled(r"[\"\n]")
_BARE_MORE = compiled(r"[A-Za-z0-9+/=_.~%-]*")
_SCHEMED = compiled(r"[^\s\"'`\\,;]{1,200}", A)
_SHOWN_MAX_CHARS = 16  # of a token that is shown in part
_SIGNED = "AWS4-HMAC-SHA256"
_ELEMENT_END = compiled(r"<\\{0,7}/")
_LINE_END = compiled(r"[ \t]{0,8}(?:$|[\n\r]|\\[nr]|[\"'`#]|\\{1,7}[\"'`]|//)")
_REST_OF_LINE = compiled(r"[^\n\r\"'`\\]*")


# `{"name": "DB_PASSWORD", "type": "env", "value": "…"}`: what stands before the name, and between it and its value.
_PAIR_HEAD = compiled(r"[\"'](?:name|key)\\{0,7}[\"']\s{0,4}:\s{0,4}\\{0,7}[\"']\Z", I)
_PAIR_VALUE = compiled(
    r"[^{}\[\]]{0,160}?,(?:\s|\\{1,7}[nrt]){0,40}\\{0,7}[\"']value\\{0,7}[\"']\s{0,8}:\s{0,8}"
    r"(?P<open>\\{0,7}[\"']|(?=[\[{]))",
    I,
)


# `password = "…" -> "…"`, as Terraform tells of a change
_REPLACED = compiled(r"\\{0,7}\"[ ]->[ ](?P<open>\\{0,7}\")")


class _Text:
    """A text on its way through, and what is known of it, so that no part is gone over again from within."""

    __slots__ = ("runs", "seen", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.runs: dict[re.Pattern[str], tuple[int, int]] = {}
        self.seen: set[int] = set()  # where containers begin whose strings were judged

    def run_end(self, pattern: "re.Pattern[str]", begin: int) -> int:
        """Where the run that `pattern`, one repeated set of characters, matches at `begin` ends."""
        known = self.runs.get(pattern)
        if known and known[0] <= begin <= known[1]:
            return known[1]
        end = _matched(pattern, self.text, begin)
        self.runs[pattern] = (begin, end)
        return end


def redact_named(text: str, mark: "Mark") -> str:
    """`text` with the secrets behind telling names replaced; names, quotes and what follows stay."""
    pieces: list[str] = []
    done = at = 0
    known = _Text(text)
    for stem, length in _stems(text):
        if stem < at:
            continue
        at = _marker_end(text, stem)
        if at:
            continue
        match = _BEHIND_STEM.match(text, stem + length)
        if match is None:
            continue
        kind, name, start = _name(text, stem, match.end("rest"))
        at = match.end("rest")
        if not kind:
            continue
        passed, spans = _found(known, match, kind, name, start)
        at = max(at, passed)
        for begin, end, told in spans:
            pieces += (text[done:begin], mark(told, text[begin:end]))
            done = end
            at = max(at, end)
    return "".join((*pieces, text[done:])) if pieces else text


def _marker_end(text: str, stem: int) -> int:
    """Where the marker ends whose kind `stem` is a part of; 0 where it is in none."""
    begin = text.rfind("[redacted:", max(0, stem - _KIND_MAX_CHARS), stem)
    match = _MARKER.match(text, begin) if begin >= 0 else None
    return match.end() if match is not None and match.end() > stem else 0


def _found(
    known: _Text, match: "re.Match[str]", kind: str, name: str, start: int
) -> tuple[int, list[tuple[int, int, str]]]:
    """To where the text is done with, and what of it has to go: begins, ends and kinds."""
    text = known.text
    span = _value_span(known, match, kind, name, start)
    if span is not None:
        begin, end, is_gone = span
        if not is_gone:
            return end, []
        new = _REPLACED.match(text, end) if match["open"] else None
        if new is None:
            return end, [(begin, end, kind)]
        stop = closing(text, new.end(), new["open"])
        is_gone = is_secret(Candidate(kind, name, text[new.end() : stop], "quoted"))
        return stop, [(begin, end, kind), (new.end(), stop, kind)] if is_gone else [(begin, end, kind)]
    begin = match.end()
    sep = match["sep"].strip()
    if sep == "," and match["close"] and _PAIR_HEAD.search(text[max(0, start - 32) : start]):
        pair = _PAIR_VALUE.match(text, match.end("close"))
        if pair is None:
            return 0, []
        begin = pair.end()
        if pair["open"]:
            end = closing(text, begin, pair["open"])
            return 0, [(begin, end, kind)] if is_secret(Candidate(kind, name, text[begin:end], "quoted")) else []
    elif sep in ("", ",", ">", "|", "->") or match["open"]:
        return 0, []
    is_container = text[begin : begin + 1] == "[" or (match["close"] and text[begin : begin + 1] == "{")
    if not is_container or begin in known.seen:
        return 0, []
    return 0, secrets_inside(text, begin, kind, name, known.seen)


def _stems(text: str) -> "Iterator[tuple[int, int]]":
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
        if words and words[-1].lstrip("\"'`*(").isalpha():  # `API key: …`, but not `<Item key=…`
            name = f"{words[-1]} {name}"
    if name.lower() == "pwd" and before.endswith(";") and text[end : end + 1] == "=":
        return "password", name, stem  # in a connection string; elsewhere it is a folder
    return kind_of_name(name), name, stem - len(prefix)


def _value_span(
    known: _Text, match: "re.Match[str]", kind: str, name: str, name_start: int
) -> "tuple[int, int, bool] | None":
    """Where the value is and whether it has to go; None where there is nothing to pass over."""
    text = known.text
    style = _style(text, match, kind, name, name_start)
    begin = match.end()
    if not style:
        return None
    if match["sep"] == ":" and text[max(0, name_start - 1) : name_start] == ":" and _is_arn(text, name_start):
        return None
    if match["open"]:
        if _is_closing_quote(text, begin, match["open"][-1]):
            return None
        end = closing(text, begin, match["open"])
        if match["open"][-1] == "`" and match["sep"].strip() == "=" and " " in text[begin:end]:
            return None  # a command of a shell
        scheme = SCHEME.match(text, begin, end) if kind == "authorization" else None
        found = Candidate(kind, name, text[begin:end], style)
        return (scheme.end() if scheme else begin, end, True) if is_secret(found) else None
    block = _block(text, begin, begin + _BLOCK_MAX_CHARS) if style == "colon" else None
    if block is not None:
        style = "quoted" if text[begin : begin + 1] in "|>" else "block"
        found = Candidate(kind, name, text[block[0] : min(block[1], block[0] + _JUDGED_MAX_CHARS)].strip(), style)
        whole = _block(text, begin, len(text)) if is_secret(found) else None
        return (*whole, True) if whole else None
    if kind == "cookie":
        if "=" not in text[begin : begin + 80]:
            return None
        end = _matched(_SCHEMED if style == "flag" else _REST_OF_LINE, text, begin)
        return begin, end, is_secret(Candidate(kind, name, text[begin:end], style))
    scheme = SCHEME.match(text, begin) if kind == "authorization" else None
    secret_begin = scheme.end() if scheme else begin
    end = _bare_end(known, secret_begin, kind)
    if end == secret_begin:
        return None
    if text.startswith("...", end) and end - secret_begin <= _SHOWN_MAX_CHARS:
        return None  # `sk-...`
    is_whole = _ELEMENT_END.match(text, end) or (end == len(text) and text[begin] not in "@:/")
    if style == "element" and not is_whole:
        return None
    ends_line = _LINE_END.match(text, end) is not None
    line = text[max(0, name_start - 64) : name_start].rsplit("\n", 1)[-1]
    value = text[begin : min(end, begin + _JUDGED_MAX_CHARS)]
    found = Candidate(kind, name, value, style, text[end : end + 1], ends_line, not line.strip(" \t+>"))
    return (secret_begin, end, True) if is_secret(found) else None


def _style(text: str, match: "re.Match[str]", kind: str, name: str, name_start: int) -> str:
    """How the value is written, or "" where what follows the name is no value."""
    sep = match["sep"]
    core = sep.strip().strip("*")
    is_flag = name.startswith("--")
    if not core:
        if is_flag:
            return "flag"
        if name.startswith("_auth") or (text.endswith("configure set ", 0, name_start) and "secret" in name.lower()):
            return "flag"  # `npm config set …:_authToken …`, `aws configure set …`
        if match["open"] and text.endswith("#define ", 0, name_start):
            return "quoted"
        is_word = name.lower() == "pass"
        if name.lower() == "password" and not match["close"]:
            is_quoted = (match["open"] or "").endswith("`")
            if is_quoted or (not match["open"] and text.endswith(", ", 0, name_start)):
                return "prose"
        is_quoted = kind == "password" and not is_word and (match["open"] or "").endswith("'") and not match["close"]
        return "quoted" if is_quoted else "spoken"
    if core in ("to", "as"):
        return "said" if match["close"] and match["open"] else ""
    if core in ("is", "is:"):
        return "prose" if kind == "password" else "spoken"
    if core in ("|", "->") or core.endswith("("):
        return "spoken"
    if core in ("||", "??"):
        return "quoted"
    if core.endswith("="):
        if core[:1] in "vV" and not match["close"]:
            return ""
        core = core if core[:1] not in "vV{" else "="
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


def _block(text: str, begin: int, most: int) -> "tuple[int, int] | None":
    """Where a value is that YAML has on the lines below: all that are indented behind `|` or `>`, else the next one.

    Of the lines only those that begin before `most`.
    """
    head = _BLOCK_HEAD.match(text, begin)
    if head is None:
        return None
    line_end, indent = head["end"], head["indent"]
    start = head.end()
    end = start
    while True:
        stop = text.find(line_end, end)
        outer = _OUTER_END.search(text, end, stop if stop >= 0 else len(text)) if "\\" in line_end else None
        end = outer.start() if outer else (stop if stop >= 0 else len(text))
        if outer or stop < 0 or stop > most or not head["sign"] or not text.startswith(indent, stop + len(line_end)):
            break
        end = stop + len(line_end) + len(indent)
    if not head["sign"] and end - start > 1 and text[start] in "\"'" and text[end - 1] == text[start]:
        start, end = start + 1, end - 1
    return (start, end) if end > start else None


def _is_arn(text: str, name_start: int) -> bool:
    """Whether a name is a part of `arn:aws:secretsmanager:…:secret:prod/db`."""
    head = text[max(0, name_start - 100) : name_start].split()
    return bool(head) and "arn:" in head[-1]


def _bare_end(known: _Text, begin: int, kind: str) -> int:
    """The end of a value without quotes: punctuation that closes what stands around it is left."""
    text = known.text
    if kind == "authorization" and text.startswith(_SIGNED, begin):
        return known.run_end(_REST_OF_LINE, begin)
    end = _matched(_SCHEMED if kind == "authorization" else _BARE, text, begin)
    if end - begin >= _BARE_MAX_CHARS:
        end = known.run_end(_BARE_MORE, end)
    if starts_with_marker(text[begin : begin + 80]):
        return end
    tail = text[max(begin, end - _BARE_MAX_CHARS) : end]
    trimmed = end - len(tail) + len(tail.rstrip(")]},;.:"))
    return trimmed if trimmed > begin else end


def _matched(pattern: "re.Pattern[str]", text: str, begin: int) -> int:
    match = pattern.match(text, begin)
    return match.end() if match else begin


def _is_closing_quote(text: str, begin: int, quote: str) -> bool:
    """Whether the quote before `begin` ends a string that only names a secret: `getpass("Password: ")`."""
    if text[begin : begin + 1] not in (")", ",", ";", ":", "]", "}", "+", "%", ".", " "):
        return False
    line = text[max(0, begin - 200) : begin - 1].rsplit("\n", 1)[-1]
    return line.count(quote) % 2 == 1
