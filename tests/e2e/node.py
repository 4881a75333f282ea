"""A Sluice node of a test's own: real processes, own prefix, own ports, gone at the end."""
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests

from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("SLUICE_BUILD", "build")
SLOW = 4 if "asan" in BUILD.name or "tsan" in BUILD.name else 1


def slow():
    """What to multiply a wait by: SLOW, and more on a machine that has more to do than cores."""
    return SLOW * min(8.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))



# What a process prints that is about to die of a fault of its own.
CRASHES = ("ERROR: AddressSanitizer", "AddressSanitizer:DEADLYSIGNAL", "ERROR: LeakSanitizer", "LeakSanitizer has encountered",
           "WARNING: ThreadSanitizer", "runtime error:", "check failed",
           *(f'how="signal {int(n)} (' for n in (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS)))


def crash_in(log):
    """The report of a crash in a log, from a little before it; "" = none."""
    at = min((log.find(words) for words in CRASHES if words in log), default=-1)
    return log[max(0, at - 300):at + 5000] if at >= 0 else ""


def check_log(log):
    crash = crash_in(log)
    assert not crash, "a process of the node crashed:\n" + crash


def eventually(check, what, timeout=10.0, every=0.05):
    """check() until it is truthy, and its value; an exception counts as not yet."""
    began = time.monotonic()
    seen = None
    while True:
        try:
            value = check()
            if value:
                return value
            seen = value
        except (requests.RequestException, OSError, AssertionError, KeyError, ValueError) as error:
            seen = error
        if time.monotonic() - began > timeout * slow():
            raise AssertionError(f"not within {timeout * slow():.0f} s: {what} (last: {seen!r})")
        time.sleep(every)


def pid_is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def processes_below(prefix):
    """Every live process that names this prefix: the stray ones of a killed master too."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        except OSError:
            continue
        if str(prefix).encode() in words and int(proc.name) != os.getpid() and pid_is_alive(int(proc.name)):
            found.append(int(proc.name))
    return found


class Node:
    def __init__(self, directory, **conf):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        os.chmod(self.directory, 0o755)
        self.prefix = self.directory / "prefix"
        self.proxy_port, self.admin_port, self.status_port = free_port(), free_port(), free_port()
        self.conf = {
            "prefix": str(self.prefix),
            "proxy_listen": f"127.0.0.1:{self.proxy_port}",
            "admin_listen": f"127.0.0.1:{self.admin_port}",
            "status_listen": f"127.0.0.1:{self.status_port}",
            "workers": "2",
        }
        if SLOW > 1:  # OpenSSL and the PDK take as much longer; the code that LuaJIT makes does not
            self.conf["plugin_limits_cpu_ms"] = str(10 * SLOW)
        self.conf.update(conf)
        self.conf_path = self.directory / "sluice.yaml"
        self.log_path = self.directory / "log"
        self.process = None
        self.may_crash = False  # a test that means it
        self.starter = os.environ.get("SLUICE_STARTER", "").split()  # words before sluiced: prlimit …
        self.session = requests.Session()

    # -- life ------------------------------------------------------------------------------
    def write_conf(self):
        lines = [f"{key}: {json.dumps(value)}" for key, value in self.conf.items()]
        self.conf_path.write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        self.write_conf()
        # The prefix in the environment marks every descendant, for processes_below().
        env = dict(os.environ, SLUICE_TEST_PREFIX=str(self.prefix))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.starter, BUILD / "master/sluiced", "-c", self.conf_path], stderr=log,
                                            stdout=log, stdin=subprocess.DEVNULL, env=env, start_new_session=True)
        if wait:
            self.wait_up()
        return self

    def wait_up(self):
        def up():
            assert self.process.poll() is None, "sluiced ended:\n" + self.log()[-3000:]
            return self.status("/status") and all(w["state"] == "ready" for w in self.workers())
        eventually(up, "the node is up", 15)
        if self.has_admin:
            eventually(lambda: self.admin("GET", "/").status_code == 200, "the Admin API answers", 15)

    @property
    def has_admin(self):
        return self.conf.get("role", "traditional") != "data_plane" and self.conf["admin_listen"] != "off"

    def stop(self, timeout=20):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout * slow())
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("sluiced did not stop on SIGTERM:\n" + self.log()[-3000:]) from None
        self.process = None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def clean_up(self):
        """Whatever a test left: ends it; fails when the log holds a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15 * slow())
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in processes_below(self.prefix):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not self.may_crash:
            check_log(self.log())

    # -- what it says ----------------------------------------------------------------------
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def status(self, path, **kw):
        r = requests.get(f"http://127.0.0.1:{self.status_port}{path}", timeout=5 * slow(), **kw)
        r.raise_for_status()
        return r.json()

    def workers(self):
        return self.status("/workers")["workers"]

    def worker_pids(self):
        return [w["pid"] for w in self.workers() if w["state"] == "ready"]

    def ctl(self, *args, check=True):
        r = subprocess.run([BUILD / "tools/sluicectl", "--prefix", self.prefix, *args], capture_output=True, text=True,
                           timeout=30 * slow(), check=False)
        if check:
            assert r.returncode == 0, (args, r.returncode, r.stdout, r.stderr)
        return r

    # -- what it is told -------------------------------------------------------------------
    def admin(self, method, path, body=None, **kw):
        return self.session.request(method, f"http://127.0.0.1:{self.admin_port}{path}", json=body,
                                    timeout=20 * slow(), **kw)

    def make(self, path, body, method="POST"):
        r = self.admin(method, path, body)
        assert r.status_code in (200, 201), (method, path, r.status_code, r.text)
        return r.json()

    def route_to(self, origin, name="r", service_extra=None, **route):
        """A service on origin and a route to it; path /name unless told."""
        port = origin if isinstance(origin, int) else origin.port
        self.make("/services", {"name": f"s-{name}", "host": "127.0.0.1", "port": port, **(service_extra or {})})
        route.setdefault("paths", [f"/{name}"])
        route.setdefault("protocols", ["http"])
        return self.make(f"/services/s-{name}/routes", {"name": name, **route})

    def plugin(self, name, handler, schema=None, method="POST"):
        """A custom plugin; handler is the body of a handler.lua, or a whole one."""
        schema = schema or f'return {{ name = "{name}", fields = {{ {{ config = {{ type = "record", fields = {{}} }} }} }} }}'
        return self.make("/custom-plugins", {"name": name, "schema": schema, "handler": handler}, method)

    def plugin_status(self, name):
        return self.admin("GET", f"/custom-plugins/{name}/status").json()

    def wait_plugin(self, name, timeout=10):
        def active():
            s = self.plugin_status(name)
            assert s["active"], s
            return s
        return eventually(active, f"plugin {name} is active on all workers", timeout)

    def wait_settled(self, timeout=10):
        """Every worker runs what the Admin API was last told."""
        def settled():
            nodes = self.admin("GET", "/clustering/data-planes").json()["data"]
            assert nodes and all(n["sync_status"] == "normal" for n in nodes), nodes
            live = self.status("/status")["sluice"]["generation"]
            assert all(w["generation"] == live for w in self.workers() if w["state"] == "ready")
            return nodes[0]["generation"] == nodes[0]["wanted_generation"] if "wanted_generation" in nodes[0] else True
        return eventually(settled, "the node runs the newest generation", timeout)

    # -- traffic ---------------------------------------------------------------------------
    def url(self, path):
        return f"http://127.0.0.1:{self.proxy_port}{path}"

    def get(self, path, **kw):
        return requests.get(self.url(path), timeout=15 * slow(), **kw)

    def post(self, path, data, **kw):
        return requests.post(self.url(path), data=data, timeout=15 * slow(), **kw)

    def raw(self, data, timeout=5.0, port=None):
        """Sends bytes, reads until the node closes or falls silent; what came back."""
        with socket.create_connection(("127.0.0.1", port or self.proxy_port), timeout=timeout * slow()) as s:
            s.sendall(data)
            got = b""
            try:
                while chunk := s.recv(65536):
                    got += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return got
