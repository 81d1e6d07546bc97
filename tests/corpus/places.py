"""Secrets that have a place of their own: headers, addresses, clients' options, files of credentials.

Each maker takes a generator and returns `Written`: the text and what in it is secret, as it is spelled there.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from tests.corpus.shapes import ALNUM, BASE64, DIGITS, HEX, UPPER, WORD, pem, run
from tests.corpus.told import SAFE, WORDS, password, token


@dataclass(frozen=True, slots=True)
class Written:
    """A text, the secrets in it as they stand there, and what may go with them (a whole encoded blob)."""

    text: str
    secrets: tuple[str, ...]
    wide: tuple[str, ...] = ()


Place = Callable[[Random], Written]


def _filled(forms: list[str], make: Callable[[Random], str]) -> Place:
    """One of the forms, {v} being the secret, {u} a user, {h} a host."""

    def place(rng: Random) -> Written:
        value = make(rng)
        user, host = rng.choice(WORDS), rng.choice(("db.example.net", "10.1.2.3", "git.example.org", "localhost"))
        text = rng.choice(forms).replace("{u}", user).replace("{h}", host).replace("{v}", value)
        return Written(text, (value,))

    return place


def _safe(rng: Random) -> str:
    return password(rng, False)


def _plain(rng: Random) -> str:
    """A password without what addresses give a meaning."""
    return run(rng, ALNUM + "-_.~", rng.randint(10, 24))


def _token(rng: Random) -> str:
    return token(rng, False)


def _escaped(rng: Random) -> str:
    """A password with signs, as an address spells it."""
    return quote(run(rng, ALNUM + "@#/?%&+", rng.randint(12, 20)), safe="")


def _basic(rng: Random) -> str:
    return b64encode(f"{rng.choice(WORDS)}:{run(rng, SAFE, rng.randint(9, 20))}".encode()).decode()


def _cookie(rng: Random) -> str:
    names = rng.sample(["sessionid", "sid", "connect.sid", "JSESSIONID", "_gh_sess", "remember_me"], 2)
    return f"{names[0]}={run(rng, ALNUM, 32)}; {names[1]}={run(rng, HEX, 40)}"


def _set_cookie(rng: Random) -> Written:
    value = run(rng, WORD, 40)
    name = rng.choice(["sessionid", "sid", "JSESSIONID", "_gitlab_session"])
    tail = "; Path=/; HttpOnly; SameSite=Lax"
    return Written(f"HTTP/1.1 200 OK\nSet-Cookie: {name}={value}{tail}\n", (value,), (f"{name}={value}{tail}",))


def _docker_config(rng: Random) -> Written:
    value = _basic(rng)
    return Written(
        '{\n\t"auths": {\n\t\t"registry.example.org": {\n\t\t\t"auth": "' + value + '"\n\t\t}\n\t}\n}', (value,)
    )


def _kubernetes(rng: Random) -> Written:
    """A Secret's manifest: its values are base64, and so secrets whatever their names."""
    values = [b64encode(run(rng, SAFE, rng.randint(12, 30)).encode()).decode() for _ in range(2)]
    names = rng.choice([("password", "username-password"), ("api-key", "token"), ("DB_PASSWORD", "API_TOKEN")])
    held = "".join(f"  {name}: {value}\n" for name, value in zip(names, values, strict=True))
    return Written(f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\ntype: Opaque\ndata:\n{held}", tuple(values))


def _pgpass(rng: Random) -> Written:
    value = run(rng, ALNUM + "-_.", 16)
    return Written(f"$ cat ~/.pgpass\ndb.example.net:5432:shop:bob:{value}\n", (value,))


def _netrc(rng: Random) -> Written:
    value = _safe(rng)
    return Written(
        rng.choice(["machine {h} login bob password {v}", "machine {h}\n  login bob\n  password {v}\n"])
        .replace("{h}", "api.example.com")
        .replace("{v}", value),
        (value,),
    )


def _azure_connection(rng: Random) -> Written:
    value = run(rng, BASE64, 86) + "=="
    text = f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={value};EndpointSuffix=core.windows.net"
    return Written(text, (value,))


def _sas(rng: Random) -> Written:
    value = quote(run(rng, BASE64, 43) + "=", safe="")
    return Written(
        f"https://shop.blob.core.windows.net/c/b?sv=2023-01-03&sp=r&se=2027-01-01&sr=b&sig={value}", (value,)
    )


def _service_bus(rng: Random) -> Written:
    value = run(rng, BASE64, 43) + "="
    return Written(
        f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={value}", (value,)
    )


def _presigned(rng: Random) -> Written:
    value = quote(run(rng, BASE64, 260), safe="")
    text = (
        f"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Security-Token={value}&X-Amz-Expires=60"
    )
    return Written(text, (value,))


def _slack_webhook(rng: Random) -> Written:
    value = f"T{run(rng, UPPER + DIGITS, 10)}/B{run(rng, UPPER + DIGITS, 10)}/{run(rng, ALNUM, 24)}"
    return Written(f"curl -X POST -d '{{}}' https://hooks.slack.com/services/{value}", (value[-24:],), (value,))


def _discord_webhook(rng: Random) -> Written:
    number, value = run(rng, DIGITS, 18), run(rng, WORD, 68)
    host = rng.choice(["discord.com", "discordapp.com"])
    return Written(f"https://{host}/api/webhooks/{number}/{value}", (value,), (f"{number}/{value}",))


def _teams_webhook(rng: Random) -> Written:
    one, two, three = ("-".join(run(rng, HEX, size) for size in (8, 4, 4, 4, 12)) for _ in range(3))
    value = run(rng, HEX, 32)
    address = f"{one}@{two}/IncomingWebhook/{value}/{three}"
    return Written(f"WEBHOOK is https://shop.webhook.office.com/webhookb2/{address}", (value,), (address,))


def _pem_escaped(rng: Random) -> Written:
    block = pem(rng).replace("\n", "\\n")
    text = '{"type": "service_account", "private_key": "' + block + '\\n", "client_email": "x@example.com"}'
    return Written(text, (block.split("-----")[2],), (block + "\\n",))


def _pem_prefixed(prefix: Callable[[int], str]) -> Place:
    """A key each of whose lines has something before it: a diff's plus, a line number, an indentation."""

    def place(rng: Random) -> Written:
        lines = pem(rng).split("\n")
        text = "\n".join(prefix(at) + line for at, line in enumerate(lines))
        start = "# key\n"
        return Written(start + text + "\nend of file\n", (lines[1], lines[-2]), (text,))

    return place


def _pem_env(rng: Random) -> Written:
    block = pem(rng)
    return Written(f'PORT=1\nTLS_KEY="{block}"\nDEBUG=1\n', (block.split("-----")[2],), (block,))


def _pem_cut(rng: Random) -> Written:
    block = pem(rng)
    cut = block[: len(block) * 2 // 3]
    return Written(f"$ head -c 600 id_rsa\n{cut}", (cut.split("-----")[2],), (cut,))


def _putty(rng: Random) -> Written:
    lines = [run(rng, BASE64, 64) for _ in range(4)]
    held = "\n".join(lines)
    public = run(rng, BASE64, 64)
    text = f"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: k\nPublic-Lines: 1\n{public}\nPrivate-Lines: 4\n{held}\nPrivate-MAC: {run(rng, HEX, 64)}\n"
    return Written(text, (lines[0], lines[-1]), (text,))


def _wireguard(rng: Random) -> Written:
    value = run(rng, BASE64, 43) + "="
    return Written(
        f"[Interface]\nAddress = 10.0.0.2/32\nPrivateKey = {value}\n\n[Peer]\nEndpoint = x:51820\n", (value,)
    )


def _yaml_block(rng: Random) -> Written:
    value = _safe(rng)
    return Written(
        f"db:\n  user: bob\n  password: {rng.choice(['|', '>-', '|-'])}\n    {value}\n  port: 5432\n", (value,)
    )


def _private(rng: Random) -> Written:
    value = f"my {rng.choice(WORDS)} is {run(rng, ALNUM, 8)} and {rng.choice(WORDS)}"
    tag = rng.choice(["private", "Private", "PRIVATE"])
    return Written(f"Please note <{tag}>{value}</{tag}> and go on.", (value,), (f"<{tag}>{value}</{tag}>",))


PLACES: dict[str, tuple[Place, ...]] = {
    "authorization": (
        _filled(
            [
                'curl -H "Authorization: Bearer {v}" https://{h}/',
                "Authorization: token {v}",
                "Authorization: Bearer {v}\nAccept: */*",
                '{"headers": {"Authorization": "Bearer {v}"}}',
                "headers = {'Authorization': 'Bearer {v}'}",
                "http https://{h}/x 'Authorization: ApiKey {v}'",
                "> authorization: Bearer {v}\n> host: {h}",
                "Proxy-Authorization: Bearer {v}",
                'req.Header.Set("Authorization", "Bearer {v}")',
                "fetch(u, { headers: { authorization: `Bearer {v}` } })",
            ],
            _token,
        ),
        _filled(
            [
                "Authorization: Basic {v}",
                'curl -H "Authorization: Basic {v}" https://{h}/',
                '{"authorization": "Basic {v}"}',
            ],
            _basic,
        ),
    ),
    "bearer-token": (_filled(['auth = "Bearer {v}"', "sent Bearer {v} to {h}", 'x("Bearer {v}")'], _token),),
    "cookie": (
        _filled(
            [
                "curl -H 'Cookie: {v}' https://{h}/",
                "GET / HTTP/1.1\nHost: {h}\nCookie: {v}\nAccept: */*\n",
                '{"cookie": "{v}"}',
                "curl --cookie '{v}' https://{h}/",
                "curl -b '{v}' https://{h}/",
            ],
            _cookie,
        ),
        _set_cookie,
    ),
    "basic-auth": (
        _filled(
            [
                "curl -u {u}:{v} https://{h}/x",
                "curl --user {u}:{v} https://{h}/x",
                "curl -sS -u '{u}:{v}' https://{h}/x",
                "http -a {u}:{v} https://{h}/x",
                "curl --user='{u}:{v}' https://{h}",
            ],
            _safe,
        ),
    ),
    "url-password": (
        _filled(
            [
                "git clone https://{u}:{v}@{h}/a/b.git",
                "postgresql://{u}:{v}@{h}:5432/shop",
                "DATABASE_URL=mysql://{u}:{v}@{h}/shop",
                "redis://:{v}@{h}:6379/0",
                "mongodb+srv://{u}:{v}@{h}/x?retryWrites=true",
                "amqp://{u}:{v}@{h}:5672/",
                "create_engine('postgresql+psycopg://{u}:{v}@{h}/shop')",
                "origin\thttps://{u}:{v}@{h}/a/b.git (fetch)",
                "HTTPS_PROXY=http://{u}:{v}@{h}:3128",
                "pip install --index-url https://{u}:{v}@{h}/simple x",
                "ftp://{u}:{v}@{h}/x",
                "cloudinary://{u}:{v}@{h}",
                '[remote "origin"]\n\turl = https://{u}:{v}@{h}/a/b.git\n',
            ],
            _plain,
        ),
        _filled(["postgres://{u}:{v}@{h}/shop", "https://{u}:{v}@{h}/a.git"], _escaped),
    ),
    "url-token": (
        _filled(
            [
                "git clone https://{v}@{h}/a/b.git",
                "git remote set-url origin https://{v}@{h}/a/b.git",
                "origin\thttps://{v}@{h}/a/b.git (push)",
            ],
            _token,
        ),
    ),
    "client-option": (
        _filled(
            [
                "mysql -u {u} -p{v} shop",
                "mysqldump -u{u} -p{v} shop > x.sql",
                "sshpass -p {v} ssh {u}@{h}",
                "sshpass -p '{v}' scp a {u}@{h}:",
                "docker login -u {u} -p {v} {h}",
                "redis-cli -h {h} -a {v} ping",
                "PGPASSWORD={v} psql -h {h} -U {u}",
                "openssl rsa -in k.pem -passin pass:{v}",
                "mongosh --host {h} -u {u} -p {v}",
                "wget --user={u} --password={v} https://{h}/",
                "MYSQL_PWD={v} mysql -u {u}",
                "sqlcmd -S {h} -U {u} -P {v}",
                "echo {v} | sudo -S apt update",
                "htpasswd -bn {u} {v}",
                "az login -u {u} -p {v}",
                "svn co --username {u} --password {v} https://{h}/",
                "zip -P {v} x.zip a",
                "7z x -p{v} a.7z",
                "ldapsearch -D cn={u} -w {v} -H ldap://{h}",
                "kinit {u} <<< '{v}'",
                "smbclient //{h}/x -U {u}%{v}",
            ],
            _plain,
        ),
    ),
    "connection-string": (
        _filled(
            [
                "Server={h};Database=shop;User Id={u};Password={v};",
                "Server={h};Uid={u};Pwd={v};Encrypt=yes",
                "Driver={x};Server={h};UID={u};PWD={v}",
                "jdbc:postgresql://{h}/shop?user={u}&password={v}",
                "jdbc:sqlserver://{h};user={u};password={v};",
                "host={h} user={u} password={v} dbname=shop sslmode=require",
                "jdbc:mysql://{h}/x?user={u}&password={v}&useSSL=true",
            ],
            _plain,
        ),
    ),
    "azure": (_azure_connection, _sas, _service_bus),
    "aws-presigned": (_presigned,),
    "docker-config": (_docker_config,),
    "kubernetes": (_kubernetes,),
    "npmrc": (
        _filled(
            [
                "//registry.npmjs.org/:_authToken={v}",
                '//{h}/npm/:_authToken="{v}"',
                "//{h}/:_password={v}",
                "npm config set //{h}/:_authToken {v}",
                "_auth={v}",
            ],
            _token,
        ),
    ),
    "netrc": (_netrc,),
    "pgpass": (_pgpass,),
    "slack-webhook": (_slack_webhook,),
    "discord-webhook": (_discord_webhook,),
    "teams-webhook": (_teams_webhook,),
    "private-key": (
        *(
            _pem_escaped,
            _pem_env,
            _pem_cut,
            _pem_prefixed(lambda at: "+"),
            _pem_prefixed(lambda at: f"{at + 2:6d}→"),
            _pem_prefixed(lambda at: "    "),
            _pem_prefixed(lambda at: f"{at + 2:6d}\t"),
        ),
    ),
    "putty-key": (_putty,),
    "wireguard": (_wireguard,),
    "yaml-block": (_yaml_block,),
    "private": (_private,),
    "prose-password": (
        _filled(
            [
                "The password is: {v}",
                "password: {v}",
                'My password is "{v}", log in with it.',
                "use the password `{v}` for {u}",
                "Log in as {u} with password '{v}'.",
                "user {u}, password {v}",
            ],
            _safe,
        ),
    ),
    "dsn": (_filled(["{u}:{v}@tcp({h}:3306)/shop"], _plain),),
}
