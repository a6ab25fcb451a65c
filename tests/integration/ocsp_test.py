#!/usr/bin/python3
"""OCSP responses stapled to certificates."""
import re
import shutil
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig


class OcspTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        cls.site = r.cert("site", ["a.test"], issuer=cls.authority)
        cls.other = r.cert("other", ["b.test"], issuer=cls.authority)
        cls.up = r.upstream()
        cls.port = r.port()
        cls.response = r.path("site.ocsp")
        certs.ocsp_response(cls.site, cls.authority, cls.response)

    def document(self, ocsp):
        return rig.document(rig.service(self.port, [rig.route("all", [self.up])], tls={
            "certificates": [{"cert_path": self.site.cert, "key_path": self.site.key,
                              "ocsp_path": ocsp},
                             {"cert_path": self.other.cert, "key_path": self.other.key}]}))

    def status(self, name="a.test", *options):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.proxy.host}:{self.port}", "-servername",
             name, "-CAfile", self.authority.cert, "-status", *options], input="",
            capture_output=True, text=True, timeout=rig.DEADLINE)
        self.assertIn("Verify return code: 0", done.stdout)
        return done.stdout

    def expired(self):
        """The same response with its times in the past; its signature is for clients to check."""
        path = self.rig.path("expired.ocsp")
        with open(self.response, "rb") as f:
            data = f.read()
        with open(path, "wb") as out:
            out.write(re.sub(rb"20\d\d(\d{10}Z)", rb"2020\1", data))
        return path

    def test_stapled_to_who_asks_for_this_certificate(self):
        self.rig.apply(self.document(self.response))
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version=version):
                shown = self.status("a.test", version)
                self.assertIn("OCSP Response Status: successful", shown)
                self.assertIn("Cert Status: good", shown)
                self.assertIn("no response sent", self.status("b.test", version))

    def test_a_new_response_is_read_with_the_certificate(self):
        path = self.rig.path("renewed.ocsp")
        shutil.copy(self.expired(), path)
        self.rig.apply(self.document(path))
        self.assertIn("no response sent", self.status())
        shutil.copy(self.response, path)
        self.rig.apply(self.document(path))
        self.assertIn("OCSP Response Status: successful", self.status())

    def test_tls_ocsp_expired_staple(self):
        path = self.expired()
        done = self.rig.ctl("validate", "-f", self.rig.write(self.document(path)))
        self.assertRegex(done.stdout + done.stderr, "warning.*ocsp_path.*expired on 2020-")
        self.rig.apply(self.document(path))
        self.assertIn("no response sent", self.status())

    def test_mistakes_are_told(self):
        wrong = self.rig.path("wrong.ocsp")
        certs.ocsp_response(self.other, self.authority, wrong)
        for path, said in ((wrong, "another certificate"), (self.site.cert, "no OCSP response"),
                           (self.rig.path("nowhere.ocsp"), "cannot read")):
            done = self.rig.ctl("validate", "-f", self.rig.write(self.document(path)), code=1)
            self.assertRegex(done.stdout + done.stderr, f"error.*ocsp_path.*{said}")


if __name__ == "__main__":
    rig.main()
