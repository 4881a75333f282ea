/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "plugin/chain_now.h"

#define FRAMES_MAX 64
#define STACK_BYTES 65536

/* A stack that ran over is no place for a handler. */
static char handler_stack[STACK_BYTES];

/* Everything below runs in a signal handler: system calls and memory that is there. */

struct line {
	char text[512];
	size_t n;
};

static void put(struct line *l, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0, room = sizeof(l->text) - l->n;

	n = n < room ? n : room;
	memcpy(l->text + l->n, text, n);
	l->n += n;
}

static void put_number(struct line *l, unsigned n)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	put(l, digits + at);
}

static void send_line(struct line *l)
{
	ssize_t ignored;

	put(l, "\n");
	ignored = write(STDERR_FILENO, l->text, l->n);
	(void)ignored;
}

static const char *name_of(int sig)
{
	switch (sig) {
	case SIGABRT:
		return "SIGABRT";
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGILL:
		return "SIGILL";
	case SIGFPE:
		return "SIGFPE";
	default:
		return "SIGTRAP";
	}
}

static void tell(int sig)
{
	struct line l = {.n = 0};

	put(&l, "level=crit prog=sluice-worker pid=");
	put_number(&l, (unsigned)getpid());
	put(&l, sig == SIGABRT ? " msg=\"worker aborted\" signal="
			       : " msg=\"worker crashed\" signal=");
	put(&l, name_of(sig));
	if (chain_now.plugin != NULL) {
		put(&l, " plugin=");
		put(&l, chain_now.plugin);
		put(&l, " phase=");
		put(&l, chain_now.phase);
		put(&l, " request_id=");
		put(&l, chain_now.request_id);
	}
	put(&l, " stack=follows");
	send_line(&l);
}

/* The frames of code that was made at run time have no tables: there the stack ends. */
static void on_signal(int sig)
{
	void *frames[FRAMES_MAX];
	int n;

	tell(sig);
	n = backtrace(frames, FRAMES_MAX);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	/* SA_RESETHAND: now it ends us */
	raise(sig);
}

void crash_watch(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	const stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};
	struct sigaction sa = {.sa_handler = on_signal,
			.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
	size_t n = sizeof(signals) / sizeof(signals[0]);
	void *frame;

#ifdef WITH_ASAN
	n = 1; /* the rest is the sanitizer's */
#endif
	backtrace(&frame, 1); /* loads the unwinder */
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < n; i++)
		sigaction(signals[i], &sa, NULL);
}
