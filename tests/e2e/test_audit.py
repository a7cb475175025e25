"""A secret of each kind is planted wherever it may come from, and all that leaves is read.

The project prints them, puts them into names, descriptions and configurations, and lets the
warehouse quote them in its errors, in each of the forms in which tools write a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import make_environments
from demo import events, jobs, production
from demo.jobs import Job
from e2e.conftest import Author, Manager
from standins.text import auditor

LINES = [
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
    "qZ5kPp2Lw8xYt6RrUuVv1NnMmQqWwEeRrTty",
    "sh0rtPart12=",
]


def pem(*lines: str) -> str:
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])


PEM = pem(*LINES)
KEY_LINES = ["GGzEvAIBADANBgkqhkiXPLANTEDxAAxx", "LLw9PlantedSecondLine77xx"]
KEY_FILE = {
    "type": "service_account",
    "private_key_id": "a81f0c44e9d2b7",
    "private_key": pem(*KEY_LINES),
    "client_email": "planted-svc@copper-9.example.com",
}  # fmt: skip
ODD = "Qz7'x\"8%k& \u00fc|\\\u00e9$<w"
URL = "postgres://svc:Zk%40t9Lm!qW@db.planted.example:5432/xx"
WORDS = "correct horse battery staple mit \u00dcml\u00e4ut und noch vielen W\u00f6rtern"
SHORT = "zq9X"
MIXED = "PlantedMixedWord"

GIVEN = {
    "AUDIT_ODD": ODD,
    "AUDIT_LINES": '"first-planted-line-7\\nsecond-planted-line-8"',
    "AUDIT_PEM": '"' + PEM.replace("\n", "\\n") + '"',
    "AUDIT_KEY_FILE": json.dumps(KEY_FILE),
    "AUDIT_URL": URL,
    "AUDIT_WORDS": WORDS,
    "AUDIT_SHORT": SHORT,
    "AUDIT_MIXED": MIXED,
    # It is a schema of production's, too.
    "AUDIT_SCHEMA": "analytics_marts",
}
SECRETS = {
    "odd": [ODD],
    "lines": ["first-planted-line-7", "second-planted-line-8"],
    "pem": LINES,
    "key file": [*KEY_LINES, KEY_FILE["private_key_id"], KEY_FILE["client_email"]],
    "url": ["Zk%40t9Lm!qW", "Zk@t9Lm!qW"],
    "words": [WORDS],
    "short": [SHORT],
    "mixed": [MIXED],
}


def var(name: str) -> str:
    return f"env_var('AUDIT_{name}')"


def quoted(name: str) -> str:
    return "'{{ " + var(name) + " | replace(\"'\", \"''\") }}'"


SAID = " ".join(
    f"{{% do log('said ' ~ {text}, info=true) %}}"
    for text in (
        *(var("ODD"), var("PEM"), var("LINES"), f"({{'p': {var('ODD')}}} | tojson)"),
        f"tojson({{'p': tojson({{'q': tojson({{'r': {var('ODD')}}})}})}})",
        *(f"({var('ODD')} | e)", f"({var('URL')} | urlencode)", f"{var('MIXED')} | upper"),
        *(f"{var('SHORT')} | lower", f"toyaml({{'w': {var('WORDS')}, 'p': {var('PEM')}}})"),
        *(f"{{'k': {var('KEY_FILE')}}}", f"('\\x1b[31m' ~ {var('MIXED')}[:7] ~ '\\x1b[0m' ~ "
          f"{var('MIXED')}[7:])"),
    )
)  # fmt: skip

GOOD = {
    "models/marts/audited.sql": "{{ config(materialized='table', meta={'name': "
    + var("SHORT")
    + ", 'path': "
    + var("MIXED")
    + "}) }}\n{% if execute %}"
    + SAID
    + "{% endif %}\nselect "
    + ", ".join(f"{quoted(one)} as {one.lower()}" for one in ("ODD", "URL", "PEM", "KEY_FILE"))
    + ', 1 as "{{ '
    + var("SHORT")
    + ' }}"\n',
    "models/marts/_audited.yml": f"""
models:
  - name: audited
    description: "of {{{{ {var("WORDS")} }}}} and {{{{ {var("MIXED")} }}}}"
    meta: {{name: "{{{{ {var("MIXED")} }}}}", schema: "{{{{ {var("SHORT")} }}}}"}}
    columns:
      - name: odd
        description: "{{{{ {var("MIXED")} }}}}"
        data_tests:
          - accepted_values: {{arguments: {{values: ["{{{{ {var("MIXED")} }}}}"]}},
              config: {{severity: warn}}}}
""",
}


def select(text: str) -> str:
    return f"select cast({text} as integer) as id\n"


BAD = {
    "models/marts/bad_odd.sql": select(quoted("ODD")),
    "models/marts/bad_pem.sql": select(quoted("PEM")),
    "models/marts/bad_words.sql": f"select {quoted('WORDS')} as a, nosuch\n"
    "from {{ ref('stg_products') }}\n",
    "models/marts/bad_mixed.sql": "select {{ " + var("MIXED") + " }}\n"
    "from {{ ref('stg_products') }}\n",
    "models/marts/bad_base64.sql": select(
        f"encode(convert_to({quoted('KEY_FILE')}, 'utf8'), 'base64')"
    ),
    "models/marts/bad_json.sql": select(f"json_build_object('p', {quoted('ODD')})::text"),
    "models/marts/bad_raised.sql": "{% if execute %}{{ exceptions.raise_compiler_error('bad `' ~ "
    + f"{var('ODD')} ~ '` ' ~ tojson({{'p': {var('URL')}}})) }}}}{{% endif %}} select 1 as id\n",
}  # fmt: skip


def of_job(name: str, job: Job) -> Iterator[tuple[str, bytes]]:
    """All that a job leaves for people and other jobs."""
    yield f"{name}: log", job.log.encode()
    yield f"{name}: summary", job.summary.encode()
    yield f"{name}: outputs", str([dict(step.outputs) for step in job.result.steps]).encode()
    yield f"{name}: annotations", "\n".join(map(repr, job.result.annotations)).encode()
    for comment in job.comments:
        yield f"{name}: comment", comment.encode()
    folder = job.outputs.get("artifact-folder", "")
    for path in Path(folder).rglob("*") if folder else ():
        if path.is_file():
            yield f"{name}: {path.name}", path.read_bytes()


def of_store(manager: Manager) -> Iterator[tuple[str, bytes]]:
    """Every object of the bucket that a deploy of this manager's wrote."""
    client, before = manager.world.store.client(), manager.place.state_url.rpartition("/")[2]
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=production.BUCKET, Prefix=f"{before}/"
    )
    for entry in (entry for page in pages for entry in page.get("Contents", ())):
        found = client.get_object(Bucket=production.BUCKET, Key=entry["Key"])
        yield entry["Key"], found["Body"].read()


def without_state(left: Mapping[str, bytes]) -> dict[str, bytes]:
    """Without manifest.json, in which dbt 1.11 compares configurations.

    What stays there the deploy has named in its log.
    """
    return {name: body for name, body in left.items() if "/manifest.json" not in name}


@pytest.mark.more
@pytest.mark.fault(64)
def test_nothing_that_was_planted_can_be_read_in_anything_that_leaves(
    manager: Manager, author: Author
) -> None:
    world, place = manager.world, manager.place
    checkout = manager.merge(GOOD)
    deploy = jobs.run(
        *(world, checkout, events.push(checkout)),
        action="deploy",
        environment=place,
        inputs={"build": "modified", "docs": "true"},
        dbt_env=GIVEN,
    )
    assert deploy.succeeded, deploy.log

    failing = author.push({**GOOD, **BAD})
    ci = jobs.run(*(world, failing, author.event(failing)), environment=place, dbt_env=GIVEN)
    assert ci.status == "failed", ci.log
    assert sum(node["outcome"] in ("failed", "error") for node in ci.report["nodes"]) == len(BAD)

    left = dict([*of_job("deploy", deploy), *of_job("ci", ci), *of_store(manager)])
    left["requests to GitHub"] = str(world.github.requests()).encode()
    assert auditor.found(SECRETS, without_state(left)) == []

    # What the state of dbt 1.11 cannot do without is told once, by name, and is in the manifest
    # alone. Later ones compare configurations as they are written, and need nothing of it.
    said = [one for one in deploy.result.annotations if "stay in the state" in (one.title or "")]
    told = ["`AUDIT_MIXED`, `AUDIT_SHORT`"] if make_environments.DBT == "1.11" else []
    assert [one.message.partition(":")[0] for one in said] == told
    if not told:
        assert auditor.found(SECRETS, left) == []
    manifest = json.loads(manager.read("latest/manifest.json"))
    node = next(one for one in manifest["nodes"].values() if one["name"] == "audited")
    assert node["schema"] == GIVEN["AUDIT_SCHEMA"]
    assert auditor.found(SECRETS, {"compiled": node["compiled_code"].encode()}) == []
