"""Secrets that the head of a column tells of, and the ends of private keys whose beginnings are not there.

`insert into users (password) values ('…')`, tables as psql and Markdown have them, and the cookies of a recording of
HTTP (HAR). Each is walked over once, from its head on.
"""

from eyelet_ingest.patterns import A, I, compiled
from eyelet_ingest.redaction_names import Candidate, is_placeholder, is_secret, kind_of_name

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from eyelet_ingest.redaction import Mark

    Span = tuple[int, int, str]  # begin, end and kind of a secret

_LINE = r"(?:\r?\n|\\{1,7}n)"
_INSERT = r"\binsert[ ](?:ignore[ ])?into[ ][^\s(]{1,120}[ ]?\(([^()]{1,2000})\)\s{0,4}values\s{0,4}"
_FIELD = r"\s{0,8}(?:\\{0,7}'((?:[^'\\]|'')*)\\{0,7}'|[^,()'\s]{0,200})\s{0,8}([,)])"
_ROW = r"[\s,]{0,16}\("
_RULER = rf"([^\n\\]{{1,2000}}){_LINE}[ ]{{0,8}}\|?[ :]{{0,4}}-[-+| :]{{2,1000}}{_LINE}"
_LINE_END = r"\r?\n|\\{1,7}n"
_COOKIES = r"\"?cookies\\{0,7}\"[ ]?:\s{0,8}\["
_COOKIE_VALUE = r"\"value\\{0,7}\"[ ]?:[ ]?\\{0,7}\"([^\"\\\n]{8,4096})(?=\\{0,7}\")"
_COOKIES_MAX_CHARS = 20_000
_END = r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_BODY_LINE = r"[^A-Za-z0-9/]{0,8}(?:[\w./-]{0,60}?[0-9]{1,6}[:\t→-])?[ \t]{0,8}([A-Za-z0-9+/=]{16,80})"
_LINE_MAX_CHARS = 200
_TAIL_MAX_CHARS = 16_000


def redact_tables(text: str, mark: "Mark") -> str:
    """`text` with the secrets of columns and cookies replaced."""
    low = text.lower()
    if "insert" in low and "values" in low:
        text = _replaced(text, list(_inserted(text)), mark)
    if "|" in text and "--" in text:
        text = _replaced(text, list(_in_tables(text)), mark)
    if "cookies" in text:
        text = _replaced(text, list(_crumbs(text)), mark)
    return text


def redact_tails(text: str, mark: "Mark") -> str:
    """`text` without the lines of private keys of which only the END line is there."""
    spans = []
    done = 0
    for end in compiled(_END, A).finditer(text):
        begin = _body_begin(text, max(done, end.start() - _TAIL_MAX_CHARS), end.start())
        done = end.end()
        if begin < end.start():
            spans.append((begin, end.end(), "private-key"))
    return _replaced(text, spans, mark)


def _replaced(text: str, spans: "list[Span]", mark: "Mark") -> str:
    pieces: list[str] = []
    done = 0
    for begin, end, kind in spans:
        if begin >= done:
            pieces += (text[done:begin], mark(kind, text[begin:end]))
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _told(cells: "list[str]") -> "list[tuple[str, str]]":
    """Kind and name of each column."""
    names = [cell.strip(" \t\r\n\"'`*\\[]") for cell in cells]
    return [(kind_of_name(name), name) for name in names]


def _is_secret(told: "tuple[str, str]", value: str) -> bool:
    kind, name = told
    if not kind or is_placeholder(value):
        return False
    return is_secret(Candidate("token" if kind == "key" else kind, name, value, "spoken"))


def _inserted(text: str) -> "Iterator[Span]":
    """The values of telling columns in SQL."""
    at = 0
    for head in compiled(_INSERT, A | I).finditer(text):
        columns = _told(head[1].split(","))
        if head.start() < at or not any(kind for kind, _ in columns):
            continue
        at = head.end()
        while row := compiled(_ROW, A).match(text, at):
            at = row.end()
            for told in columns:
                field = compiled(_FIELD, A).match(text, at)
                if field is None:
                    break
                at = field.end()
                if field[1] and _is_secret(told, field[1]):
                    yield field.start(1), field.end(1), told[0]
                if field[2] == ")":
                    break


def _in_tables(text: str) -> "Iterator[Span]":
    """The cells of telling columns, below a head and a ruler, to the first line that is no row."""
    at = 0
    for head in _heads(text):
        columns = _told(head[1].split("|"))
        if head.start() < at or not any(kind for kind, _ in columns):
            continue
        at = head.end()
        while at < len(text):
            stop = compiled(_LINE_END, A).search(text, at)
            end = stop.start() if stop else len(text)
            cells = text[at:end].split("|")
            if len(cells) != len(columns):
                break
            for told, cell in zip(columns, cells, strict=True):
                value = cell.strip(" \t`*")
                if value and _is_secret(told, value):
                    begin = at + cell.index(value)
                    yield begin, begin + len(value), told[0]
                at += len(cell) + 1
            at = stop.end() if stop else len(text)


def _heads(text: str) -> "Iterator[re.Match[str]]":
    """Heads of tables, found by the rulers below them."""
    done = 0
    for ruler in compiled(rf"{_LINE}[ ]{{0,8}}\|?[ :]{{0,4}}--", A).finditer(text):
        begin = max(done, text.rfind("\n", max(0, ruler.start() - 2000), ruler.start()) + 1, ruler.start() - 2000)
        escaped = text.rfind("\\n", begin, ruler.start())
        if escaped < 0 and ruler[0][0] == "\\":
            escaped = text.rfind('"', begin, ruler.start()) - 1  # the string begins with the head
        begin = max(begin, escaped + 2)
        head = compiled(_RULER, A).match(text, begin)
        if head and "|" in head[1]:
            yield head
            done = head.end()


def _crumbs(text: str) -> "Iterator[Span]":
    """What looks random among the values of `"cookies": [{"name": …, "value": …}]`."""
    done = 0
    for head in compiled(_COOKIES, A).finditer(text):
        if head.start() < done:
            continue
        done = text.find("]", head.end(), head.end() + _COOKIES_MAX_CHARS)
        done = done if done >= 0 else min(len(text), head.end() + _COOKIES_MAX_CHARS)
        for value in compiled(_COOKIE_VALUE, A).finditer(text, head.end(), done):
            if _is_secret(("token", "cookie"), value[1]):
                yield value.start(1), value.end(1), "cookie"


def _body_begin(text: str, least: int, end: int) -> int:
    """Where the lines of base64 that end there begin."""
    begin = stop = end
    for gap in reversed([*compiled(_LINE_END, A).finditer(text, least, end)]):
        if stop != end or text[gap.end() : stop].strip(" \t+>|#*0123456789:"):
            line = (
                compiled(_BODY_LINE, A).fullmatch(text, gap.end(), stop) if stop - gap.end() < _LINE_MAX_CHARS else None
            )
            if line is None:
                return begin
            begin = line.start(1)
        stop = gap.start()
    line = (
        compiled(_BODY_LINE, A).fullmatch(text, least, stop) if stop - least < _LINE_MAX_CHARS and stop != end else None
    )
    return line.start(1) if line else begin


def compile_all() -> None:
    """Compile every pattern of these rules, for a bundle to write them down."""
    for pattern in (_FIELD, _ROW, _RULER, _LINE_END, _COOKIES, _COOKIE_VALUE, _END, _BODY_LINE):
        compiled(pattern, A)
    compiled(rf"{_LINE}[ ]{{0,8}}\|?[ :]{{0,4}}--", A)
    compiled(_INSERT, A | I)
