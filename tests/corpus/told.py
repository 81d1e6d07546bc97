"""Secrets that only their surroundings tell: values of no shape under names that people give them.

Names are those of gitleaks' generic and provider rules (config/gitleaks.toml: the words beside which they look), of
detect-secrets' keyword plugin and of the providers' own documentation of their environment variables.
"""

from random import Random

from tests.corpus.shapes import ALNUM, BASE64, DIGITS, HEX, WORD, aws_session, run

WORDS = ("harbor", "maple", "violet", "tiger", "copper", "lantern", "meadow", "rocket", "winter", "saddle", "pepper")
SAFE = ALNUM + "-_.@%+=~"  # what a shell, a .env file and YAML take without quotes
ANY = ALNUM + "-_.@%+=~!#$^*()[]{}:;,?/|<>"


def strong(rng: Random, quoted: bool) -> str:
    """A password of a generator; with any sign where it stands within quotes."""
    return run(rng, ANY if quoted and rng.random() < 0.5 else SAFE, rng.randint(10, 28))


def password(rng: Random, quoted: bool) -> str:
    """A password as generators and people make them."""
    chance = rng.random()
    if chance < 0.6:
        return strong(rng, quoted)
    if chance < 0.85:
        return (
            rng.choice(WORDS).capitalize()
            + run(rng, DIGITS, rng.randint(2, 5))
            + rng.choice(["", "!", "@x", ".", "_k"])
        )
    return "-".join(rng.sample(WORDS, 4)) + run(rng, DIGITS, 2)


def token(rng: Random, quoted: bool) -> str:
    """An opaque token of no provider's shape."""
    del quoted
    return rng.choice(
        [run(rng, HEX, 32), run(rng, HEX, 40), run(rng, HEX, 64), run(rng, WORD, 43), run(rng, ALNUM, 24)]
    )


def keyed(rng: Random, quoted: bool) -> str:
    """An API key of no provider's shape, a UUID among them."""
    if rng.random() < 0.25:
        return "-".join(run(rng, HEX, length) for length in (8, 4, 4, 4, 12))
    return token(rng, quoted)


def aws_secret(rng: Random, quoted: bool) -> str:
    del quoted
    return run(rng, BASE64, 40)


def azure_account(rng: Random, quoted: bool) -> str:
    del quoted
    return run(rng, BASE64, 86) + "=="


def session(rng: Random, quoted: bool) -> str:
    del quoted
    return aws_session(rng)


def mixed(rng: Random, quoted: bool) -> str:
    return rng.choice([password, token, keyed])(rng, quoted)


# Kind: names (words, to be written in the style of their place) and how a value is made.
TOLD = {
    "password": (
        [
            "password",
            "db password",
            "database password",
            "postgres password",
            "mysql root password",
            "redis password",
            "passwd",
            "smtp password",
            "admin password",
            "user passwd",
            "passphrase",
            "key passphrase",
            "db pass",
            "pgpassword",
            "mysql pwd",
            "keystore password",
            "sudo password",
            "ldap bind password",
            "ftp pass",
        ],
        password,
    ),
    "token": (
        [
            "access token",
            "auth token",
            "github token",
            "api token",
            "refresh token",
            "deploy token",
            "bot token",
            "id token",
            "slack bot token",
            "vault token",
            "session token",
            "ci job token",
            "registry token",
            "x auth token",
        ],
        token,
    ),
    "secret": (
        [
            "secret",
            "client secret",
            "app secret",
            "jwt secret",
            "session secret",
            "webhook secret",
            "consumer secret",
            "shared secret",
            "oauth client secret",
            "nextauth secret",
            "cookie secret",
            "hmac secret",
        ],
        mixed,
    ),
    "api-key": (
        [
            "api key",
            "x api key",
            "openweather api key",
            "maps api key",
            "app key",
            "service api key",
            "apikey",
            "internal api key",
            "brave api key",
            "tavily api key",
        ],
        keyed,
    ),
    "vendor-key": (
        [
            "datadog api key",
            "datadog app key",
            "algolia admin key",
            "algolia api key",
            "cloudflare api key",
            "cloudflare api token",
            "heroku api key",
            "fastly api token",
            "codecov token",
            "sonar token",
            "snyk token",
            "launchdarkly sdk key",
            "cohere api key",
            "mistral api key",
            "twitch client secret",
            "twitter api secret",
            "twitter access token secret",
            "okta api token",
            "segment write key",
            "pagerduty api key",
            "travis token",
            "coinbase api secret",
            "kraken api secret",
            "binance secret key",
            "plaid secret",
            "zendesk api token",
            "jfrog api key",
            "meraki api key",
            "confluent api secret",
            "intercom access token",
            "mattermost access token",
            "rapidapi key",
            "messagebird api key",
            "new relic license key",
            "mixpanel api secret",
            "sumologic access key",
        ],
        keyed,
    ),
    "secret-key": (
        [
            "secret key",
            "signing key",
            "encryption key",
            "master key",
            "django secret key",
            "rails master key",
            "secret key base",
            "flask secret key",
            "jwt signing key",
        ],
        mixed,
    ),
    "access-key": (
        ["aws secret access key", "secret access key", "minio secret access key", "aws secret key"],
        aws_secret,
    ),
    "aws-session": (["aws session token"], session),
    "azure-account": (["account key", "azure storage key", "azure storage account key"], azure_account),
    "credential": (["credential", "credentials", "db credentials", "service credential"], mixed),
}


def styled(name: str, style: str) -> str:
    """`db password` as `snake`, `upper`, `camel`, `pascal`, `kebab` or `header` has it."""
    words = name.split()
    if style == "snake":
        return "_".join(words)
    if style == "upper":
        return "_".join(words).upper()
    if style == "camel":
        return words[0] + "".join(word.capitalize() for word in words[1:])
    if style == "pascal":
        return "".join(word.capitalize() for word in words)
    if style == "kebab":
        return "-".join(words)
    return "-".join(word.capitalize() for word in words)
