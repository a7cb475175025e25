"""Secrets out of text."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import get_args
from urllib.parse import quote, quote_plus

import jinja2
import markupsafe
import pytest
import yaml

from dbtdeploy.base import markdown, redact, settings
from dbtdeploy.report.report import Counts, ReportStatus


def hide(text: str, environment: dict[str, str], *listed: str) -> str:
    return redact.redactor(redact.secret_values(environment, listed))(text)


@pytest.mark.fault(51)
@pytest.mark.parametrize(
    "name",
    [
        *("DBT_ENV_SECRET_X", "PGPASSWORD", "db_password", "API_TOKEN", "MY_SECRET"),
        *("SSH_KEY_FILE", "DBT_PASS", "DB_PWD", "SSH_PASSPHRASE", "GCP_CREDENTIALS"),
    ],
)
def test_values_of_names_like_a_secrets_are_hidden(name: str) -> None:
    assert hide("login with s3cr3t failed", {name: "s3cr3t"}) == "login with *** failed"


def test_other_values_stay() -> None:
    assert hide("in /srv/shop", {"PWD": "/srv", "OLDPWD": "/srv"}) == "in /srv/shop"
    assert hide("database analytics", {"DBT_DATABASE": "analytics"}) == "database analytics"


@pytest.mark.fault(51)
def test_what_is_listed_is_hidden_however_short() -> None:
    assert hide("a pin of 42", {}, "42", "", "  ") == "a pin of ***"


@pytest.mark.fault(51)
def test_short_values_are_hidden_only_where_they_are_surely_secret() -> None:
    assert hide("id of ab", {"SORT_KEY": "id", "DBT_ENV_SECRET_A": "ab"}) == "id of ***"


@pytest.mark.fault(51)
def test_other_spellings_are_hidden() -> None:
    secret = "p@ss'w\"rd/ö x"
    said = [
        f"postgresql://u:{'p%40ss%27w%22rd%2F%C3%B6%20x'}@h/db",
        json.dumps({"password": secret}),
        json.dumps({"password": secret}, ensure_ascii=False),
        "password = '" + secret.replace("'", "''") + "'",
    ]
    for text in said:
        assert "ss" not in hide(text, {"PASSWORD": secret}).replace("password", "")


@pytest.mark.fault(51)
def test_a_secret_is_hidden_in_markdown_too() -> None:
    hide = redact.redactor(redact.secret_values({"DBT_ENV_SECRET_X": "dbt_prod*7"}))
    assert hide(f"The role {markdown.inline('dbt_prod*7')} lacks") == "The role *** lacks"


@pytest.mark.fault(51)
def test_each_line_of_a_private_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBB\n-----END KEY-----"
    assert hide("line AAAABBBB", {"SNOWFLAKE_PRIVATE_KEY": key}) == "line ***"


def test_a_secret_inside_another_leaves_nothing_behind() -> None:
    assert hide("abcdefgh", {"A_TOKEN": "abcdefgh", "B_TOKEN": "cdef"}) == "***"


def test_nothing_to_hide_hides_nothing() -> None:
    assert hide("text", {}) == "text"


def of_dbt_env(text: str, name: str, value: str) -> str:
    return redact.Redactor(redact.secret_values({}, given={name: value}))(text)


KEY = "".join(chr(65 + number * 7 % 26) for number in range(64))
OTHER = "".join(chr(97 + number * 5 % 26) for number in range(64))
PEM = f"-----BEGIN PRIVATE KEY-----\n{KEY}\n{OTHER}\nshortend\n-----END PRIVATE KEY-----\n"
KEY_FILE = json.dumps(
    {"type": "service_account", "private_key_id": "0f1e2d3c4b5a", "private_key": PEM}
)


@pytest.mark.fault(64)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABRICKS_PAT", "WAREHOUSE", "A"])
def test_a_value_of_dbt_env_is_hidden_whatever_its_name(name: str) -> None:
    assert of_dbt_env("it said dapi01/23=x!", name, "dapi01/23=x") == "it said ***!"


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "spell",
    [
        lambda v: quote(v, safe=""),
        quote,
        quote_plus,
        lambda v: quote(v, safe="").lower(),
        lambda v: json.dumps(v)[1:-1],
        lambda v: json.dumps(json.dumps(v))[3:-3],
        lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
        lambda v: v.replace("'", "''"),
        lambda v: repr(v)[1:-1],
        html.escape,
        # {{ value|e }} and {{ value|tojson }} of Jinja.
        lambda v: str(markupsafe.escape(v)),
        lambda v: str(jinja2.utils.htmlsafe_json_dumps(v))[1:-1],
        lambda v: (
            json.dumps(v)[1:-1]
            .replace("<", r"\u003c")
            .replace(">", r"\u003e")
            .replace("&", r"\u0026")
        ),
        lambda v: repr(v.encode())[2:-1],
        lambda v: v.encode().hex(),
        lambda v: html.escape(v).replace("&#x27;", "&apos;"),
        lambda v: json.dumps(v)[1:-1].replace("/", r"\/"),
        # E'...' of PostgreSQL.
        lambda v: v.replace("\\", r"\\").replace("'", r"\'"),
        lambda v: v.replace("\\", r"\\").replace("'", "''"),
        shlex.quote,
        markdown.inline,
        lambda v: json.dumps(json.dumps(json.dumps(v)))[7:-7],
        lambda v: html.escape(json.dumps(quote(v, safe=""))[1:-1]),
        lambda v: json.dumps(v.replace("'", "''"))[1:-1],
        lambda v: quote(v, safe="!'()*~-._"),
        lambda v: yaml.safe_dump(v, allow_unicode=False)[1:-2],
        str.upper,
        str.lower,
        lambda v: quote(v, safe="").upper(),
        lambda v: v.encode().hex().upper(),
        lambda v: v[:7] + "\x1b[31m" + v[7:9] + "\x1b[0m" + v[9:],
    ],
)
def test_it_is_hidden_as_tools_write_it(spell: Callable[[str], str]) -> None:
    value = "p@ss'w\"rd\\/\u00f6 <x>&%~"
    hidden = of_dbt_env(f"before {spell(value)} after", "X", value)
    assert re.fullmatch(r"before '?\*\*\*'? after", hidden), hidden


def test_an_ordinary_word_is_hidden_as_it_is_written_and_in_capitals() -> None:
    assert of_dbt_env("Test, TEST, test", "X", "Test") == "***, ***, test"
    assert of_dbt_env("zq9x, ZQ9X, zQ9x", "X", "zq9X") == "***, ***, ***"


@pytest.mark.fault(64)
def test_a_value_is_hidden_where_its_blanks_are_folded() -> None:
    value = "correct horse battery staple 7 and many more words that are long and go on"
    for text in (yaml.safe_dump({"key": value}), textwrap.fill(value, 30), value.replace(" ", "+")):
        left = of_dbt_env(f"it said {text} end", "X", value).split()
        assert set(left) <= {"it", "said", "key:", "***", "end"}


@pytest.mark.fault(64)
def test_what_stands_around_an_escaped_value_stays() -> None:
    hide = redact.Redactor(redact.secret_values({}, given={"X": "p@ss'w/rd"}))
    said = "\u0130 100% of it''s <b> & \\n; C:\\new: p%40ss%27w%2Frd \u00fcber %41"
    assert hide(said) == said.replace("p%40ss%27w%2Frd", "***")


@pytest.mark.fault(64)
@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("value", ["hunt", "hunter2", "\u00fe\u00ff\u00fe?>?>secret"])
def test_it_is_hidden_in_base64_wherever_it_begins(
    before: int, encode: Callable[[bytes], bytes], value: str
) -> None:
    for after in ("", "!", "!!", "and more"):
        packed = encode(b"user:pw"[:before] + value.encode() + after.encode()).decode()
        hidden = of_dbt_env(f"Authorization: Basic {packed}", "X", value)
        assert "***" in hidden
        # What is left of it tells nothing of its whole bytes.
        left = hidden.removeprefix("Authorization: Basic ").split("***")
        assert len(left[0]) <= -(-before * 4 // 3)
        assert len(left[-1].rstrip("=")) <= -(-len(after) * 4 // 3) + 1


@pytest.mark.fault(64)
@pytest.mark.parametrize("before", [0, 1, 40, 50, 56, 100])
@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n  "])
def test_it_is_hidden_in_base64_of_several_lines(before: int, width: int, end: str) -> None:
    around = b"u" * before
    packed = base64.b64encode(around + KEY.encode() + b"!" * 99).decode()
    text = f"key: {end.join(textwrap.wrap(packed, width))}\nend"
    hide = redact.Redactor(redact.secret_values({}, given={"X": KEY}))
    for shown in (text, json.dumps(text)):
        left = "".join(hide(shown).replace("\\n", "").replace("\\r", "").split())
        assert "***" in left
        inside = packed[-(-before * 4 // 3) : (before + len(KEY)) * 4 // 3]
        assert not any(part in left for part in textwrap.wrap(inside, 8)[:-1])
        assert hide.within(shown)(text) == hide(text)
        assert hide.names([shown]) == ["X"]
        assert hide.words_in(shown.encode())
    assert hide(text).endswith("\nend")


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "value", [PEM, PEM.replace("\n", "\\n"), KEY_FILE, base64.b64encode(KEY_FILE.encode()).decode()]
)
def test_a_line_or_a_field_of_a_key_is_hidden(value: str) -> None:
    for part in (KEY, OTHER, "shortend", KEY + OTHER + "shortend"):
        assert of_dbt_env(f"line {part}.", "X", value) == "line ***."
    last = value.replace("shortend", "Ab3=")
    if last == value:
        last = base64.b64encode(KEY_FILE.replace("shortend", "Ab3=").encode()).decode()
    assert of_dbt_env("line Ab3=.", "X", last) == "line ***."
    if "0f1e" in value:
        assert of_dbt_env("id 0f1e2d3c4b5a", "X", value) == "id ***"
        assert of_dbt_env("a service_account", "X", value) == "a service_account"


@pytest.mark.fault(64)
def test_the_password_in_an_address_is_hidden_by_itself() -> None:
    address = "postgres://dbt:p%40ss-word@db.internal:5432/shop"
    for text in ("p@ss-word", "p%40ss-word", address):
        assert of_dbt_env(f"for {text} it", "DATABASE_URL", address) == "for *** it"


@pytest.mark.fault(64)
def test_where_secrets_overlap_nothing_of_either_is_left() -> None:
    assert redact.redactor(["abcdef", "defghi"])("xabcdefghix") == "x***x"


def test_short_values_settings_and_longer_numbers_stay() -> None:
    assert of_dbt_env("the id", "SORT", "id") == "the id"
    assert of_dbt_env("is false", "DBT_SEND_ANONYMOUS_USAGE_STATS", "false") == "is false"
    assert of_dbt_env("15432 rows on port 5432", "PORT", "5432") == "15432 rows on port ***"


@pytest.mark.fault(64)
def test_what_is_public_stays_unless_it_is_named_like_a_secret() -> None:
    given = {"DBT_DATABASE": "analytics", "DB_PASSWORD": "analytic"}
    words = redact.secret_values({}, given=given, public=lambda _: True)
    assert redact.Redactor(words)("in analytics") == "in ***s"


@pytest.mark.fault(64)
def test_a_redactor_of_one_document_finds_in_it_what_the_whole_one_finds() -> None:
    secret = 'a"b\\c\u00f6d'
    whole = redact.Redactor(redact.secret_values({}, given={"A": secret, "B": "elsewhere"}))
    within = whole.within(json.dumps({"x": secret}))
    assert (within(secret), within("elsewhere")) == ("***", "elsewhere")
    assert whole.names([f"x {secret} y", "plain"]) == ["A"]


@pytest.mark.fault(46, 64)
def test_only_what_no_output_can_hold_is_masked() -> None:
    secret = {
        "DATABASE": "shop",
        "HOST": "db.internal",
        "PORT": "5432",
        "PASSWORD": "shop",
        "SHA": "9f3c2e1aa5b0",
        "STATUS": "passed",
        "KEY": "one\nmain line\n1_shop",
    }
    assert redact.masked_values(secret, ["pr_1_shop"]) == ["db.internal", "main line"]


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("http://h.internal/?password=Sup3rSecretQ&x=1", "Sup3rSecretQ"),
        ("jdbc:x://h/db?user=u&access_token=Sup3r%40Q", "Sup3r@Q"),
        ("https://ghp_AbCdEf123456@github.com/x", "ghp_AbCdEf123456"),
        ("git+https://ghp_AbCdEf123456@github.com/x", "ghp_AbCdEf123456"),
        ("host=h password=Sup3rSecretQ user=x", "Sup3rSecretQ"),
        (r"host=h password='Sup3r \'Q' user=x", "Sup3r 'Q"),
        ("Server=h;Uid=u;Pwd=Sup3rSecretQ;", "Sup3rSecretQ"),
    ],
)
def test_a_password_in_a_connection_string_is_hidden_by_itself(value: str, secret: str) -> None:
    assert of_dbt_env(f"login with {secret} failed", "X", value) == "login with *** failed"


def test_the_user_of_a_connection_string_is_no_password() -> None:
    assert of_dbt_env("the role dbt_user", "X", "postgres://dbt_user@h/db") == "the role dbt_user"
    assert of_dbt_env("the role dbt_user", "X", "host=h user=dbt_user") == "the role dbt_user"


LONG = "tok" + "".join(chr(97 + number * 7 % 26) for number in range(90))


@pytest.mark.fault(64)
@pytest.mark.parametrize("begin", [0, 7, 40])
@pytest.mark.parametrize("length", [12, 37, 50])
def test_what_a_database_cut_off_a_long_value_is_hidden(begin: int, length: int) -> None:
    piece = LONG[begin : begin + length]
    assert of_dbt_env(f"LINE 12: ...{piece}...", "X", LONG) == "LINE 12: ...***..."
    assert of_dbt_env(f"contains (1, {piece}", "X", LONG) == "contains (1, ***"


def test_short_pieces_and_those_of_addresses_and_artifacts_stay() -> None:
    assert of_dbt_env(f"x {LONG[3:14]} y", "X", LONG) == f"x {LONG[3:14]} y"
    for value in ("https://github.com/acme/shop", "/home/runner/work/shop/target"):
        said = "see https://github.com/acme/other and /home/runner/work/other"
        assert of_dbt_env(said, "X", value) == said
    hide = redact.Redactor(redact.secret_values({}, given={"X": LONG}))
    assert hide.within(f"{LONG}")(LONG[:20]) == LONG[:20]


@pytest.mark.fault(46, 64)
def test_nothing_that_an_output_is_made_of_is_masked() -> None:
    addresses = (
        "https://github.com/a/b/pull/1#issuecomment-2",
        "https://github.com/a/b/releases/tag/v1",
        "https://github.com/a/b/actions/runs/1/attempts/2",
    )
    words = {word for address in addresses for word in re.findall(r"[a-z.]{4,}", address)}
    words |= {*get_args(ReportStatus), *Counts.__struct_fields__}
    words |= {part for name in Counts.__struct_fields__ for part in name.split("_")}
    assert {"tests", "removed", "issuecomment", "passed"} <= words
    assert redact.masked_values({str(n): word for n, word in enumerate(words)}, ()) == []


@pytest.mark.fault(46, 64)
def test_a_secret_within_the_repositorys_own_addresses_stays() -> None:
    public = redact.own_texts("https://github.com", "copperpot/shop", "copperpot_pr_7")
    words = redact.secret_values({}, given={"DATABASE": "copperpot", "WORD": "actions"})
    hide = redact.Redactor(words, public=public)
    shown = (
        "see https://github.com/copperpot/shop/actions/runs/12/attempts/2 and "
        "https://github.com/copperpot/shop/pull/7#issuecomment-9 (copperpot/shop), copperpot_pr_7."
    )
    assert hide(shown) == shown
    assert hide.within(shown)(shown) == shown
    said = "https://copperpot.example/shop, database copperpot, not_copperpot/shop, actions"
    assert hide(said) == "https://***.example/shop, database ***, not_***/shop, ***"


@pytest.mark.fault(46, 64)
def test_before_dbt_has_listed_links_and_the_schema_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.keep_schema(tmp_path, "copperpot_pr_7")
    monkeypatch.setenv("DBT_DEPLOY_WORK", str(tmp_path))
    monkeypatch.setenv("DBT_DEPLOY_DBT_ENV", "DATABASE=copperpot")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "copperpot/shop")
    said = "copperpot at https://github.com/copperpot/shop/actions/runs/1, copperpot_pr_7"
    assert settings.redactor()(said) == said.replace("copperpot at", "*** at")


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "value",
    [
        "mysql+pymysql://svc:{}@db.example/shop",
        "jdbc:mysql://svc:{}@db.example",
        "amqp://u:other-one@h1,amqp://u:{}@h2",
        '{{"url": "postgres://svc:{}@db.example/x", "ssl": true}}',
        "first line\nURL=postgres://svc:{}@db.example/x\nlast line",
        'org.apache.LoginModule required username="svc" password="{}";',
        "Driver={{x}};Uid=svc;Pwd={{{}}};",
        "user: svc\npassword: {}\n",
        '{{"user": "svc", "password": "{}"}}',
    ],
)
@pytest.mark.parametrize("password", ["Kf7#mQ/2vLxTq", "Ab1?xY9z", "in[side]7"])
def test_a_password_within_a_value_is_a_secret_by_itself(value: str, password: str) -> None:
    hides = redact.Redactor(redact.secret_values({}, (), given={"WHERE": value.format(password)}))
    said = hides(f"could not log in with {password} as svc")
    assert said == "could not log in with *** as svc"


@pytest.mark.fault(64)
def test_hexadecimal_that_is_digits_alone_is_found_within_more_bytes() -> None:
    hides = redact.Redactor(redact.secret_values({}, (), given={"WHERE": "spartacus7"}))
    for around in ("pw=spartacus7;x", "9spartacus79"):
        said = hides(f"\\x{around.encode().hex()}")
        assert b"spartacus7".hex() not in said, said
