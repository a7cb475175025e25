"""GitHub's stand-in: releases with their assets, deployments with their statuses.

Sources: https://docs.github.com/rest/releases and .../rest/deployments.
"""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from standins.github.hub_answers import Answer, Part, Request, Token, as_login, failed, now, paged

BODY_LIMIT = 125_000


class Releases(Part):
    """Releases and deployments."""

    def __init__(self) -> None:
        self._releases: dict[int, dict[str, Any]] = {}
        self._latest: dict[str, int] = {}
        self._immutable: set[str] = set()
        self._contents: dict[int, bytes] = {}
        self._interrupted = 0
        self._deployments: dict[int, dict[str, Any]] = {}
        self._statuses: dict[int, list[dict[str, Any]]] = {}

    # What a test may ask for ----------------------------------------------------------------------

    def create_release(
        self, repository: str, tag: str, body: str = "", *, draft: bool = False, author: str = "ann"
    ) -> int:
        """A release that is there already; gives its id."""
        with self._lock:
            self.create_repository(repository)
            given = {"tag_name": tag, "name": tag, "body": body, "draft": draft}
            return int(self._made(repository, given, author)["id"])

    def releases(self, repository: str) -> list[dict[str, Any]]:
        """All of a repository's releases, oldest first: GitHub's JSON."""
        with self._lock:
            return copy.deepcopy(
                [found for found in self._releases.values() if f"/{repository}/" in found["url"]]
            )

    def latest_release(self, repository: str) -> str | None:
        """Tag of the release that is ``latest``."""
        with self._lock:
            latest = self._latest.get(repository)
            return self._releases[latest]["tag_name"] if latest in self._releases else None

    def asset(self, repository: str, tag: str, name: str) -> str | None:
        """Text of an asset."""
        with self._lock:
            for release in self.releases(repository):
                for asset in release["assets"]:
                    if (release["tag_name"], asset["name"]) == (tag, name):
                        return self._contents[asset["id"]].decode()
            return None

    def make_releases_immutable(self, repository: str) -> None:
        """What is published from now on keeps its tag and its assets."""
        with self._lock:
            self._immutable.add(repository)

    def interrupt_uploads(self, times: int) -> None:
        """Let uploads end in the middle: 502, and an asset that is none."""
        with self._lock:
            self._interrupted = times

    def create_deployment(
        self, repository: str, sha: str, environment: str, *, state: str = "success"
    ) -> int:
        """A deployment, as the runner makes one for a job with an environment."""
        with self._lock:
            self.create_repository(repository)
            made = self._new_id()
            self._deployments[made] = {
                **self._examples["deployments"][0],
                "id": made,
                "url": f"{self.url}/repos/{repository}/deployments/{made}",
                "sha": sha,
                "environment": environment,
            }
            self._statuses[made] = [self._status(made, {"state": state})]
            return made

    def deployment_states(self, deployment: int) -> list[str]:
        """The states of a deployment, newest first."""
        with self._lock:
            return [status["state"] for status in self._statuses[deployment]]

    # Operations on releases -----------------------------------------------------------------------

    def _list_releases(self, request: Request, token: Token, name: str) -> Answer:
        # Drafts are seen by those who may write.
        found = [r for r in self.releases(name) if token.write or not r["draft"]]
        return paged(request, [self._from(request, release) for release in reversed(found)])

    def _create_release(self, request: Request, token: Token, name: str) -> Answer:
        given = request.json()
        refused = self._refused(name, given, None)
        if refused:
            return refused
        made = self._from(request, self._made(name, given, token.login))
        return Answer(status=201, body=made, headers={"Location": made["url"]})

    def _update_release(self, request: Request, _token: Token, name: str, number: str) -> Answer:
        found = self._releases.get(int(number))
        if found is None:
            return failed(404, "Not Found")
        given = request.json()
        refused = self._refused(name, {**found, **given}, found)
        if refused:
            return refused
        found.update({k: v for k, v in given.items() if k in found})
        self._publish(name, found, given.get("make_latest"))
        return Answer(status=200, body=self._from(request, found))

    def _delete_release(self, _request: Request, _token: Token, _name: str, number: str) -> Answer:
        if self._releases.pop(int(number), None) is None:
            return failed(404, "Not Found")
        return Answer(status=204)

    def _list_assets(self, request: Request, _token: Token, _name: str, number: str) -> Answer:
        found = self._releases.get(int(number))
        return paged(request, found["assets"]) if found else failed(404, "Not Found")

    def _upload_asset(self, request: Request, token: Token, _name: str, number: str) -> Answer:
        release = self._releases.get(int(number))
        if release is None:
            return failed(404, "Not Found")
        if release["immutable"]:
            return failed(422, "Cannot upload assets to an immutable release.")
        if any(asset["name"] == request.query["name"] for asset in release["assets"]):
            return _exists("ReleaseAsset", "name")
        whole = self._interrupted <= 0
        self._interrupted -= 1
        asset = self._asset(request, token, release, whole=whole)
        release["assets"].append(asset)
        return Answer(status=201, body=asset) if whole else failed(502, "Bad Gateway")

    def _delete_asset(self, _request: Request, _token: Token, _name: str, number: str) -> Answer:
        for release in self._releases.values():
            for asset in release["assets"]:
                if asset["id"] == int(number):
                    if release["immutable"]:
                        return failed(422, "Cannot delete asset from an immutable release.")
                    release["assets"].remove(asset)
                    return Answer(status=204)
        return failed(404, "Not Found")

    # Operations on deployments --------------------------------------------------------------------

    def _list_deployments(self, request: Request, _token: Token, name: str) -> Answer:
        found = [
            deployment
            for deployment in self._deployments.values()
            if f"/{name}/" in deployment["url"]
            and request.query.get("sha", deployment["sha"]) == deployment["sha"]
            and request.query.get("environment", deployment["environment"])
            == deployment["environment"]
        ]
        return paged(request, found[::-1])

    def _list_statuses(self, request: Request, _token: Token, _name: str, number: str) -> Answer:
        found = self._statuses.get(int(number))
        return paged(request, found) if found else failed(404, "Not Found")

    def _create_status(self, request: Request, _token: Token, _name: str, number: str) -> Answer:
        if int(number) not in self._deployments:
            return failed(404, "Not Found")
        made = self._status(int(number), request.json())
        self._statuses[int(number)].insert(0, made)
        return Answer(status=201, body=made)

    # Helpers --------------------------------------------------------------------------------------

    def _made(self, name: str, given: dict[str, Any], author: str) -> dict[str, Any]:
        made = self._new_id()
        api = f"{self.url}/repos/{name}/releases"
        release = {
            **self._examples["release"],
            "id": made,
            "url": f"{api}/{made}",
            "assets_url": f"{api}/{made}/assets",
            "upload_url": f"{api}/{made}/assets{{?name,label}}",
            "html_url": f"https://github.com/{name}/releases/tag/untagged-{made}",
            "tag_name": given["tag_name"],
            "name": given.get("name"),
            "body": given.get("body"),
            "draft": given.get("draft", False),
            "prerelease": given.get("prerelease", False),
            "author": as_login(self._examples["release"]["author"], author),
            "assets": [],
            "created_at": now(),
            "published_at": None,
        }
        self._releases[made] = release
        self._publish(name, release, given.get("make_latest", "true"))
        return release

    def _publish(self, name: str, release: dict[str, Any], make_latest: str | None) -> None:
        if release["draft"]:
            return
        fresh = release["published_at"] is None
        release["published_at"] = release["published_at"] or now()
        release["html_url"] = f"https://github.com/{name}/releases/tag/{release['tag_name']}"
        release["immutable"] = release["immutable"] or (fresh and name in self._immutable)
        first = make_latest == "legacy" and name not in self._latest
        if (make_latest == "true" or first) and not release["prerelease"]:
            self._latest[name] = release["id"]
        elif make_latest == "false" and self._latest.get(name) == release["id"]:
            del self._latest[name]

    def _refused(
        self, name: str, given: dict[str, Any], own: dict[str, Any] | None
    ) -> Answer | None:
        if len(given.get("body") or "") > BODY_LIMIT:
            wrong = f"body is too long (maximum is {BODY_LIMIT} characters)"
            return failed(422, "Validation Failed", errors=[{**_wrong("body"), "message": wrong}])
        others = [r for r in self.releases(name) if own is None or r["id"] != own["id"]]
        taken = any(r["tag_name"] == given["tag_name"] and not r["draft"] for r in others)
        if taken and not given.get("draft", False):
            return _exists("Release", "tag_name")
        return None

    def _asset(
        self, request: Request, token: Token, release: dict[str, Any], *, whole: bool
    ) -> dict[str, Any]:
        made = self._new_id()
        self._contents[made] = request.body if whole else b""
        api, _, _ = release["url"].rpartition("/")
        return {
            **self._examples["asset"],
            "id": made,
            "url": f"{api}/assets/{made}",
            "name": request.query["name"],
            "label": request.query.get("label", ""),
            # In prose it is "starter"; the description knows only these two.
            "state": "uploaded" if whole else "open",
            "content_type": request.headers.get("Content-Type", ""),
            "size": len(request.body),
            "digest": "sha256:" + hashlib.sha256(request.body).hexdigest() if whole else None,
            "uploader": as_login(self._examples["asset"]["uploader"], token.login),
        }

    def _from(self, request: Request, release: dict[str, Any]) -> dict[str, Any]:
        """With links to where it was asked, as GitHub gives them."""
        links = ("url", "assets_url", "upload_url")
        there = {key: release[key].replace(self.url, request.base) for key in links}
        return {**release, **there}

    def _status(self, deployment: int, given: dict[str, Any]) -> dict[str, Any]:
        made = self._new_id()
        url = self._deployments[deployment]["url"]
        return {
            **self._examples["deployment_status"],
            "id": made,
            "url": f"{url}/statuses/{made}",
            "state": given["state"],
            "description": given.get("description", ""),
            "log_url": given.get("log_url", ""),
            "created_at": now(),
        }


def _wrong(field: str) -> dict[str, str]:
    return {"resource": "Release", "code": "custom", "field": field}


def _exists(resource: str, field: str) -> Answer:
    wrong = {"resource": resource, "code": "already_exists", "field": field}
    return failed(422, "Validation Failed", errors=[wrong])
