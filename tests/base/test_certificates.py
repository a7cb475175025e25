"""A server whose certificate only a company's authority vouches for, and each of our clients."""

from __future__ import annotations

import datetime
import http.server
import io
import os
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import github
from dbtdeploy.base import certificates, errors
from dbtdeploy.base.settings import GitHubAccess, StoreAccess
from dbtdeploy.github.pygithub_client import Api
from dbtdeploy.notify import http_client
from dbtdeploy.setup import uv_client
from dbtdeploy.store.s3.s3_client import Bucket

pytestmark = pytest.mark.fault(61)

UV_REQUIREMENT = Path(__file__).resolve().parents[2] / "scripts" / "uv-requirement.txt"
NAMED = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    "PIP_CERT",
)
WHEEL = "tiny-1.0-py3-none-any.whl"


def wheel() -> bytes:
    """A package without a module."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as packed:
        packed.writestr(
            "tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        packed.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        packed.writestr(
            "tiny-1.0.dist-info/RECORD",
            "tiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\ntiny-1.0.dist-info/RECORD,,\n",
        )
    return body.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one package, a receiver of messages, and 404 for all else."""

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        pages = {
            "/simple/tiny/": ("text/html", f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()),
            f"/{WHEEL}": ("application/zip", wheel()),
        }
        absent = ("application/json", b'{"message": "Not Found"}')
        if self.path.startswith("/bucket/"):
            absent = ("application/xml", b"<Error><Code>NoSuchKey</Code></Error>")
        kind, body = pages.get(self.path, absent)
        self.send_response(200 if self.path in pages else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Say nothing."""


class Company:
    """Its authority's certificate, and its server's address."""

    def __init__(self, authority: Path, port: int) -> None:
        self.authority = authority
        self.url = f"https://127.0.0.1:{port}"


def _certified(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and a file with a key and a certificate of that authority."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(
        name: str, issuer: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (name, issuer)]
        return (
            x509.CertificateBuilder()
            .subject_name(named[0])
            .issuer_name(named[1])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
            .sign(by, hashes.SHA256())
        )

    def pem(found: x509.Certificate) -> bytes:
        return found.public_bytes(serialization.Encoding.PEM)

    root, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority, served = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(pem(certificate("Company", "Company", root, root)))
    served.write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + pem(certificate("server", "Company", server, root))
    )
    return authority, served


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    authority, served = _certified(tmp_path_factory.mktemp("company"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Company(authority, server.server_address[1])
        server.shutdown()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch, company: Company) -> Company:
    """The system's store holds the company's authority."""
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(certificates, "SYSTEM", (str(company.authority),))
    return company


def bucket_at(company: Company) -> Bucket:
    """A bucket of a store at the company."""
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    access = StoreAccess(region="eu-west-1", endpoint_url=company.url, **keys)
    return Bucket("s3://bucket/prefix", access)


def asked_github(company: Company) -> None:
    """Ask for a user who is not there, by the client that all calls use."""
    access = GitHubAccess(api_url=company.url, token="t")
    with Api(access, most_wait=0, not_done="").client() as client:
        client.get_user("octocat").name  # noqa: B018  it is read only when it is used


def test_github_enterprise_behind_a_companys_authority(trusting: Company) -> None:
    with pytest.raises(github.UnknownObjectException):
        asked_github(trusting)


def test_a_bucket_behind_a_companys_authority(trusting: Company) -> None:
    assert bucket_at(trusting).get("key") is None


def test_a_webhook_behind_a_companys_authority(trusting: Company) -> None:
    http_client.post(f"{trusting.url}/hook", b"{}", headers={}, receiver="Slack")


def refused_by_github(company: Company) -> None:
    api = Api(GitHubAccess(api_url=company.url, token="t"), most_wait=0, not_done="")
    try:
        asked_github(company)
    except OSError as fault:
        raise api.failure(fault, where="user octocat") from None


def refused_by_the_store(company: Company) -> None:
    bucket_at(company).get("key")


def refused_by_the_webhook(company: Company) -> None:
    http_client.post(company.url, b"{}", headers={}, receiver="Slack", sleep=lambda _: None)


@pytest.mark.parametrize("ask", [refused_by_github, refused_by_the_store, refused_by_the_webhook])
def test_an_unknown_authority_is_named_by_each_client(
    ask: Callable[[Company], None], company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(errors.DbtDeployError) as refused:
        ask(company)
    assert "SSL_CERT_FILE" in refused.value.remedy


def install(uv: str, company: Company, folder: Path) -> None:
    """Install the index's package, as set-up does."""
    uv_client.run(
        [
            *(uv, "pip", "install", "--no-cache", "--target", str(folder / "there")),
            *("--index-url", f"{company.url}/simple", "tiny"),
        ],
        folder=folder,
        extra={},
        purpose="Installing dbt",
    )


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    return uv_client.find(tmp_path_factory.mktemp("tools"), UV_REQUIREMENT)


def test_an_authority_that_nobody_knows_is_named_as_the_cause(
    uv: str, company: Company, tmp_path: Path
) -> None:
    with pytest.raises(errors.EnvironmentNotMade) as refused:
        install(uv, company, tmp_path)
    assert "authority that this runner does not trust" in refused.value.remedy
    assert "update-ca-certificates" in refused.value.remedy


def test_set_up_trusts_what_the_system_trusts(
    uv: str, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a mount namespace, where the system's store is the company's."""
    unshare = shutil.which("unshare")
    store = certificates.bundle({})
    if unshare is None or store is None or os.geteuid() != 0:
        pytest.skip("only root may lay another store over the system's, by unshare")
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)
    script = tmp_path / "install.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom dbtdeploy.setup import uv_client\n"
        "uv, url, folder = sys.argv[1:]\n"
        "uv_client.run([uv, 'pip', 'install', '--no-cache', '--target', folder + '/there',"
        " '--index-url', url + '/simple', 'tiny'], folder=Path(folder), extra={}, purpose='It')\n"
    )
    done = subprocess.run(
        [
            *(unshare, "--mount", "sh", "-c"),
            *('mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", company.authority, store),
            *(sys.executable, script, uv, company.url, tmp_path),
        ],
        env={**os.environ, "PYTHONPATH": str(UV_REQUIREMENT.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "there" / "tiny-1.0.dist-info").is_dir()


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("error: 407 Proxy Authentication Required", "Check HTTPS_PROXY and NO_PROXY"),
        ("client error (Connect): tunnel error: unsuccessful", "Check HTTPS_PROXY and NO_PROXY"),
        ("HTTP status client error (401 Unauthorized) for url", "refused the credentials"),
        ("failed to lookup address information: Name or service", "did not answer"),
        ("No solution found when resolving dependencies", "Otherwise check the input `dbt`"),
    ],
)
def test_the_advice_names_the_cause(output: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(errors.EnvironmentNotMade, match=remedy):
        uv_client.run(
            [sys.executable, "-c", f"print({output!r}); raise SystemExit(1)"],
            folder=tmp_path,
            extra={},
            purpose="Installing dbt",
        )


def test_what_is_named_comes_before_the_systems_store() -> None:
    named = {"AWS_CA_BUNDLE": "/a", "SSL_CERT_FILE": "/s"}
    assert certificates.bundle(named, "AWS_CA_BUNDLE") == "/a"
    assert certificates.bundle(named, "REQUESTS_CA_BUNDLE") == "/s"
    assert "UV_SYSTEM_CERTS" not in certificates.for_installers({"UV_SYSTEM_CERTS": "false"})
