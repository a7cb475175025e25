"""A saved parse as a folder: dbt's partial_parse.msgpack, and about.json, which describes it.

Runs in the caller's interpreter, Python 3.10 or newer: standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from typing import Any

from .refused import RefusedError

FORMAT = 1
PARSE = "partial_parse.msgpack"
ABOUT = "about.json"


def read_about(folder: str) -> dict[str, Any]:
    """The description of the parse in this folder; raises RefusedError where there is none."""
    try:
        with open(os.path.join(folder, ABOUT), encoding="utf-8") as file:
            about = json.load(file)
    except FileNotFoundError:
        raise RefusedError("there is none") from None
    except (OSError, ValueError):
        raise RefusedError("its description can't be read") from None
    if not isinstance(about, dict):
        raise RefusedError("its description can't be read")
    return about


def verified(folder: str, about: dict[str, Any]) -> bytes:
    """The parse in this folder, if it is the one that is described; raises RefusedError."""
    try:
        with open(os.path.join(folder, PARSE), "rb") as file:
            data = file.read()
    except OSError:
        raise RefusedError("it has no parse that can be read") from None
    if len(data) != about.get("size") or hashlib.sha256(data).hexdigest() != about.get("sha256"):
        raise RefusedError("it is damaged")
    return data


def keep(source: str, folder: str, describe: Callable[[], dict[str, Any]]) -> None:
    """Copy a parse of dbt's into a folder, its description last.

    Args:
        source: dbt's file.
        folder: where to; it may be missing.
        describe: gives what about.json says besides what is known of any file.
    """
    os.makedirs(folder, exist_ok=True)
    about = os.path.join(folder, ABOUT)
    if os.path.exists(about):
        os.remove(about)
    copy = os.path.join(folder, PARSE)
    shutil.copyfile(source, copy + ".new")
    os.replace(copy + ".new", copy)
    known = {"format": FORMAT, "sha256": sha256_of(copy), "size": os.path.getsize(copy)}
    write_json(about, {**describe(), **known})


def keep_again(used: str, folder: str, beside: str) -> None:
    """Nothing has changed since: the saved parse is kept as it is, and lies where dbt looks.

    Args:
        used: folder of the saved parse.
        folder: where to; it may be missing.
        beside: dbt's own file.
    """
    os.makedirs(folder, exist_ok=True)
    for name in (PARSE, ABOUT):
        shutil.copyfile(os.path.join(used, name), os.path.join(folder, name))
    os.makedirs(os.path.dirname(beside), exist_ok=True)
    shutil.copyfile(os.path.join(used, PARSE), beside)


def sha256_of(path: str) -> str | None:
    """The digest of a file's content in hexadecimal; None where there is no file."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def write_json(path: str, content: Any) -> None:
    """Write a file whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file, sort_keys=True)
    os.replace(path + ".new", path)
