"""The input `command` of slim CI's action -> a refusal that names the action to use.

One action did everything once, by its input ``command``; now each command is an action. GitHub only
warns of an input that is unknown, so that a deploy would run as slim CI. Run by the runner's own
python3, before anything is installed: standard library only.
"""

from __future__ import annotations

import sys

from dbtdeploy.base import actions_runner

NOW_ACTIONS = ("deploy", "release", "rollback", "teardown", "clean-up")
OF_THE_STORE = ("status", "versions", "prune", "drive", "hold", "lift-hold", "break-lease")


def main() -> None:
    """Say what to use, and fail."""
    command = sys.argv[1]
    actions_runner.error(
        "The input `command` has been removed",
        f"This action is slim CI, and `command: {command}` was asked for.\n"
        f"Nothing was started, nothing was written.\n{instead(command)}",
    )
    raise SystemExit(1)


def instead(command: str) -> str:
    """What to use in place of a former command."""
    if command == "ci":
        return "Leave `command` out."
    if command in NOW_ACTIONS:
        return f"Use org/dbt-deploy/{command}@v1, without `command`."
    if command in OF_THE_STORE:
        return f"Use org/dbt-deploy/store@v1 with `command: {command}`."
    if command == "adopt":
        return "Leave the step out: the first deploy or release takes plain artifacts over."
    return "See docs/inputs.md for the actions that there are."


if __name__ == "__main__":
    main()
