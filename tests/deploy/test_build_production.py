"""build_production.py on a real PostgreSQL that breaks connections."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.store import failed_nodes
from dbtdeploy.store.lease import lease
from standins.store import leases
from standins.warehouse import postgres
from standins.warehouse.production import Production

ALL = {"first": "success", "second": "success", "third": "success"}
TESTS = {"unique_first_id": "pass", "unique_second_id": "pass"}
LOST = "server closed the connection unexpectedly"


@pytest.fixture
def production(tmp_path: Path, database: postgres.Database, imported_dbt: Path) -> Production:
    return Production(tmp_path, database, imported_dbt)


def falter(production: Production, times: int = 1) -> None:
    """Have the session that builds ``second`` ended, so many times."""
    text = f"select raw.falter({times}) as id from {{{{ ref('first') }}}}"
    production.write({"models/second.sql": text})


def meanwhile(
    production: Production, change: Callable[[], object]
) -> subprocess.CompletedProcess[str]:
    """Build, and change something between the first attempt and the second."""
    said = ""
    with production.start("deploy/build_production") as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "built again in" in line:
                change()
    return subprocess.CompletedProcess(process.args, process.returncode, said, "")


def test_production_is_built_and_defers_to_nothing(production: Production) -> None:
    production.environment = {"DBT_DEFER": "true", "DBT_FAVOR_STATE": "true"}
    assert len(production.plan().nodes) == 5
    done = production.script("deploy/build_production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.succeeded
    assert production.statuses() == {**ALL, **TESTS}
    assert production.build.command == "dbt build --no-defer"
    assert len(production.build.attempts) == 1
    manifest = json.loads((production.target / "manifest.json").read_bytes())
    assert manifest["metadata"]["env"]["DBT_DEPLOY_COMMIT"] == "a" * 40


@pytest.mark.fault(8)
def test_a_build_that_is_killed_leaves_word_of_what_it_was_to_build(production: Production) -> None:
    falter(production)
    planned = {node.unique_id for node in production.plan().nodes}
    with production.start("deploy/build_production") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "built again in" in line:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert set(failed_nodes.failed_since(production.store)) == planned


def test_what_failed_on_a_lost_connection_is_built_again_and_nothing_else(
    tmp_path: Path, database: postgres.Database, any_imported_dbt: Path
) -> None:
    production = Production(tmp_path, database, any_imported_dbt)
    falter(production)
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == 0, done.stdout + done.stderr
    assert production.succeeded
    assert f"transient fault of the warehouse: {LOST}" in done.stdout

    first, second = production.build.attempts
    assert (first.exit_code, first.transient) == (1, ("model.shop.second",))
    assert first.reason == LOST
    # second, its test, and third behind them.
    assert (second.exit_code, second.nodes) == (0, 3)
    assert production.database.value("select build from analytics.first") == 1
    assert production.statuses() == {**ALL, **TESTS}
    whole = json.loads((production.target / "run_results.json").read_bytes())
    assert len(whole["results"]) == 5
    manifest = json.loads((production.target / "manifest.json").read_bytes())
    assert manifest["nodes"]["model.shop.first"]["compiled_code"]
    assert production.build.exit_code == 0


def test_a_fault_that_stays_is_a_failure_after_so_many_retries(production: Production) -> None:
    falter(production, times=9)
    production.ask(retries=2)
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == 1, done.stdout + done.stderr
    assert not production.succeeded
    assert [attempt.exit_code for attempt in production.build.attempts] == [1, 1, 1]
    assert production.statuses()["second"] == "error"
    assert production.statuses()["third"] == "skipped"


@pytest.mark.parametrize("retries", [0, 1])
def test_a_failure_of_its_own_beside_it_is_not_built_again(
    production: Production, retries: int
) -> None:
    falter(production)
    if retries:
        production.write({"models/wrong.sql": "select no_such_column"})
    production.ask(retries=retries)
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == 1, done.stdout + done.stderr
    assert not production.succeeded
    assert len(production.build.attempts) == 1


def test_a_warehouse_that_lets_nobody_in_at_first(
    postgres_server: postgres.Server, production: Production
) -> None:
    admin = production.database
    production.database = role = postgres_server.create_role(admin)
    admin.run(
        f"grant create on database {admin.name} to {role.user}; grant usage on schema raw to "
        f"{role.user}; grant all on all sequences in schema raw to {role.user}"
    )
    production.plan()
    admin.run(f"alter role {role.user} connection limit 0")
    lift = f"alter role {role.user} connection limit 10"
    done = meanwhile(production, lambda: admin.run(lift))
    assert done.returncode == 0, done.stdout
    assert "too many connections for role" in done.stdout
    assert "Everything is built again" in done.stdout
    assert [attempt.exit_code for attempt in production.build.attempts] == [2, 0]
    assert production.statuses() == {**ALL, **TESTS}
    admin.run(f"drop schema analytics cascade; drop owned by {role.user}")


@pytest.mark.fault(23)
def test_a_retry_that_cannot_parse_leaves_the_build_failed(production: Production) -> None:
    falter(production)
    production.plan()
    done = meanwhile(production, lambda: production.write({"models/third.sql": "{{ oops"}))
    assert done.returncode == 1, done.stdout
    assert not production.succeeded
    assert "A retry could not run" in done.stdout
    assert "exit code 2" in done.stdout
    assert production.build.exit_code == 1
    # What the first attempt did is kept.
    assert production.statuses()["first"] == "success"
    assert production.statuses()["second"] == "error"


@pytest.mark.fault(23)
def test_a_retry_that_selects_nothing_is_not_green(production: Production) -> None:
    falter(production)
    production.write({"models/third.sql": "select 1 as id"})
    production.plan()

    def lose() -> None:
        (production.project / "models" / "second.sql").unlink()
        (production.project / "models" / "models.yml").unlink()

    done = meanwhile(production, lose)
    assert done.returncode == 1, done.stdout
    assert not production.succeeded
    assert "A retry could not run" in done.stdout
    assert production.statuses()["second"] == "error"


@pytest.mark.fault(23)
def test_a_retry_needs_no_manifest_of_the_first_attempt(production: Production) -> None:
    falter(production)
    production.plan()
    done = meanwhile(production, (production.target / "manifest.json").unlink)
    assert done.returncode == 0, done.stdout
    assert production.statuses() == {**ALL, **TESTS}


@pytest.mark.fault(20, 21)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_build_is_no_success_and_its_query_ends(
    production: Production, number: signal.Signals
) -> None:
    slow = "select id, pg_sleep(60)::text as slept from {{ ref('first') }}"
    production.write({"models/second.sql": slow})
    production.plan()
    sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%'"
    sleeping += " and state = 'active' and pid <> pg_backend_pid()"
    with production.start("deploy/build_production") as process:
        while production.database.value(sleeping) == 0:
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 130, out + err
    assert not production.succeeded
    assert production.build.interrupted
    assert len(production.build.attempts) == 1
    assert production.database.value(sleeping) == 0


@pytest.mark.fault(20)
def test_the_time_limit_is_no_success(production: Production) -> None:
    production.ask(time_limit_minutes=0)
    production.plan()
    done = production.script("deploy/build_production")
    assert done.returncode == 64, done.stdout + done.stderr
    assert not production.succeeded
    assert production.failure().kind == "TimeLimit"


@pytest.mark.fault(4)
def test_without_the_lease_nothing_is_built(production: Production) -> None:
    production.plan()
    production.store.delete(lease.KEY)
    leases.take(production.store, "another run")
    done = production.script("deploy/build_production")
    assert done.returncode == 51, done.stdout + done.stderr
    assert not hand_over.is_there(production.work, work_files.Build)
    assert production.database.value("select to_regclass('analytics.first')") is None


@pytest.mark.fault(4, 20)
def test_a_lease_that_is_lost_meanwhile_ends_dbt(production: Production) -> None:
    production.write({"models/first.sql": "select 1 as id, pg_sleep(60)::text as slept"})
    production.plan()
    held = hand_over.read(production.work, deploy_files.HeldLease)
    # It lasts no longer than until the first renewal would be due.
    hand_over.write(production.work, replace(held, seconds=1))
    done = production.script("deploy/build_production")
    assert done.returncode == 51, done.stdout + done.stderr
    assert not production.succeeded
    assert production.build.interrupted
    assert production.failure().kind == "LeaseLost"


def test_a_warning_fails_where_the_input_says_so(production: Production) -> None:
    warns = "models:\n  - name: first\n    columns: [{name: id, data_tests: [{accepted_values: "
    warns += "{values: [9], config: {severity: warn}}}]}]\n"
    production.write({"models/models.yml": warns})
    production.ask(fail_on_warnings=True)
    production.plan()
    assert production.script("deploy/build_production").returncode == 1
    assert not production.succeeded
