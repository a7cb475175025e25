"""Two pull requests wait on main; a version tag releases them, and a rollback takes it back.

Meanwhile others write to an incremental table, which has a trigger and policies of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

from demo import daily_sales, events, merge, repository, tagging
from demo.daily_sales import Grown
from demo.jobs import Job, run
from demo.merge import Scene
from demo.progress import head, step
from demo.pull_requests import wrong
from demo.repository import Checkout
from demo.world import PRODUCTION, PULL_REQUESTS, World

TAG = "v1.4.0"
NUMBER = 11
BRANCH = "regulars"
TITLE = "Know the regulars; cancelled orders are no orders"
ALLOWED = "allow-breaking"
"""The label of a pull request that may break what others read."""

ORDERS = "models/marts/fct_orders.sql"
PRODUCTS = "models/marts/product_performance.sql"
MODELS = "models/marts/_marts.yml"
REGULARS = """select
    customer_id,
    customer_name,
    orders,
    lifetime_value
from {{ ref('dim_customers') }}
where orders >= 20
"""
TESTED = """
  - name: regulars
    description: Customers who come again and again.
    columns:
      - name: customer_id
        data_tests: [unique, not_null]
"""
CHECK = """-- Whoever is a regular has paid for something.
select customer_id from {{ ref('regulars') }} where lifetime_value <= 0
"""
BEST = (
    f"create schema bi authorization {PRODUCTION}; set role {PRODUCTION};"
    "create view bi.best_customers as"
    " select customer_name, lifetime_value from analytics_marts.dim_customers"
    " where lifetime_value > 500;"
    f"grant usage on schema bi to {PULL_REQUESTS}; grant select on bi.best_customers to"
    f" {PULL_REQUESTS}; reset role"
)
"""A view of somebody's, which dbt knows nothing of."""

WHY = "Buying misses the list prices"


def play(world: World) -> Iterator[Scene]:
    """Play it; each job is given as soon as it is over."""
    head("From now on version tags go live, and merges do not")
    with step("Make a view outside of dbt that reads production"):
        world.database.run(BEST)
    with step("Give daily_sales a trigger, policies and another writer"):
        grown = daily_sales.grow(world)
    main = world.repository.check_out_only("main", world.folder / "drive")
    driver = {"command": "drive", "driver": "release"}
    job = run(world, main, events.manual(main), action="store", inputs=driver, show_steps=True)
    off = wrong((job.succeeded, "the driver was not changed"))
    yield Scene(name="drive", title="Releases drive production", job=job, off=off)

    head(f"Two pull requests are merged, and {TAG} is pushed")
    checkout = _tagged(world)
    asked = {"checks": "checks", "smoke-target": "reader"}
    reader = {
        "READER_USER": world.pull_request_role["PGUSER"],
        "DBT_ENV_SECRET_READER_PASSWORD": world.pull_request_role["DBT_ENV_SECRET_PASSWORD"],
    }
    deployment = tagging.deployed(world, checkout)
    event = events.tag(checkout, TAG)
    with grown.writing():
        job = run(
            *(world, checkout, event),
            action="release",
            inputs=asked,
            dbt_env=reader,
            show_steps=True,
        )
    pages = {"notes": _notes(world)}
    off = [*_released(world, job), *_changed_in_place(world, grown)]
    yield Scene(name="release", title=f"Release {TAG}", job=job, off=off, pages=pages)

    head("What is live")
    asked = {"command": "status"}
    job = run(world, main, events.manual(main), action="store", inputs=asked, show_steps=True)
    off = wrong((TAG in job.summary, f"the status does not name {TAG}"))
    yield Scene(name="released", title="Production", job=job, off=off)

    head(f"{TAG} is taken back: {WHY.lower()}")
    why = {"reason": WHY, "restore-incremental": "true"}
    job = run(world, main, events.manual(main), action="rollback", inputs=why, show_steps=True)
    pages = {"notes": _notes(world)}
    off = [*_taken_back(world, job, deployment), *_put_back(world, grown)]
    yield Scene(name="rollback", title=f"Rollback of {TAG}", job=job, off=off, pages=pages)


def _tagged(world: World) -> Checkout:
    """Merge what waits, and tag it."""
    tagging.merge(world, merge.NEXT_NUMBER, merge.NEXT_BRANCH)
    files = {
        daily_sales.MODEL: daily_sales.by_its_orders(_main(world, daily_sales.MODEL)),
        ORDERS: _main(world, ORDERS) + "where orders.status <> 'cancelled'\n",
        PRODUCTS: _without_prices(_main(world, PRODUCTS)),
        MODELS: _main(world, MODELS).replace("\nunit_tests:", f"{TESTED}\nunit_tests:"),
        "models/marts/regulars.sql": REGULARS,
        "checks/regulars_have_paid.sql": CHECK,
    }
    world.repository.commit(BRANCH, TITLE, dict(files))
    world.github.create_pull_request(repository.NAME, NUMBER, title=TITLE, author=events.AUTHOR)
    tagging.merge(world, NUMBER, BRANCH, ALLOWED)
    return tagging.push_tag(world, TAG, "main", world.folder / TAG)


def _main(world: World, path: str) -> str:
    return world.repository.git("show", f"main:{path}") + "\n"


def _without_prices(model: str) -> str:
    """The list prices have gone elsewhere, and somebody reads them here."""
    kept = model.replace("    products.list_price,\n", "").replace(", products.list_price", "")
    assert "list_price" not in kept
    return kept


def _released(world: World, job: Job) -> list[str]:
    """All of it is live and read by who read before; GitHub and the store say so."""
    releases = world.github.releases(repository.NAME)
    published = [r["tag_name"] for r in releases if not r["draft"]]
    best = world.database.value("select count(*) from bi.best_customers")
    return wrong(
        (job.succeeded, "the release failed"),
        (bool(job.outputs.get("version")), "it published no version"),
        (_has(world, "regulars"), "production has no regulars"),
        (not _has(world, "product_performance", "list_price"), "the list prices are still there"),
        (best > 0, "the view outside of dbt is empty"),
        (_may_read(world, "regulars"), "readers may not read regulars"),
        (published == [TAG], f"GitHub has the releases {published}"),
        (world.github.latest_release(repository.NAME) == TAG, f"GitHub's latest is not {TAG}"),
        ("regulars" in _notes(world), "the release's notes do not name regulars"),
        (TAG in job.summary, f"the summary does not name {TAG}"),
    )


def _taken_back(world: World, job: Job, deployment: int) -> list[str]:
    """Production is what it was, and everybody can see why."""
    states = world.github.deployment_states(deployment)
    return wrong(
        (job.succeeded, "the rollback failed"),
        (not _has(world, "regulars"), "production still has regulars"),
        (_has(world, "product_performance", "list_price"), "the list prices are not back"),
        (_may_read(world, "product_performance"), "readers may not read what came back"),
        (WHY in job.summary, "the summary does not say why"),
        ("rolled back" in _notes(world).lower(), "the GitHub release does not say so"),
        (states[0] == "inactive", f"the deployment is {states[0]}"),
    )


def _changed_in_place(world: World, grown: Grown) -> list[str]:
    """The release changed rows of the table as a build does, and the rest of it stayed."""
    kept, events_seen = grown.kept(world), grown.events(world)
    changed = daily_sales.shops_rows(world) != grown.shops_rows
    return kept + wrong(
        (changed, "the release changed no row of daily_sales"),
        (set(events_seen) == {"DELETE", "INSERT"}, f"the trigger saw {events_seen}"),
    )


def _put_back(world: World, grown: Grown) -> list[str]:
    """The release's rows are as before it, and the rest of the table stayed."""
    same = daily_sales.shops_rows(world) == grown.shops_rows
    return grown.kept(world) + wrong((same, "daily_sales has other rows than before the release"))


def _notes(world: World) -> str:
    """The GitHub release's text; empty if there is none."""
    releases = world.github.releases(repository.NAME)
    return str(releases[-1]["body"]) if releases else ""


def _has(world: World, table: str, column: str = "%") -> bool:
    found = world.database.value(
        "select count(*) from information_schema.columns where table_schema = 'analytics_marts'"
        " and table_name = %s and column_name like %s",
        (table, column),
    )
    return bool(found)


def _may_read(world: World, table: str) -> bool:
    relation = f"analytics_marts.{table}"
    found = world.database.value(
        "select coalesce(has_table_privilege(%s, to_regclass(%s), 'select'), false)",
        (PULL_REQUESTS, relation),
    )
    return bool(found)
