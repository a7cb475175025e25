"""The certificate authorities that this machine trusts, a company's own among them.

uv, requests and botocore bring a list of their own (certifi), which knows no company's authority. A
runner behind a proxy that opens TLS, or a GitHub Enterprise Server, has it in the system's store.
Standard library only: ``setup_environment.py`` needs it, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""The store as one file on Debian and Ubuntu, Fedora and Red Hat, SUSE, Alpine and macOS."""


def bundle(environ: Mapping[str, str], *names: str) -> str | None:
    """The file of authorities to trust.

    Args:
        environ: the process's environment.
        names: variables that name it for one client, ``AWS_CA_BUNDLE`` say; the first that is set
            wins, before ``SSL_CERT_FILE`` and the system's store.

    Returns:
        its path; None where there is none, and a client's own list is all there is.
    """
    named = [environ.get(name) for name in (*names, "SSL_CERT_FILE")]
    there = [path for path in SYSTEM if Path(path).is_file()]
    return next((path for path in (*named, *there) if path), None)


def for_installers(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that let uv and pip trust what the system trusts.

    Source: ``uv help sync``; UV_NATIVE_TLS is the older name of UV_SYSTEM_CERTS. pip trusts the
    system's store by itself from 24.2 on only.
    """
    found = bundle(environ, "PIP_CERT")
    if found is None and sys.platform != "darwin":
        return {}
    variables = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
    if found is not None:
        variables["PIP_CERT"] = found
    return {name: value for name, value in variables.items() if name not in environ}


UNKNOWN = re.compile(
    r"UnknownIssuer|invalid peer certificate|certificate.verify.failed"
    r"|self[- ]signed certificate|SSL validation failed",
    re.IGNORECASE,
)
"""How uv, pip, requests and botocore say that they know no such authority."""


def remedy(said: str, server: str) -> str | None:
    """What to do where no authority that is trusted vouches for a server.

    Args:
        said: a client's own words.
        server: whose certificate it is, as in "the certificate of ``server``".

    Returns:
        None where the words tell of something else.
    """
    if not UNKNOWN.search(said):
        return None
    return (
        f"The certificate of {server} is from an authority that this runner does not trust, a "
        "company's proxy for example. Add that authority to the runner's certificates "
        "(update-ca-certificates), or name its file in SSL_CERT_FILE in the job's `env`."
    )
