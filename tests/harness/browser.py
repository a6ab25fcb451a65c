"""Chromium without a window, as a browser that knows one certificate and one name."""
import base64
import hashlib
import os
import shutil
import subprocess

import peers
import process

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """Its program; SkipTest where there is none."""
    found = os.environ.get("SLUICE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise peers.without("chromium: not installed")
    return found


def key_pin(certificate):
    """What Chromium calls a certificate by: base64 of SHA-256 of its public key (SPKI)."""
    public = subprocess.run(["openssl", "x509", "-in", certificate.cert, "-noout", "-pubkey"],
                            capture_output=True, text=True, check=True).stdout
    body = "".join(line for line in public.splitlines() if not line.startswith("-----"))
    return base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode()


class Browser(process.Process):
    """Opens `url`; every name leads to `host`, and no certificate but the one given is let pass."""

    def __init__(self, rig, program, url, host, certificate):
        argv = [program, "--headless", "--user-data-dir=" + rig.path("browser"),
                # What runs is our own page, often as root, where the sandbox cannot be.
                "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                # No calls home.
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--host-resolver-rules=MAP * {host}",
                f"--ignore-certificate-errors-spki-list={key_pin(certificate)}",
                "--enable-logging=stderr", "--log-level=2", url]
        super().__init__(argv, rig.dir, "browser", expect=(0, -15))
        rig.parts.append(self)
        self.start()
