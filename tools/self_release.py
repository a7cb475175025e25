"""A version tag of dbt-deploy -> its GitHub release, and the tag ``v1`` moved to it.

    python tools/self_release.py check REPOSITORY TAG             may this tag be released
    python tools/self_release.py publish REPOSITORY TAG FOLDER    draft, assets, publication
    python tools/self_release.py move-tag REPOSITORY TAG          v1 -> the newest release

Run in a checkout of the tag with all its history. Each can be repeated: what is done already is
recognized and not done again. A published release may be immutable, so the assets come first; v1
moves last, and only forwards.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

import major_tag
import release_assets

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.base import actions_runner, errors, git_client, settings  # noqa: E402
from dbtdeploy.base.settings import GitHubAccess  # noqa: E402
from dbtdeploy.github.pygithub_client import FAULTS, Api  # noqa: E402
from dbtdeploy.github.release_body import Notes, Section  # noqa: E402
from dbtdeploy.github.releases_api import Releases  # noqa: E402
from dbtdeploy.github.tags_api import Tags  # noqa: E402

TITLE = "The release of dbt-deploy did not finish"
NOTHING_DONE = "Nothing was released, and no tag was moved."
WAIT_SECONDS = 300.0
SECTION = Section(environment="github", project="dbt-deploy")

TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")
HEADING = re.compile(r"^## \[?([^\]\s]+)\]?.*\n", re.MULTILINE)


class Version(NamedTuple):
    major: int
    minor: int
    patch: int


class Published(NamedTuple):
    """A release that is published."""

    tag: str
    version: Version | None
    """None for a pre-release, and for a tag of another form."""
    digests: dict[str, str | None]
    """Of its assets, by name."""


class Checked(NamedTuple):
    """A tag that may be released."""

    tag: str
    commit: str
    version: Version | None
    """None for a pre-release."""
    text: str
    """The tag's part of CHANGELOG.md."""
    published: tuple[Published, ...]
    """All that is published by now."""
    is_published: bool
    """Whether this very tag is, with these very assets, by a run before."""


def check(access: GitHubAccess, repository: str, tag: str) -> Checked:
    """Refuse a tag that cannot be released: by its name, place, changelog or release."""
    version = _version(tag)
    found = Tags(access, repository).look(tag, None)
    commit = git_client.checked_out(Path.cwd()) or ""
    if found.commit != commit or not commit:
        raise _refused(
            f"The tag {tag} of {repository} points to {found.commit or 'nothing'}, and "
            f"{commit or 'nothing'} is checked out.",
            "Was the tag moved? Tag the commit with a new version.",
        )
    if not found.on_main:
        raise _refused(
            f"The tag {tag} ({commit[:12]}) is not on the branch {found.main_branch}.",
            f"Merge the commit into {found.main_branch} and tag it there with a new version.",
        )
    text = notes(Path("CHANGELOG.md").read_text(encoding="utf-8"), tag)
    there = published(access, repository)
    ours = next((one for one in there if one.tag == tag), None)
    assets = release_assets.made(repository, tag, commit)
    if ours is not None and ours.digests != {name: _digest(one) for name, one in assets.items()}:
        raise _refused(
            f"The release {tag} is published already, with other assets than this tag's.",
            "Tag the commit with a new version.",
        )
    return Checked(tag, commit, version, text, there, ours is not None)


def notes(changelog: str, tag: str) -> str:
    """The part of the changelog that a tag is described by: its own, which is the newest.

    A pre-release may go without a heading of its own; it is described by what is unreleased.
    """
    _, *parts = HEADING.split(changelog)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    newest = next((name for name in sections if TAG.fullmatch(f"v{name}")), None)
    if newest == tag[1:]:
        return sections[newest].strip()
    if _version(tag) is None and "Unreleased" in sections:
        return sections["Unreleased"].strip()
    raise _refused(
        f"The newest version in CHANGELOG.md is {newest or 'none'}, and the tag is {tag}.",
        f"Write `## {tag[1:]} - <date>` above what this version changes, and tag the commit that "
        "has it.",
    )


def publish(access: GitHubAccess, repository: str, tag: str, folder: Path) -> None:
    """Draft the release, attach the assets, publish it; nothing if that was done before."""
    checked = check(access, repository, tag)
    if checked.is_published:
        print(f"{tag} is published already.")
        return
    assets = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    if assets != release_assets.made(repository, tag, checked.commit):
        raise _refused(
            f"{folder} does not hold the assets of {tag} ({checked.commit[:12]}).",
            "Run all jobs of this workflow again.",
        )
    written = Releases(access, repository).publish(
        Notes(
            tag=tag,
            section=SECTION,
            text=checked.text,
            short=f"See [CHANGELOG.md](../blob/{tag}/CHANGELOG.md).",
            candidate=checked.version is None,
            newest=checked.version is not None and checked.version >= _newest(checked.published),
            assets=assets,
        )
    )
    if written.state != "published":
        raise _refused(
            f"Somebody else published a release {tag} meanwhile: {written.url}.",
            "Tag the commit with a new version.",
        )
    print(f"{tag} is published: {written.url}")


def move_tag(access: GitHubAccess, repository: str, tag: str) -> None:
    """Move the tag of the major version to the newest release; it is never moved back."""
    checked = check(access, repository, tag)
    if checked.version is None:
        print(f"{tag} is a pre-release, so no other tag moves.")
        return
    if not checked.is_published:
        raise _refused(f"{tag} is not published yet.", "Run the step that publishes it first.")
    name = f"v{checked.version.major}"
    newest = _newest(checked.published, checked.version.major)
    if newest > checked.version:
        print(f"{name} stays: version {'.'.join(map(str, newest))} is newer than {tag}.")
        return
    major_tag.move(access, repository, name, checked.commit)


def published(access: GitHubAccess, repository: str) -> tuple[Published, ...]:
    """What is published in a repository."""
    api = Api(access, most_wait=WAIT_SECONDS, not_done=NOTHING_DONE, needs="contents: read")
    client = api.client()
    try:
        listed = api.listed(client.get_repo(repository).get_releases)
        return tuple(
            Published(
                release.tag_name,
                None if release.prerelease else _version_or_none(release.tag_name),
                {asset.name: asset.digest for asset in release.assets},
            )
            for release in listed
            if not release.draft
        )
    except (*FAULTS, RuntimeError, AssertionError) as fault:
        raise api.failure(fault, where=f"the releases of {repository}") from None
    finally:
        client.close()


def _newest(there: tuple[Published, ...], major: int | None = None) -> Version:
    versions = [one.version for one in there if one.version is not None]
    of_major = [one for one in versions if major in (None, one.major)]
    return max(of_major, default=Version(0, 0, 0))


def _version(tag: str) -> Version | None:
    if not TAG.fullmatch(tag):
        raise _refused(
            f"{tag} is not the tag of a version.", "Name it v1.4.0, or v1.4.0-rc.1 for a candidate."
        )
    return _version_or_none(tag)


def _version_or_none(tag: str) -> Version | None:
    found = TAG.fullmatch(tag)
    if found is None or found[4]:
        return None
    return Version(int(found[1]), int(found[2]), int(found[3]))


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _refused(what: str, remedy: str) -> errors.TagRefused:
    return errors.TagRefused(what, not_done=NOTHING_DONE, remedy=remedy)


def main() -> int:
    """Run one step; an expected failure is an annotation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("step", choices=["check", "publish", "move-tag"])
    parser.add_argument("repository")
    parser.add_argument("tag")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("release"))
    asked = parser.parse_args()
    actions_runner.talk_to_runner(settings.in_actions())
    access = GitHubAccess.from_environ()
    try:
        if asked.step == "check":
            done = check(access, asked.repository, asked.tag)
            print(f"{done.tag} ({done.commit[:12]}) can be released.")
        elif asked.step == "publish":
            publish(access, asked.repository, asked.tag, asked.folder)
        else:
            move_tag(access, asked.repository, asked.tag)
    except errors.DbtDeployError as failure:
        actions_runner.error(TITLE, settings.redactor()(str(failure)))
        return failure.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
