"""What the store knows of a version tag: moved since, live, or live once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from dbtdeploy.base import errors
from dbtdeploy.deploy import admission
from dbtdeploy.store import lineage
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication.versions import Index, Pointer

AT_ONCE = 8


def check(store: Store, pointer: Pointer | None, *, tag: str, checked_out: str) -> Index | None:
    """Refuse a tag that was moved since it was released; else tell the version it is live by.

    What a rollback took back counts for the first, and not for the second: it may be released
    again.

    Args:
        store: the environment's.
        pointer: its pointer.
        tag: the tag's name.
        checked_out: the commit that it names.

    Raises:
        TagRefused: it was moved.
    """
    if pointer is None or pointer.version is None:
        return None
    known = {index.version: index for index in _indexes(store, pointer)}
    admission.refuse_moved(tag, checked_out=checked_out, known=known.values())
    return admission.released(
        tag, checked_out=checked_out, lineage=lineage.walk(known.get, pointer.version)
    )


def _indexes(store: Store, pointer: Pointer) -> Iterator[Index]:
    """Those of every version that is or was current, as far as the pointer remembers."""
    read = lineage.reader(store)

    def one(version: str) -> Index | None:
        # A damaged one is a matter for whoever needs that version.
        with contextlib.suppress(errors.StateCorrupt):
            return read(version)
        return None

    names = dict.fromkeys(filter(None, (pointer.version, *pointer.history)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from filter(None, pool.map(one, names))
