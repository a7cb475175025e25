"""GitHub's stand-in: commits, branches, tags, and the pull requests that brought commits."""

from __future__ import annotations

import hashlib
from typing import Any

from standins.github.hub_answers import Answer, Part, Request, Token, as_login, failed, now, paged

COMPARED_PER_PAGE = 250
"""Of the commits of a comparison, unless asked for fewer."""


class History(Part):
    """Commits and what points to them."""

    def __init__(self) -> None:
        self._commits: dict[str, dict[str, Any]] = {}
        self._refs: dict[tuple[str, str], dict[str, str]] = {}
        self._tags: dict[str, dict[str, Any]] = {}

    # What a test may ask for ----------------------------------------------------------------------

    def create_commit(
        self,
        repository: str,
        *,
        parents: list[str] | None = None,
        branch: str | None = None,
        sha: str | None = None,
        date: str | None = None,
    ) -> str:
        """A commit; its SHA. With ``branch`` it is put on top of that branch."""
        with self._lock:
            self.create_repository(repository)
            tip = self._refs.get((repository, f"heads/{branch}"))
            parents = parents if parents is not None else [tip["sha"]] if tip else []
            made = sha or hashlib.sha1(f"{self._new_id()}".encode()).hexdigest()
            self._commits[made] = {"parents": parents, "date": date or now()}
            if branch:
                self.set_branch(repository, branch, made)
            return made

    def set_branch(self, repository: str, name: str, sha: str) -> None:
        """Let a branch point to a commit."""
        with self._lock:
            self._refs[repository, f"heads/{name}"] = {"type": "commit", "sha": sha}

    def set_tag(
        self,
        repository: str,
        name: str,
        sha: str,
        *,
        annotated: bool = False,
        nested: bool = False,
        kind: str = "commit",
    ) -> None:
        """Let a tag point to an object of the kind; ``nested``: a tag of a tag."""
        with self._lock:
            target = {"type": kind, "sha": sha}
            for _ in range(2 if nested else int(annotated)):
                made = hashlib.sha1(f"tag {self._new_id()}".encode()).hexdigest()
                self._tags[made] = {"tag": name, "object": target}
                target = {"type": "tag", "sha": made}
            self._refs[repository, f"tags/{name}"] = target

    def delete_tag(self, repository: str, name: str) -> None:
        """Remove a tag."""
        with self._lock:
            del self._refs[repository, f"tags/{name}"]

    def merge_pull_request(
        self, repository: str, number: int, commit: str, *, labels: list[str] | None = None
    ) -> None:
        """Merge it as that commit; its repository's pull request must be there."""
        with self._lock:
            pull = self._pulls[repository, number]
            date = self._commits[commit]["date"]
            pull.update(closed_at=date, updated_at=date, merged=True, commit=commit)
            pull["labels"] += labels or []

    # Operations -----------------------------------------------------------------------------------

    def _get_ref(self, request: Request, _token: Token, name: str, ref: str) -> Answer:
        found = self._refs.get((name, ref))
        if found is None:
            return failed(404, "Not Found")
        url = f"{request.base}/repos/{name}/git"
        where = {**found, "url": f"{url}/{found['type']}s/{found['sha']}"}
        return Answer(
            status=200,
            body={
                **self._examples["ref"],
                "ref": f"refs/{ref}",
                "url": f"{url}/refs/{ref}",
                "object": where,
            },
        )

    def _get_tag(self, request: Request, _token: Token, name: str, sha: str) -> Answer:
        found = self._tags.get(sha)
        if found is None:
            return failed(404, "Not Found")
        url = f"{request.base}/repos/{name}/git/tags/{sha}"
        target = {**found["object"], "url": url}
        body = {**self._examples["tag"], "tag": found["tag"], "sha": sha, "url": url}
        return Answer(status=200, body={**body, "object": target})

    def _compare(self, request: Request, _token: Token, name: str, base: str, head: str) -> Answer:
        first, last = self._resolved(name, base), self._resolved(name, head)
        if first is None or last is None:
            return failed(404, "Not Found")
        before, after = self._ancestors(first), self._ancestors(last)
        if not before & after:
            return failed(404, f"No common ancestor between {base} and {head}.")
        ahead = [sha for sha in self._commits if sha in after - before]
        behind = len(before - after)
        status = "identical"
        if ahead or behind:
            status = "diverged" if ahead and behind else "ahead" if ahead else "behind"
        listed = [self._commit(sha) for sha in ahead]
        page = paged(request, listed, most=COMPARED_PER_PAGE, usual=COMPARED_PER_PAGE)
        body = {
            **self._examples["comparison"],
            "url": f"{request.base}{request.path}",
            "base_commit": self._commit(first),
            "merge_base_commit": self._commit(next(iter(before & after))),
            "status": status,
            "ahead_by": len(ahead),
            "behind_by": behind,
            "total_commits": len(ahead),
            "commits": page.body,
            "files": [],
        }
        return Answer(status=200, body=body, headers=page.headers)

    def _list_pulls(self, request: Request, _token: Token, name: str) -> Answer:
        wanted = request.query.get("state", "open")
        head = request.query.get("head", "")
        found = [
            (number, pull)
            for (repository, number), pull in self._pulls.items()
            if repository == name
            and wanted in ("all", "closed" if pull["closed_at"] else "open")
            # GitHub passes over a head that is not written as it asks for.
            and (":" not in head or head == _head(pull))
        ]
        newest_first = request.query.get("direction") == "desc"
        found.sort(key=lambda item: (item[1].get("updated_at", ""), item[0]), reverse=newest_first)
        return paged(request, [self._pull_in_list(*item) for item in found])

    # Helpers --------------------------------------------------------------------------------------

    def _pull_in_list(self, number: int, pull: dict[str, Any]) -> dict[str, Any]:
        example = self._examples["pulls"][0]
        label = self._examples["labels"][0]
        return {
            **example,
            "number": number,
            "title": pull["title"],
            "user": as_login(example["user"], pull["author"]),
            "html_url": pull["url"],
            "state": "closed" if pull["closed_at"] else "open",
            "updated_at": pull.get("updated_at") or example["updated_at"],
            "closed_at": pull["closed_at"],
            "merged_at": pull["closed_at"] if pull["merged"] else None,
            "merge_commit_sha": pull.get("commit"),
            "labels": [{**label, "name": name} for name in pull["labels"]],
            "requested_teams": [],
            "head": {**example["head"], **self._head_in_list(pull["head"])},
        }

    def _head_in_list(self, head: dict[str, str]) -> dict[str, Any]:
        example = self._examples["pulls"][0]["head"]["repo"]
        owner = head["repository"].partition("/")[0]
        repository = {**example, "full_name": head["repository"]} if owner else None
        label = f"{owner or 'unknown'}:{head['branch']}"
        return {"label": label, "ref": head["branch"], "sha": head["commit"], "repo": repository}

    def _resolved(self, repository: str, name: str) -> str | None:
        # As git does, which prefers the tag: https://git-scm.com/docs/gitrevisions
        for prefix in ("tags/", "heads/"):
            found = self._refs.get((repository, prefix + name))
            if found:
                return self._peeled(found)
        return name if name in self._commits else None

    def _peeled(self, target: dict[str, str]) -> str:
        while target["type"] == "tag":
            target = self._tags[target["sha"]]["object"]
        return target["sha"]

    def _ancestors(self, sha: str) -> set[str]:
        """A commit and all before it."""
        found: set[str] = set()
        waiting = [sha]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self._commits[one]["parents"]
        return found

    def _commit(self, sha: str) -> dict[str, Any]:
        example = self._examples["comparison"]["commits"][0]
        who = {**example["commit"]["committer"], "date": self._commits[sha]["date"]}
        commit = {**example["commit"], "author": who, "committer": who}
        return {**example, "sha": sha, "commit": commit}


def _head(pull: dict[str, Any]) -> str:
    owner = pull["head"]["repository"].partition("/")[0]
    return f"{owner}:{pull['head']['branch']}"
