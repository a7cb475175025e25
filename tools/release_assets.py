"""The assets of a release of dbt-deploy: workflows and callers with the full tag, in one archive.

    python tools/release_assets.py REPOSITORY TAG FOLDER

The archive is made of a commit, a repository and a tag alone and is the same byte for byte each
time, so that a run that is started again recognizes its own release. Standard library only: it is
made in the job that signs it, where no package is installed.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
from pathlib import Path

import pin_workflows

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.base import git_client  # noqa: E402  found by the line above


def made(repository: str, tag: str, commit: str) -> dict[str, bytes]:
    """The assets by name.

    Args:
        repository: ``owner/name``, which the copies name.
        tag: which they name.
        commit: that the tag points to; ``VERSION`` in the archive holds it.
    """
    packed = io.BytesIO()
    # Not compressed: what gzip makes depends on the zlib it is made with.
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        pin_workflows.write(Path(folder), repository, tag)
        version = Path(folder) / "VERSION"
        version.write_text(f"{repository} {tag} {commit}\n", encoding="utf-8")
        for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"dbt-deploy-{tag}/{path.relative_to(folder).as_posix()}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return {f"dbt-deploy-workflows-{tag}.tar": packed.getvalue()}


def main(repository: str, tag: str, folder: Path) -> None:
    """Write the assets of what is checked out into a new folder."""
    folder.mkdir()
    for name, content in made(repository, tag, git_client.checked_out(Path.cwd()) or "").items():
        (folder / name).write_bytes(content)
        print(folder / name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
