"""systemd, as sluiced sees it: hears sd_notify, keeps descriptors, starts sluiced with them again."""
import array
import os
import socket
import subprocess
import threading

from node import BUILD

# LISTEN_PID is the process's own, which only it knows.
SHELL = 'export LISTEN_PID=$$; exec "$0" "$@"'


class Systemd:
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.messages, self.store = [], []  # store: (name, fd), the newest first, as systemd has it
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"CLOSE", self.path)
        self.thread.join(10)
        self.socket.close()
        for _, fd in self.store:
            os.close(fd)

    def listen(self):
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64 * 4))
            if data == b"CLOSE":
                return
            fds = array.array("i")
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(value[:len(value) - len(value) % 4])
            fields = dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line)
            with self.lock:
                self.messages.append(fields)
                self.keep(fields, list(fds))

    def keep(self, fields, fds):
        name = fields.get("FDNAME", "stored")
        if fields.get("FDSTOREREMOVE") == "1":
            for entry in [e for e in self.store if e[0] == name]:
                self.store.remove(entry)
                os.close(entry[1])
        for fd in fds:
            if fields.get("FDSTORE") == "1" and not any(same_file(fd, kept) for _, kept in self.store):
                self.store.insert(0, (name, fd))
            else:
                os.close(fd)

    def names(self):
        with self.lock:
            return sorted(name for name, _ in self.store)

    def heard(self, key):
        with self.lock:
            return [m[key] for m in self.messages if key in m]

    def start(self, node, extra=()):
        """Starts the node's sluiced as a service; extra: (name, fd) of somebody else."""
        node.write_conf()
        with self.lock:
            passed = [*extra, *self.store]
            copies = [os.dup(fd) for _, fd in passed]
        env = dict(os.environ, SLUICE_TEST_PREFIX=str(node.prefix), NOTIFY_SOCKET=self.path)
        if passed:
            env.update(LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=":".join(name for name, _ in passed))

        def place():
            high = [os.dup2(fd, 500 + i) for i, fd in enumerate(copies)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
        with open(node.log_path, "ab") as log:
            node.process = subprocess.Popen(["/bin/sh", "-c", SHELL, BUILD / "master/sluiced", "-c", node.conf_path], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env, start_new_session=True, preexec_fn=place,
                                            pass_fds=range(3, 3 + len(copies)))
        for fd in copies:
            os.close(fd)
        return node


def same_file(a, b):
    one, other = os.readlink(f"/proc/self/fd/{a}"), os.readlink(f"/proc/self/fd/{b}")
    return one == other and one.startswith("socket:")
