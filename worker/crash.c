/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "plugin/chain_now.h"

#define FRAMES_MAX 64
#define STACK_BYTES 65536
/* Handler, its return, where it was, and who called that: less is no stack. */
#define UNWOUND_MIN 4
#define SCAN_WORDS (1024 * 1024)

/* A stack that ran over is no place for a handler. */
static char handler_stack[STACK_BYTES];
static const uintptr_t *stack_top; /* of the loop's thread */

/* From the linker: the program's own code. */
extern const char __executable_start, etext;

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

static const uintptr_t *stack_pointer(const ucontext_t *at)
{
#if defined(__x86_64__)
	return (const uintptr_t *)at->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (const uintptr_t *)at->uc_mcontext.sp;
#else
	return stack_top;
#endif
}

/* Code that was made at run time has no tables to unwind by: what looks like a return into the
 * program is told instead, innermost first.  It looks between the variables of others, which an
 * address sanitizer takes for a mistake. */
__attribute__((no_sanitize("address"))) static int scan_stack(const ucontext_t *at, void **frames)
{
	const uintptr_t *word = stack_pointer(at);
	int n = 0;

	for (; n < FRAMES_MAX && word < stack_top && word >= stack_top - SCAN_WORDS; word++) {
		if (*word > (uintptr_t)&__executable_start && *word < (uintptr_t)&etext)
			frames[n++] = (void *)*word;
	}
	return n;
}

static void on_signal(int sig, siginfo_t *info, void *at)
{
	void *frames[FRAMES_MAX];
	int n;

	(void)info;
	tell(sig);
	/* inside such code the unwinder may even abort */
	n = chain_now.plugin == NULL ? backtrace(frames, FRAMES_MAX) : 0;
	if (n < UNWOUND_MIN)
		n = scan_stack(at, frames);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	/* SA_RESETHAND: now it ends us */
	raise(sig);
}

void crash_watch(void)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	const stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};
	struct sigaction sa = {.sa_sigaction = on_signal,
			.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
	size_t n = sizeof(signals) / sizeof(signals[0]);
	void *frame;

#ifdef WITH_ASAN
	n = 1; /* the rest is the sanitizer's */
#endif
	stack_top = __builtin_frame_address(0);
	backtrace(&frame, 1); /* loads the unwinder */
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < n; i++)
		sigaction(signals[i], &sa, NULL);
}
