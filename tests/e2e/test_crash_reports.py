"""What dies of a fault of its own is seen by the tests, whichever process it is."""
import os
import signal

import pytest
from node import BUILD, Node, crash_in, eventually


@pytest.fixture
def doomed(tmp_path):
    node = Node(tmp_path / "doomed")
    node.may_crash = True
    node.start()
    yield node
    node.clean_up()


def test_an_orderly_end_leaves_no_report(doomed):
    doomed.stop()
    assert crash_in(doomed.log()) == ""


def test_a_crash_of_a_jailed_worker_is_in_the_log(doomed):
    os.kill(doomed.worker_pids()[0], signal.SIGSEGV)
    eventually(lambda: crash_in(doomed.log()), "the log tells of the crash")


def test_a_crash_of_sluice_control_is_in_the_log(doomed):
    os.kill(doomed.status("/status")["sluice"]["control"]["pid"], signal.SIGSEGV)
    eventually(lambda: crash_in(doomed.log()), "the log tells of the crash")


@pytest.mark.skipif("asan" not in BUILD.name, reason="only a sanitizer reports the end of the master itself")
def test_a_crash_of_the_master_is_in_the_log(doomed):
    doomed.process.send_signal(signal.SIGSEGV)
    eventually(lambda: crash_in(doomed.log()), "the log tells of the crash")


@pytest.mark.parametrize("line", [
    "==1==ERROR: AddressSanitizer: heap-use-after-free",
    "==1==ERROR: LeakSanitizer: detected memory leaks",
    "a.c:3:7: runtime error: signed integer overflow",
    'level=emerg msg="check failed" at=a.c:1',
    'msg="child ended" child="sluice-worker 1" child_pid=3 how="signal 31 (Bad system call)"',
])
def test_a_report_of_any_kind_is_recognised(line):
    assert line in crash_in("ts=1 msg=before\n" + line + "\nts=2 msg=after\n")


def test_a_killed_child_is_no_crash():
    assert crash_in('msg="child ended" child="sluice-worker 1" how="signal 9 (Killed)"\n') == ""
