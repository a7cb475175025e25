"""The very files of dbt that the saved parse was compared with: dbt-core 1.11.16 and 1.12.6.

With any other one the saved parse is left out, whatever its version says.
"""

from __future__ import annotations

import base64
import hashlib
import os

COMPARED: dict[str, tuple[str, ...]] = {
    "dbt/clients/jinja.py": (
        "iIqpys1f-pe7b4fTybBDcZNUtqvhCkq6G7wnmUpAop8",
        "Z1CLtIEmic3gyd_pixHwS2uYbA2DAS6EWImwNkUX8o4",
    ),
    "dbt/config/renderer.py": ("rtXnn-pdqqIBDVID-eAbXKloyXDZMY4o3mJIASh0Ua0",),
    "dbt/context/base.py": (
        "6mDLR2q10twN2EwXWLEN2VDGrbR7m1SNWIKG52IPkEU",
        "jbCn5DhHzMaLN80ca67Yg6ma4k8SkqxavX9E1QD0bgo",
    ),
    "dbt/context/configured.py": (
        "tV5xO1XNKKnUxbfq7ERJ-5qV7RLsB9rPxNYoxoIfc38",
        "KsPGRd77ce2MBeH9pVAfJsnDnE9AT4hYIBoGirWRG_k",
    ),
    "dbt/context/providers.py": (
        "L_k2ps4vHmtHen__2dZKLL_bca8HjX4DTOjYjeW6pU8",
        "bQj5HOEy_V3AEAcakDYXOuvt2RroJSAa3-nD1Nz9KBE",
    ),
    "dbt/contracts/files.py": (
        "cl2y5uXGz0Lr2YjpIxQIU2aQMY-RlEOe7Jqb9lOkVbQ",
        "q0wTVwE8JimMBdV4GQsEgrVERjbzbZewHHrqqxfbf7o",
    ),
    "dbt/contracts/graph/manifest.py": (
        "FRGHndP2L4IZz2HNMXPbFEAt7LPdC_pOFGzOcagXAQ0",
        "4LbH8Z9uFMiQQyuxMaDbXOtDHbYQcxyFl5r2u2g8eSw",
    ),
    "dbt/contracts/graph/nodes.py": (
        "SiNIcSGvCfKkaxkbuT02toqe42972eJjfZMhmge2MIQ",
        "NXS2cMxmrU_fhAv6UijX6pspKAxHWnYP8UE64YHgIt4",
    ),
    "dbt/flags.py": (
        "GtQdjPPHuGz3aWg91or6BTiS2JydSmNnixiE3f2vRZo",
        "smrXTlbIobL1iUY2CENtPgebqhWpIA5nul6h-sYeiP4",
    ),
    "dbt/parser/base.py": (
        "72sKfLA9FLACFYEgfhlo36wg8gJKN0V7_obG7q5WVCo",
        "JDNqBT9HrbPWpTbwCpCE1F6LIfe16pF4hBUMGUx5Oik",
    ),
    "dbt/parser/generic_test_builders.py": (
        "Dyn7QQfz6rqVj9oVVSqeZJagANdLAalan4kIGD8H1k0",
        "LCrZ2q6J1TcfDWNyg0Et_9xpf1DSbLpxtcKi2rYsZJE",
    ),
    "dbt/parser/manifest.py": (
        "nwBIatSRTxI5HYC-ns-zpdGRLVcQ5BWBhsf041whRL4",
        "cQpHIPc6DVu8bOhpR7HAg30k7WxnKJK7yPWM8zl0dJU",
    ),
    "dbt/parser/models.py": ("99pgpedruJz1Po-h-JszZwYu06vtdp4W9PgPoziz5Bs",),
    "dbt/parser/partial.py": (
        "VP5gKXjct4MrPq-0VdvaOWxItZBIxkeTO07W2NREAXk",
        "L7XhdaUpi0wSwLHvefrHRt82KfR2zt69fk1332NvSXg",
    ),
    "dbt/parser/read_files.py": (
        "7mJWxxli4czFQL9i8YZnTkrMLTYy3evCU-vIw8ZTiPs",
        "7wmacVy7frvHx6-xDra7ZljF5af3Cu1SHGmpMYg9nwI",
    ),
    "dbt/parser/schema_generic_tests.py": ("hLzWdRCQOQQpr-UEkZ1zs7DoObzL6CcJNzP5hd8pVSs",),
    "dbt/parser/schema_renderer.py": (
        "s92kN0ggntSOCqPmH2uOvUrTo59eWTLVvzPPmTZRf3Q",
        "z-AOtNb9UFO7IE1e3U6d_5cJZW2_5xhW7Z3o9ib8sH8",
    ),
    "dbt/parser/schemas.py": (
        "An5J5jhfQf6i6eWRZTF5ghNgqiHjdZh4rExLZ8cK00s",
        "S3YaMdrolVgRuqINjxCI0MujWfv461cVr16zsq3ADfg",
    ),
    "dbt/parser/unit_tests.py": (
        "WG0hxgKA_cdrQ3l33Nl9WAj6SVJ5VQLdf2ssjdU1O70",
        "YTEuQQsK2odPjya-zhp15WwNqj2yV0KIswxCOifWz3I",
    ),
    "dbt_common/clients/jinja.py": ("wKwBCtIGKXOwU-KWWF2sz77nST-JUP26U_Zo_a6mNe8",),
}
"""Their SHA-256, as the RECORD of the wheel has it.
https://packaging.python.org/en/latest/specifications/recording-installed-packages/"""


def differing(packages: str) -> list[str]:
    """Which of them are others here, or missing.

    Args:
        packages: the folder that holds the packages ``dbt`` and ``dbt_common``.
    """
    return [name for name, known in COMPARED.items() if _digest(packages, name) not in known]


def _digest(packages: str, name: str) -> str:
    try:
        with open(os.path.join(packages, name), "rb") as file:
            digest = hashlib.sha256(file.read()).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
