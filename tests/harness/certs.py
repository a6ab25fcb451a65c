"""Certificates made by the openssl command line."""
import os
import ssl
import subprocess


def _run(*argv):
    done = subprocess.run(["openssl", *argv], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(argv)}: {done.stderr}")


def _kind(name):
    if "://" in name:
        return "URI:"
    return "IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:"


def ocsp_response(certificate, issuer, path, days=7):
    """The issuer's word that `certificate` is good, written to `path` in DER."""
    serial = subprocess.run(["openssl", "x509", "-in", certificate.cert, "-noout", "-serial"],
                            capture_output=True, text=True, check=True).stdout.strip().split("=")[1]
    index = path + ".index"
    with open(index, "w") as out:
        out.write(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN={certificate.name}\n")
    _run("ocsp", "-index", index, "-CA", issuer.cert, "-rsigner", issuer.cert, "-rkey", issuer.key,
         "-issuer", issuer.cert, "-cert", certificate.cert, "-ndays", str(days), "-respout", path,
         "-noverify")


class Certificate:
    """A key, its certificate, and the authority that can vouch for others."""

    def __init__(self, folder, name, names=(), issuer=None, days=90, key_type="ec", units=()):
        self.name = name
        base = os.path.join(folder, name)
        self.cert, self.key = base + ".pem", base + ".key"
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key_type == "ec" else ["rsa:2048"]
        subject = f"/CN={name}" + "".join(f"/OU={unit}" for unit in units)
        argv = ["req", "-newkey", *kind, "-nodes", "-subj", subject, "-keyout", self.key]
        sans = [_kind(n) + n for n in names]
        if issuer is None:
            extra = ["-addext", "subjectAltName=" + ",".join(sans)] if sans else [
                "-addext", "keyUsage=critical,keyCertSign"]
            _run(*argv, "-x509", "-days", str(days), "-out", self.cert, *extra)
            return
        request, extensions = base + ".csr", base + ".ext"
        _run(*argv, "-out", request)
        with open(extensions, "w") as out:
            out.write("subjectAltName=" + ",".join(sans) + "\n" if sans else "")
        _run("x509", "-req", "-in", request, "-CA", issuer.cert, "-CAkey", issuer.key,
             "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", self.cert)

    def server_context(self, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca.cert)
        return context


def client_context(ca=None, version=None, alpn=None):
    """Verifies against `ca` when given, else trusts anyone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca.cert)
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context
