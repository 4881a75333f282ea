"""Origins over TLS, and authorities that sign their certificates."""
import ssl
import subprocess
from pathlib import Path

from origin import Origin


class Authority:
    """A CA of the test's own and certificates it signs, made by openssl."""

    def __init__(self, directory, parent=None):
        """parent: the authority this one is an intermediate of; chain is what it sends with its certificates."""
        self.directory, self.chain = directory, ""
        directory.mkdir()
        self.key, self.cert = self.path("ca.key"), self.path("ca.pem")
        if parent is not None:
            self.cert, self.key = parent.issue(directory.name, extensions="basicConstraints=critical,CA:TRUE\n")
            self.chain = Path(self.cert).read_text()
            return
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", self.key, "-out", self.cert, "-subj", f"/CN={directory.name}", "-days", "3650")

    def path(self, name):
        return str(self.directory / name)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, *names, days="30", extensions=""):
        """(certificate, key) for these names; days="-1" has expired."""
        base = names[0].replace("*", "_") + days
        key, csr, cert, ext = (self.path(f"{base}.{x}") for x in ("key", "csr", "pem", "ext"))
        kinds = ["IP:" + n if n[0].isdigit() else "DNS:" + n for n in names]
        with open(ext, "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(kinds) + "\n" + extensions)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                     "-out", csr, "-subj", f"/CN={names[0]}")
        self.openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-out", cert,
                     "-days", days, "-extfile", ext)
        with open(cert, "a", encoding="ascii") as f:
            f.write(self.chain)
        return cert, key


class TlsOrigin(Origin):
    """client_ca: who shows no certificate of that authority is refused; clients: names of the others."""

    def __init__(self, pair, behave=None, version=None, client_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols(["http/1.1"])
        if version:
            self.context.maximum_version = version
        self.context.sni_callback = self.on_sni
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        self.clients = []
        self.names, self.reused, self.alpn, self.failed, self.open = [], [], [], [], []
        super().__init__(behave)

    def on_sni(self, _connection, name, _context):
        self.names.append(name)

    def serve(self, connection):
        try:
            connection = self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failed.append(str(error))
            connection.close()
            return
        self.open.append(connection)
        self.reused.append(connection.session_reused)
        self.alpn.append(connection.selected_alpn_protocol())
        shown = connection.getpeercert()
        self.clients.append(shown["subject"][0][0][1] if shown else None)
        super().serve(connection)
