"""The auditor reads a secret in each form, and reads nothing in what was redacted."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
import yaml

from dbtdeploy.base import redact
from standins.text import auditor

SECRETS = {
    "odd": "Qz7'x\"8%k& \u00fc|\\\u00e9$<w",
    "words": "correct horse battery staple mit \u00dcml\u00e4ut und vielen W\u00f6rtern",
    "long": "tok" + "".join(chr(97 + number * 7 % 26) for number in range(80)),
    "short": "zq9X",
    "wide": "stra\u00dfe-\U0001f511-geheim9",
}
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    html.escape,
    quote,
    json.dumps,
    yaml.safe_dump,
    lambda v: json.dumps(json.dumps(json.dumps({"p": v}))),
    lambda v: html.escape(json.dumps({"p": quote(v, safe="").lower()})),
    lambda v: f"'{v.replace(chr(39), chr(39) * 2)}'",
    lambda v: f"{v[:2]}\x1b[31m{v[2:3]}\x1b[0m{v[3:]}",
    lambda v: v.encode().hex().upper(),
    lambda v: v.encode().hex(":"),
    lambda v: ", ".join(f"0x{byte:02x}" for byte in v.encode()),
    ascii,
    lambda v: json.dumps("".join(f"\\{byte:03o}" for byte in v.encode())),
    lambda v: "".join(f"\\U{ord(c):08X}" for c in v),
    lambda v: "".join(f"&#{ord(c)};" for c in v),
)


@pytest.mark.fault(64)
@pytest.mark.parametrize("form", range(len(FORMS)))
@pytest.mark.parametrize("name", SECRETS)
def test_each_form_is_read_and_once_redacted_is_not(name: str, form: int) -> None:
    said = f"before {FORMS[form](SECRETS[name])} after"
    wanted = {name: [SECRETS[name]]}
    assert auditor.found(wanted, {"log": said.encode()})
    hide = redact.Redactor(redact.secret_values({}, given={"A": SECRETS[name]}))
    assert auditor.found(wanted, {"log": hide(said).encode()}) == []


@pytest.mark.fault(64)
@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("name", ["odd", "words", "long"])
def test_base64_of_several_lines_in_a_packed_file_is_read_and_once_redacted_is_not(
    name: str, before: int
) -> None:
    packed = base64.encodebytes(b"u" * (50 + before) + SECRETS[name].encode() + b"!" * 60).decode()
    wanted = {name: [SECRETS[name]]}
    assert auditor.found(wanted, {"a.gz": gzip.compress(packed.encode())})
    hide = redact.Redactor(redact.secret_values({}, given={"A": SECRETS[name]}))
    assert auditor.found(wanted, {"a.gz": gzip.compress(hide(packed).encode())}) == []
