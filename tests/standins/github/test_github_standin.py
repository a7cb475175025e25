"""The GitHub stand-in keeps the rules that the tests of comments take for granted."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from standins.github import github

REPOSITORY = "acme/shop"
COMMENTS = f"/repos/{REPOSITORY}/issues/7/comments"


@pytest.fixture
def token(hub: github.Hub) -> str:
    hub.create_pull_request(REPOSITORY, 7)
    return hub.create_token("octocat")


def ask(
    url: str, token: str | None = None, method: str = "GET", body: Any = None
) -> tuple[int, Any, dict[str, str]]:
    request = urllib.request.Request(url, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read()), dict(refused.headers)


def test_every_operation_fits_githubs_description(hub: github.Hub, token: str) -> None:
    comment = hub.create_comment(REPOSITORY, 7, "words", "octocat")
    one = f"/repos/{REPOSITORY}/issues/comments/{comment}"
    labels = f"/repos/{REPOSITORY}/issues/7/labels"
    asked: list[tuple[str, str, Any, int]] = [
        ("GET", "/user", None, 200),
        ("GET", f"/repos/{REPOSITORY}", None, 200),
        ("GET", f"/repos/{REPOSITORY}/pulls/7", None, 200),
        ("GET", f"/repos/{REPOSITORY}/pulls/8", None, 404),
        ("GET", COMMENTS, None, 200),
        ("POST", COMMENTS, {"body": "more"}, 201),
        ("GET", one, None, 200),
        ("PATCH", one, {"body": "other words"}, 200),
        ("DELETE", one, None, 204),
        ("GET", one, None, 404),
        ("POST", labels, {"labels": ["a b", "c"]}, 200),
        ("GET", labels, None, 200),
        ("DELETE", f"{labels}/a%20b", None, 200),
    ]
    for method, path, body, status in asked:
        assert ask(hub.url + path, token, method, body)[0] == status, path
    assert [c["body"] for c in hub.comments(REPOSITORY, 7)] == ["more"]
    assert hub.labels(REPOSITORY, 7) == ["c"]


def test_releases_fit_githubs_description(hub: github.Hub, token: str) -> None:
    where = f"/repos/{REPOSITORY}/releases"
    there = {"tag_name": "v1", "body": "words", "draft": True}
    _, made, _ = ask(hub.url + where, token, "POST", there)
    one = f"{where}/{made['id']}"
    asked: list[tuple[str, str, Any, int]] = [
        ("GET", where, None, 200),
        ("POST", f"{one}/assets?name=plan.json", {"a": 1}, 201),
        ("POST", f"{one}/assets?name=plan.json", {"a": 1}, 422),
        ("GET", f"{one}/assets", None, 200),
        ("PATCH", one, {"draft": False, "make_latest": "true"}, 200),
        ("POST", where, {"tag_name": "v1"}, 422),
        ("POST", where, {"tag_name": "v2", "body": "x" * 125_001}, 422),
        ("DELETE", f"{where}/7", None, 404),
    ]
    for method, path, body, status in asked:
        assert ask(hub.url + path, token, method, body)[0] == status, path
    assert hub.latest_release(REPOSITORY) == "v1"
    assert hub.asset(REPOSITORY, "v1", "plan.json") == '{"a": 1}'
    assert ask(hub.url + one, token, "DELETE")[0] == 204
    assert hub.releases(REPOSITORY) == []


def test_releases_that_are_immutable(hub: github.Hub, token: str) -> None:
    hub.make_releases_immutable(REPOSITORY)
    one = f"/repos/{REPOSITORY}/releases/{hub.create_release(REPOSITORY, 'v1')}"
    status, answer, _ = ask(f"{hub.url}{one}/assets?name=plan.json", token, "POST", {"a": 1})
    assert (status, answer["message"]) == (422, "Cannot upload assets to an immutable release.")
    assert ask(hub.url + one, token, "PATCH", {"body": "words"})[0] == 200


def test_drafts_are_seen_by_those_who_may_write(hub: github.Hub, token: str) -> None:
    hub.create_release(REPOSITORY, "v1", draft=True)
    reader = hub.create_token("octocat", write=False)
    releases = f"{hub.url}/repos/{REPOSITORY}/releases"
    assert [len(ask(releases, who)[1]) for who in (token, reader)] == [1, 0]


def test_history_fits_githubs_description(hub: github.Hub, token: str) -> None:
    first = hub.create_commit(REPOSITORY, branch="main")
    second = hub.create_commit(REPOSITORY, branch="main")
    aside = hub.create_commit(REPOSITORY, parents=[first])
    alone = hub.create_commit(REPOSITORY, parents=[])
    hub.set_tag(REPOSITORY, "shop/v1", second, nested=True)
    hub.merge_pull_request(REPOSITORY, 7, second, labels=["big"])
    api = f"{hub.url}/repos/{REPOSITORY}"
    target = ask(f"{api}/git/ref/tags/shop/v1", token)[1]["object"]
    while target["type"] == "tag":
        target = ask(f"{api}/git/tags/{target['sha']}", token)[1]["object"]
    assert target["sha"] == second
    assert ask(f"{api}/git/ref/tags/v9", token)[0] == 404
    compared = {
        "main...main": "identical",
        f"main...{first}": "behind",
        f"{first}...main": "ahead",
        f"main...{aside}": "diverged",
    }
    for what, status in compared.items():
        assert ask(f"{api}/compare/{what}", token)[1]["status"] == status
    assert ask(f"{api}/compare/main...{alone}", token)[0] == 404
    _, (pull,), _ = ask(f"{api}/pulls?state=closed&sort=updated&direction=desc", token)
    assert (pull["merge_commit_sha"], pull["labels"][0]["name"]) == (second, "big")


def test_deployments_fit_githubs_description(hub: github.Hub, token: str) -> None:
    made = hub.create_deployment(REPOSITORY, "a" * 40, "production")
    hub.create_deployment(REPOSITORY, "a" * 40, "staging")
    api = f"{hub.url}/repos/{REPOSITORY}/deployments"
    _, found, _ = ask(f"{api}?environment=production&sha={'a' * 40}", token)
    assert [deployment["id"] for deployment in found] == [made]
    assert ask(f"{api}/{made}/statuses", token, "POST", {"state": "inactive"})[0] == 201
    assert [s["state"] for s in ask(f"{api}/{made}/statuses", token)[1]] == ["inactive", "success"]
    reader = hub.create_token("octocat", refused=["/deployments"])
    assert ask(f"{api}/{made}/statuses", reader, "POST", {"state": "inactive"})[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/repos/acme/shop/branches", None),
        ("POST", COMMENTS, {"text": "no body"}),
        ("POST", COMMENTS, {"body": 7}),
        ("GET", f"{COMMENTS}?per_page=many", None),
    ],
)
def test_what_does_not_fit_is_noticed(method: str, path: str, body: Any) -> None:
    with github.serve() as hub:
        hub.create_pull_request(REPOSITORY, 7)
        status, answer, _ = ask(hub.url + path, hub.create_token("octocat"), method, body)
        assert status == 500
        assert "does not fit GitHub's description" in answer["message"]
        assert hub.broken_rules() == [answer["message"]]


def test_an_answer_that_does_not_fit_is_noticed() -> None:
    with github.serve() as hub:
        hub.create_pull_request(REPOSITORY, 7)
        comment = hub.create_comment(REPOSITORY, 7, "words", "octocat")
        hub._comments[comment]["created_at"] = None
        status, _, _ = ask(hub.url + COMMENTS, hub.create_token("octocat"))
        assert status == 500
        assert "created_at" in hub.violations[0]


def test_who_may_do_what(hub: github.Hub, token: str) -> None:
    mine = hub.create_comment(REPOSITORY, 7, "mine", "octocat")
    bot = hub.create_token("github-actions[bot]", installation=True)
    reader = hub.create_token("octocat", write=False)
    one = f"{hub.url}/repos/{REPOSITORY}/issues/comments/{mine}"
    assert ask(hub.url + COMMENTS)[0] == 401
    assert ask(hub.url + COMMENTS, "wrong")[1]["message"] == "Bad credentials"
    assert ask(hub.url + COMMENTS, reader)[0] == 200
    assert ask(one, reader, "PATCH", {"body": "x"})[0] == 403
    assert ask(one, bot, "PATCH", {"body": "x"})[0] == 403
    assert ask(one, bot, "DELETE")[0] == 403
    status, answer, _ = ask(hub.url + "/user", bot)
    assert (status, answer["message"]) == (403, "Resource not accessible by integration")
    assert hub.comments(REPOSITORY, 7)[0]["body"] == "mine"


def test_limits_of_a_body(hub: github.Hub, token: str) -> None:
    for body, status in {"": 422, "x" * 65_536: 201, "x" * 65_537: 422}.items():
        assert ask(hub.url + COMMENTS, token, "POST", {"body": body})[0] == status


def test_pages(hub: github.Hub, token: str) -> None:
    for number in range(205):
        hub.create_comment(REPOSITORY, 7, str(number), "octocat")
    _, first, headers = ask(f"{hub.enterprise_url}{COMMENTS}?per_page=1000", token)
    assert len(first) == 100
    assert 'rel="next"' in headers["Link"]
    assert f"<{hub.enterprise_url}{COMMENTS}?" in headers["Link"]
    _, last, headers = ask(f"{hub.url}{COMMENTS}?per_page=100&page=3", token)
    assert [c["body"] for c in last] == ["200", "201", "202", "203", "204"]
    assert 'rel="next"' not in headers["Link"]
    assert len(ask(hub.url + COMMENTS, token)[1]) == 30


def test_rate_limit(hub: github.Hub, token: str) -> None:
    hub.limit_rate(1, 4_000_000_000)
    assert ask(hub.url + "/user", token)[2]["X-RateLimit-Remaining"] == "0"
    status, answer, headers = ask(hub.url + "/user", token)
    assert status == 403
    assert answer["message"].startswith("API rate limit exceeded")
    assert headers["X-RateLimit-Reset"] == "4000000000"


def test_process_is_told_what_to_do_and_ends_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, Path(github.__file__), "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]

        def tell(order: str, /, **arguments: Any) -> Any:
            status, answer, _ = ask(f"{url}/_standin/{order}", method="POST", body=arguments)
            assert status == 200, answer
            return answer["result"]

        tell("create_pull_request", repository=REPOSITORY, number=7)
        token = tell("create_token", login="octocat")
        tell("add_fault", method="POST", status=502, performed=True)
        assert ask(url + COMMENTS, token, "POST", {"body": "words"})[0] == 502
        assert [c["body"] for c in tell("comments", repository=REPOSITORY, number=7)] == ["words"]
        assert tell("requests") == [{"method": "POST", "path": COMMENTS, "status": 502}]
        assert tell("broken_rules") == []
        assert ask(f"{url}/_standin/answer", method="POST", body={})[0] == 404
        assert ask(f"{url}/_standin/comments", method="POST", body={"repo": 1})[0] == 400
        process.stdin.close()
        assert process.wait(timeout=20) == 0
