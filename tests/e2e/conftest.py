"""Fixtures: every test gets processes of its own, and none outlive it."""
import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from clients import StreamOrigin  # noqa: E402
from node import BUILD, Node, eventually  # noqa: E402
from origin import Origin  # noqa: E402
from upgrades import install_into  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes many seconds; left out of the sanitizer run")


def pytest_collection_modifyitems(items):
    """Long ones first: several processes share the tests, and none should be left with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_sessionstart(session):
    if not (BUILD / "master/sluiced").exists():
        pytest.exit(f"{BUILD}/master/sluiced is not built: tools/build", returncode=3)


@pytest.fixture
def make_node(tmp_path, request):
    """make_node(key=value …): a node that is not started yet."""
    nodes = []

    def make(name=None, **conf):
        node = Node(tmp_path / (name or f"node{len(nodes)}"), **conf)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        if hasattr(request.node, "failed_call") and request.node.failed_call:
            print(f"--- log of {node.directory.name}\n" + node.log()[-6000:])
    problems = []
    for node in nodes:
        try:
            node.clean_up()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed_call = outcome.get_result().failed


@pytest.fixture
def node(make_node):
    """A started node in traditional mode."""
    return make_node().start()


@pytest.fixture
def origin():
    o = Origin()
    yield o
    o.close()


def in_namespace(call, *arguments):
    """A call of libc for this thread, and whatever it starts from then on."""
    if ctypes.CDLL(None, use_errno=True)[call](*arguments) != 0:
        raise OSError(ctypes.get_errno(), call)


@pytest.fixture
def own_network():
    """A network namespace of this test's own, where a handshake is given up after a second and no queue migrates.  Ask for it before all others."""
    new_network = 0x40000000
    with open("/proc/thread-self/ns/net", encoding="ascii") as before:
        try:
            in_namespace("unshare", new_network)
        except OSError as error:
            pytest.skip(f"no network namespace can be made here: {error}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for name in ("tcp_migrate_req", "tcp_synack_retries"):
                Path(f"/proc/sys/net/ipv4/{name}").write_text("0", encoding="ascii")
            yield
        finally:
            in_namespace("setns", before.fileno(), new_network)


@pytest.fixture
def bpffs():
    """A BPF file system of this test's own, where everybody can enter."""
    at = Path(tempfile.mkdtemp(prefix="bpffs-"))
    os.chmod(at, 0o755)
    if subprocess.run(["mount", "-t", "bpf", "bpf", at], capture_output=True, check=False).returncode != 0:
        at.rmdir()
        pytest.skip("a BPF file system cannot be mounted here")
    yield at
    subprocess.run(["umount", "-l", at], check=False)
    at.rmdir()


@pytest.fixture
def streaming():
    o = StreamOrigin()
    yield o
    o.close()


@pytest.fixture
def make_serving(make_node, streaming):
    def make(how, **conf):
        node = make_node(**{"workers": "2", "bpf_pin_dir": "", "shutdown_timeout_ms": "20000", **how, **conf}).start()
        if not how and not node.status("/steering")["bpf"]:
            pytest.skip("no BPF here: " + node.status("/steering")["reason"])
        node.route_to(streaming, name="r", strip_path=False)
        node.route_to(streaming, name="stream", strip_path=False)
        node.wait_settled()
        eventually(lambda: node.get("/r").status_code == 200 and node.get("/stream").status_code == 200, "it serves")
        return node
    return make


@pytest.fixture
def install(tmp_path):
    """install(name): the path of a sluiced with its programs beside it."""
    return lambda name="new", replace=(): install_into(tmp_path / name, replace)
