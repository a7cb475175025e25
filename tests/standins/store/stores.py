"""Both kinds of store, empty, and workers on them in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.store_location import open_store
from standins.store import s3

ROOT = Path(__file__).parents[3]
PATH = os.pathsep.join(str(ROOT / name) for name in ("scripts", "tests"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """An empty store, as many clients of it as wanted."""

    location: str
    access: StoreAccess
    environ: dict[str, str]

    def open(self) -> Store:
        return open_store(self.location, workspace=Path("/"), access=self.access)

    def start(self, code: str, *arguments: object) -> subprocess.Popen[str]:
        """Run Python code in a process of its own; it finds a ``store`` of its own."""
        opened = (
            "import sys\nfrom pathlib import Path\n"
            "from dbtdeploy.base import settings\n"
            "from dbtdeploy.store import object_store\n"
            "from dbtdeploy.store.store_location import open_store\n"
            f"store = open_store({self.location!r}, workspace=Path('/'), "
            "access=settings.StoreAccess.from_environ())\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", opened + code, *map(str, arguments)],
            env={**os.environ, **self.environ, "PYTHONPATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def in_folder(folder: Path) -> Place:
    folder.mkdir(exist_ok=True)
    access = StoreAccess(region=None, endpoint_url=None)
    return Place(location=str(folder), access=access, environ={})


def in_bucket(server: s3.Store, keys: s3.Keys | None = None, *, bucket: str | None = None) -> Place:
    keys = keys or server.admin
    access = StoreAccess(
        region=server.region,
        endpoint_url=server.url,
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
    )
    bucket = bucket or server.create_bucket()
    environ = {f"DBT_DEPLOY_{name}": value for name, value in keys.environ.items()}
    where = {"DBT_DEPLOY_AWS_REGION": server.region, "DBT_DEPLOY_AWS_ENDPOINT_URL": server.url}
    return Place(location=f"s3://{bucket}/prod", access=access, environ=environ | where)


def through(place: Place, url: str) -> Place:
    """The same bucket, reached at another address, such as that of a proxy."""
    return replace(
        place,
        access=replace(place.access, endpoint_url=url),
        environ={**place.environ, "DBT_DEPLOY_AWS_ENDPOINT_URL": url},
    )
