"""sluice-control alone: its own prefix and port, driven over HTTP; no master, no workers."""
import json
import signal
import subprocess
from pathlib import Path

import requests

from node import BUILD, SLOW, check_log, eventually
from ports import free_port


class Control:
    def __init__(self, directory, **conf):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.conf = {"prefix": str(self.directory / "prefix"), "admin_listen": f"127.0.0.1:{self.port}", **conf}
        self.log_path = self.directory / "control.log"
        self.process = None

    def start(self):
        path = self.directory / "sluice.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in self.conf.items()))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([BUILD / "control/sluice-control", "-c", path], stderr=log, stdout=log,
                                            stdin=subprocess.DEVNULL)
        eventually(lambda: self("GET", "/").status_code == 200, "the Admin API answers")
        return self

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(10 * SLOW) == 0, self.log()[-3000:]
        self.process = None

    def clean_up(self):
        """Ends it in order, so that a sanitizer has its say; fails when the log holds a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15 * SLOW)
        if self.log_path.exists():
            check_log(self.log())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def __call__(self, method, path, body=None, **kw):
        return requests.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, timeout=20 * SLOW, **kw)

    def make(self, path, body, method="POST"):
        r = self(method, path, body)
        assert r.status_code in (200, 201), (method, path, r.status_code, r.text)
        return r.json()

    def refused(self, method, path, body=None, status=400, **kw):
        r = self(method, path, body, **kw)
        assert r.status_code == status, (method, path, r.status_code, r.text)
        return r.json()

    def generation(self):
        return self("GET", "/status").json()["control"]["generation"]
