"""A PostgreSQL server of its own for the tests: in a temporary folder, reached by a Unix socket in it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off"}
USER = "evogate"


class Server:
    """One cluster; `start` and `stop` as often as a test likes."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"

    def url(self, database: str = "postgres", user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def create(self) -> None:
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={USER}")
        for name, value in (SETTINGS | {"unix_socket_directories": str(self._folder)}).items():
            with (self._data / "postgresql.conf").open("a") as file:
                file.write(f"{name} = '{value}'\n")

    def start(self) -> None:
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self._folder / 'log'}")

    def stop(self, mode: str = "fast") -> None:
        """By the process id that the server has written down."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def ask(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements; the rows of the last one where it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as db:
            for statement in statements:
                cursor = db.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def disconnect(self) -> None:
        """Drop every connection but the one that asks for it."""
        self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def cleared(self, database: str = "postgres") -> str:
        """Delete all rows of a registry, which is quicker, where there is one; the database's URL."""
        tables = [row[0] for row in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = [f"DELETE FROM {table}" for table in tables if table not in {"evogate_registry", "counter"}]
        self.ask("; ".join(["SELECT 1", *rows]), database=database)
        return self.url(database)

    def _run(self, program: str, *arguments: str) -> None:
        """PostgreSQL refuses to run as root."""
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        command = [str(self._binaries / program), *arguments, f"--pgdata={self._data}"]
        with (self._folder / "said").open("w+") as said:
            done = subprocess.run(command, stdout=said, stderr=said, cwd=self._folder, check=False, **who)  # type: ignore[call-overload]
            if done.returncode != 0:
                said.seek(0)
                raise RuntimeError(f"{program} failed: {said.read()}")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server while the context lasts; the test is skipped where there is none on this machine."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server is not installed: no initdb in PATH or /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="evogate-pg-", dir="/tmp"))  # a socket's path has to be short
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    server = Server(binaries, folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        with contextlib.suppress(RuntimeError):  # a test may have stopped it
            server.stop("immediate")
        shutil.rmtree(folder)


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
