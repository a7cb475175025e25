"""Versions of an environment's artifacts: pointer, index, objects, and their keys. Pure.

A version is objects, then an index with their digests, then the pointer that names it. Readers go
the other way: ``current.json``, whose digest proves ``index.json``, whose digests prove the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context.built_with import BuiltWith
from dbtdeploy.store.object_store import LARGEST

LAYOUT = 1
"""A store of a higher number was written by a newer dbt-deploy."""

POINTER = "current.json"
VERSIONS = "versions/"
LATEST = "latest/"
FAILED = "failed/"
DOCS = "docs/index.html"
INDEX = "index.json"
SAVED_PARSE = "saved_parse.tar"

EXTRAS = frozenset({SAVED_PARSE})
"""Objects that a version is whole without: they save time and say nothing."""

HISTORY = 50
"""How many versions the pointer remembers."""

DEPLOYED, RELEASED, ADOPTED, FAILED_RUN = "deploy", "release", "adopted", "failed"

ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-z]{1,7}(-\d+)?")
FAILED_NAME = re.compile(r"\d{8}T\d{6}Z-\d+-\d+")
UNKNOWN_COMMIT = "unknown"

T = TypeVar("T")


Size = Annotated[int, Meta(ge=0)]
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
"""Of an object, below its version's prefix."""


class StoredObject(Struct, frozen=True, kw_only=True):
    """One artifact of a version, as the index lists it."""

    key: str
    """Below the version's own prefix."""
    size: Size
    """Of the stored, compressed bytes."""
    sha256: str
    """Of the stored, compressed bytes."""
    content_size: Size
    content_sha256: str


class Index(Struct, frozen=True, kw_only=True):
    """``versions/<id>/index.json``, and that of a failed run."""

    version: str
    """Of a failed run, the name of its folder."""
    environment: str
    project: str
    kind: str
    """``deploy``, ``release``, ``adopted`` or ``failed``."""
    created_at: str
    """ISO 8601, UTC."""
    objects: dict[str, StoredObject]
    """By the artifact's name, such as ``manifest.json``."""
    layout: int = LAYOUT
    commit: str | None = None
    ref: str | None = None
    tag: str | None = None
    """The version tag that a release brought live; builds of its commit bear it too."""
    release_id: str | None = None
    created_by: str = ""
    """Login of who started the run."""
    event: str = ""
    run_url: str = ""
    run_id: int = 0
    run_attempt: int = 1
    dbt_version: str | None = None
    adapter: str | None = None
    adapter_version: str | None = None
    previous: str | None = None
    """The version that was current when this one was made."""
    built_from: str | None = None
    """Digest of all that dbt read; a checkout with the same one has nothing modified."""
    built_with: BuiltWith | None = None
    """Digests of what dbt reads and does not compare."""
    command: str = ""
    """dbt's command line."""
    partial: bool = False
    """Whether modified nodes were left out."""
    pending: tuple[str, ...] = ()
    carried: int = 0
    """Results taken over from the version before."""
    counts: dict[str, int] = field(default_factory=dict)
    """Results of the build by dbt's status."""
    seconds: float = 0.0
    """How long the build took."""
    problem: str | None = None
    """Why a failed run failed."""
    planned: tuple[str, ...] = ()
    """Of a failed run, the ids of the nodes it was to build and that dbt reports on."""
    results: dict[str, str] = field(default_factory=dict)
    """Of a failed run, dbt's status by node; what is planned and not here was never reached."""
    unsettled: tuple[str, ...] = ()
    """Ids of what is in the warehouse otherwise than the current version says, though no manifest
    shows it: of a failed run, what it built from another definition; of a version, what was so
    before, or hangs on what it changed, and was not built by it."""

    @property
    def size(self) -> int:
        """Bytes of all its objects as stored."""
        return sum(item.size for item in self.objects.values())


class Pointer(Struct, frozen=True, kw_only=True):
    """``current.json``."""

    layout: int = LAYOUT
    version: str | None = None
    """None in a store where nothing was published yet."""
    index_sha256: str | None = None
    moved_at: str = ""
    moved_by: str = ""
    """A run's address, or a person."""
    fence: str = ""
    """Nonce of the lease under which it may move."""
    history: tuple[str, ...] = ()
    """Versions that were current before, newest first."""

    def moved_to(self, version: str, index_sha256: str, *, at: str, by: str) -> Pointer:
        """The pointer to another version, under the same lease."""
        before = (self.version,) if self.version else ()
        return replace(
            self,
            version=version,
            index_sha256=index_sha256,
            moved_at=at,
            moved_by=by,
            history=(*before, *self.history)[:HISTORY],
        )


def version_id(moment: datetime, commit: str | None, *, clash: int = 1) -> str:
    """``20261121T062042Z-3d3c42e``, and ``-2`` behind it where that one is taken.

    Args:
        moment: of publication.
        commit: what was built, if known.
        clash: 1 for the plain name, 2 and up for the next ones.
    """
    short = (commit or UNKNOWN_COMMIT)[:7].lower()
    return f"{_time(moment)}-{short}" + (f"-{clash}" if clash > 1 else "")


def failed_name(moment: datetime, run_id: int, attempt: int) -> str:
    """Name of the folder that a failed run's artifacts go to."""
    return f"{_time(moment)}-{run_id}-{attempt}"


def prefix_of(version: str) -> str:
    """``versions/<id>/``."""
    return f"{VERSIONS}{version}/"


def index_key(version: str) -> str:
    """Where a version's index is."""
    return prefix_of(version) + INDEX


def object_key(version: str, item: StoredObject) -> str:
    """Where one object of a version is."""
    return prefix_of(version) + item.key


def pack(name: str, content: bytes) -> tuple[StoredObject, bytes]:
    """Compress an artifact: what the index says of it, and the bytes to store.

    The same content gives the same bytes: the header holds no time.
    """
    stored = gzip.compress(content, compresslevel=6, mtime=0)
    item = StoredObject(
        key=f"{name}.gz",
        size=len(stored),
        sha256=sha256(stored),
        content_size=len(content),
        content_sha256=sha256(content),
    )
    return item, stored


def unpack(item: StoredObject, stored: bytes, *, source: str) -> bytes:
    """The artifact, once its size and digest are those of the index, packed and unpacked.

    Args:
        item: what the index says.
        stored: what the store gave.
        source: the object's address, for messages.

    Raises:
        StateCorrupt: truncated or altered; names the object.
    """
    if len(stored) != item.size:
        raise corrupt(source, f"has {len(stored):,} bytes, the index says {item.size:,}")
    if sha256(stored) != item.sha256:
        raise corrupt(source, "has another SHA-256 than the index says")
    if item.content_size > LARGEST:
        raise corrupt(
            source,
            f"unpacks to {item.content_size:,} bytes by its index, which is more "
            f"than the {LARGEST:,} that dbt-deploy reads",
        )
    try:
        # An altered index must not make us fill the memory: no more than it says is unpacked.
        content = zlib.decompressobj(wbits=31).decompress(stored, item.content_size + 1)
    except zlib.error as cause:
        raise corrupt(source, f"cannot be unpacked: {cause}") from None
    if len(content) != item.content_size or sha256(content) != item.content_sha256:
        raise corrupt(source, "unpacks to something else than the index says")
    return content


def encode(value: Index | Pointer) -> bytes:
    """As it is stored."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def decode_index(content: bytes, *, source: str) -> Index:
    """Read an index; unknown fields are passed over.

    Raises:
        StateCorrupt: it is none.
        StoreTooNew: a newer dbt-deploy wrote it.
    """
    index = _decode(content, Index, source)
    for item in index.objects.values():
        if not KEY.fullmatch(item.key):
            raise corrupt(source, f"names an object outside its version: {item.key!r}")
    return index


def decode_pointer(content: bytes, *, source: str) -> Pointer:
    """Read the pointer; unknown fields are passed over.

    Raises:
        StateCorrupt: it is none.
        StoreTooNew: a newer dbt-deploy wrote it.
    """
    pointer = _decode(content, Pointer, source)
    if pointer.version is not None and not ID.fullmatch(pointer.version):
        raise corrupt(source, f"names no version: {pointer.version!r}")
    return pointer


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def corrupt(source: str, said: str) -> errors.StateCorrupt:
    """The failure of an object that is not what it should be."""
    return errors.StateCorrupt(
        f"{source} {said}.",
        not_done="It was not used.",
        remedy="Run a deploy of everything (`build: all`), which publishes a new version, or bring "
        "the object back from the bucket's own versioning or a backup.",
    )


def _decode(content: bytes, kind: type[T], source: str) -> T:
    try:
        head = json_codec.decode(content, Mapping[str, msgspec.Raw])
        layout = json_codec.decode(head.get("layout", b"null"), int)
        if layout <= LAYOUT:
            return json_codec.decode(content, kind)
    except msgspec.DecodeError as cause:
        raise corrupt(source, f"is damaged: {cause}") from None
    raise errors.StoreTooNew(
        f"{source} has layout {layout}; this dbt-deploy knows up to {LAYOUT}.",
        not_done="It was not used, nothing was changed.",
        remedy="Use the version of dbt-deploy that writes this store, or a newer one.",
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
