/* SPDX-License-Identifier: Apache-2.0
 *
 * What a jailed process may ask of the kernel, and what kills it.  Calls with conditions on
 * their arguments (socket, clone, prctl, ioctl, tgkill, …) are in jail_seccomp.c.
 * X(system call)
 */
#pragma once

/* clang-format off */

/* Memory, time, signals, files that are already open: every jailed process. */
#define JAIL_ALLOW_TABLE(X) \
	X(brk) X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(membarrier) \
	X(futex) X(get_robust_list) X(set_robust_list) X(rseq) X(set_tid_address) \
	X(clock_gettime) X(clock_getres) X(clock_nanosleep) X(nanosleep) X(gettimeofday) X(time) \
	X(timer_create) X(timer_settime) X(timer_gettime) X(timer_getoverrun) X(timer_delete) \
	X(setitimer) X(getitimer) X(alarm) \
	X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigpending) X(rt_sigsuspend) \
	X(rt_sigtimedwait) X(sigaltstack) X(restart_syscall) X(pause) \
	X(read) X(readv) X(pread64) X(write) X(writev) X(pwrite64) X(lseek) X(close) X(close_range) \
	X(fcntl) X(dup) X(dup2) X(dup3) X(fstat) X(fsync) X(fdatasync) \
	X(poll) X(ppoll) X(select) X(pselect6) \
	X(getpid) X(gettid) X(getppid) X(getuid) X(geteuid) X(getgid) X(getegid) \
	X(getresuid) X(getresgid) X(getpgrp) \
	X(getrandom) X(getrusage) X(getrlimit) X(times) X(uname) X(sysinfo) X(getcpu) \
	X(sched_yield) X(sched_getaffinity) X(capget) \
	X(exit) X(exit_group)

/* Sockets it already has or may create, and the event loop: the worker. */
#define JAIL_ALLOW_NETWORK_TABLE(X) \
	X(accept4) X(accept) X(connect) X(shutdown) X(listen) \
	X(sendto) X(sendmsg) X(sendmmsg) X(recvfrom) X(recvmsg) X(recvmmsg) \
	X(getsockopt) X(setsockopt) X(getsockname) X(getpeername) \
	X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) \
	X(eventfd2) X(timerfd_create) X(timerfd_settime) X(timerfd_gettime) X(signalfd4) \
	X(pipe2) X(splice) X(tee) X(sendfile) X(ftruncate)

/* No program of ours has a reason, with any argument. */
#define JAIL_KILL_TABLE(X) \
	X(kexec_load) X(init_module) X(finit_module) X(delete_module) X(reboot) \
	X(mount) X(umount2) X(pivot_root) X(chroot) X(setns) X(unshare) X(swapon) X(swapoff) \
	X(bpf) X(userfaultfd) X(perf_event_open) X(io_uring_setup) X(io_uring_register) \
	X(process_vm_readv) X(process_vm_writev) X(keyctl) X(add_key) X(request_key) \
	X(iopl) X(ioperm) X(modify_ldt) X(personality) X(acct) X(settimeofday)
/* clang-format on */
