"""GitHub's stand-in: artifacts of workflow runs, and the storage that they are fetched from."""

from __future__ import annotations

import secrets
from typing import Any

from standins.github.hub_answers import Answer, Part, Request, Token, failed, now, paged

STORAGE = "/_storage/"


class Artifacts(Part):
    """What runs have uploaded. A part of ``Hub``."""

    def __init__(self) -> None:
        self._artifacts: dict[int, dict[str, Any]] = {}
        self._stored: dict[str, bytes] = {}

    def upload_artifact(
        self,
        repository: str,
        run_id: int,
        content: bytes,
        *,
        name: str = "dbt-deploy",
        size: int | None = None,
        expired: bool = False,
    ) -> int:
        """An archive that a run uploaded; ``size`` is what GitHub says of it. Gives its id."""
        with self._lock:
            made = self._new_id()
            example = self._examples["artifacts"]["artifacts"][0]
            url = f"{self.url}/repos/{repository}/actions/artifacts/{made}"
            self._artifacts[made] = {
                "repository": repository,
                "content": content,
                "listed": {
                    **example,
                    "id": made,
                    "name": name,
                    "size_in_bytes": len(content) if size is None else size,
                    "url": url,
                    "archive_download_url": f"{url}/zip",
                    "expired": expired,
                    "created_at": now(),
                    "workflow_run": {**example["workflow_run"], "id": run_id},
                },
            }
            return made

    def stored(self, path: str, *, signed: bool) -> bytes | None:
        """What lies at an address that an answer gave; nothing for who sends a token there."""
        with self._lock:
            return None if signed else self._stored.get(path)

    def _list_artifacts(self, request: Request, _token: Token, name: str, run: str) -> Answer:
        wanted = request.query.get("name")
        listed = [
            one["listed"]
            for one in reversed(self._artifacts.values())
            if one["repository"] == name
            and str(one["listed"]["workflow_run"]["id"]) == run
            and wanted in (None, one["listed"]["name"])
        ]
        page = paged(request, listed)
        body = {"total_count": len(listed), "artifacts": page.body}
        return Answer(status=200, body=body, headers=page.headers)

    def _download_artifact(self, request: Request, _token: Token, name: str, made: str) -> Answer:
        found = self._artifacts.get(int(made))
        if found is None or found["repository"] != name:
            return failed(404, "Not Found")
        if found["listed"]["expired"]:
            return failed(410, "Artifact has expired")
        path = STORAGE + secrets.token_hex(8)
        self._stored[path] = found["content"]
        root = request.base.removesuffix("/api/v3")
        return Answer(status=302, headers={"Location": root + path})
