"""Points at which a test can kill the process, as the system would for want of memory.

After MaterializeInc's ``mz-deploy``: crash safety is proven by crashing between two writes.
"""

from __future__ import annotations

import os
import signal

from dbtdeploy.base import settings


def point(name: str) -> None:
    """End this process by SIGKILL if DBT_DEPLOY_CRASH_AT names this point.

    Honoured only with DBT_DEPLOY_TEST=1. Nothing is flushed or released, as in a real kill.

    Args:
        name: of the point, such as ``before-pointer``; unique in the code base.
    """
    if settings.crash_at() == name:
        os.kill(os.getpid(), signal.SIGKILL)
