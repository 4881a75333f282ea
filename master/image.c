/* SPDX-License-Identifier: Apache-2.0 */
#include "master/image.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/str.h"
#include "master/handover.h"

#define RECORD_VARIABLE "SLUICED_HANDOVER"
#define FAILURE_VARIABLE "SLUICED_HANDOVER_FAILED"
#define ENVIRONMENT_MAX 4096
#define BUILD_BYTES 8

static const int handled[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR2};

/* ---- this image ---- */

/* The note that the linker leaves in the program itself, which comes first. */
static int find_build(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct image *image = arg;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const uint8_t *at = (const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);
		const uint8_t *end = at + p->p_memsz;

		while (p->p_type == PT_NOTE && end - at >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const void *)at;
			const uint8_t *bytes = at + sizeof(*note) + ((note->n_namesz + 3) & ~3U);

			if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz >= BUILD_BYTES) {
				hex_encode(bytes, BUILD_BYTES, image->build);
				return 1;
			}
			at = bytes + ((note->n_descsz + 3) & ~3U);
		}
	}
	return 1;
}

/* The kernel says so when the file was replaced or removed since. */
static void cut_deleted(char *path)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(path);

	if (n > sizeof(mark) && strcmp(path + n - (sizeof(mark) - 1), mark) == 0)
		path[n - (sizeof(mark) - 1)] = '\0';
}

static bool is_this(const char *path)
{
	struct stat named, ours;

	return stat(path, &named) == 0 && stat("/proc/self/exe", &ours) == 0 &&
	       named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

/* As it was started: a symbolic link there may lead to another version by and by. */
static void find_program(char *ret, size_t size)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	/* /proc: the way back to a file that is no longer there */
	if (ret[0] == '/' && strncmp(ret, "/proc/", 6) != 0 && is_this(ret))
		return;
	n = readlink("/proc/self/exe", ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	cut_deleted(ret);
}

const struct image *image_self(void)
{
	static struct image self = {.binary_fd = -1};

	if (self.version != NULL)
		return &self;
	self.version = PACKAGE_VERSION;
	find_program(self.program, sizeof(self.program));
	self.binary_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	dl_iterate_phdr(find_build, &self);
	return &self;
}

int image_inherited(struct handover **ret, const char **ret_failure, struct why *why)
{
	const char *number = getenv(RECORD_VARIABLE), *failure = getenv(FAILURE_VARIABLE);
	static char reason[1024];
	uint64_t fd = 0;
	int r;

	*ret = NULL;
	*ret_failure = NULL;
	image_self();
	if (number == NULL)
		return 0;
	if (failure != NULL) {
		snprintf(reason, sizeof(reason), "%s", failure);
		*ret_failure = reason;
	}
	if (!str_to_u64(str_of(number), &fd) || fd < 3 || fd > 1 << 20)
		return why_errno(why, EPROTO, RECORD_VARIABLE);
	unsetenv(RECORD_VARIABLE);
	unsetenv(FAILURE_VARIABLE);
	r = handover_from_fd(ret, (int)fd, why);
	if (r == 0)
		r = handover_let_inherit(*ret, false, why);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	close((int)fd);
	return r;
}

/* ---- exec ---- */

/* Made beforehand: a handler may not allocate. */
struct leap {
	const struct handover *h;
	int record_fd;
	char path[4096], conf_file[4096];
	char record_word[48], failure_word[1100];
	char *argv[4];
	char *envp[ENVIRONMENT_MAX];
};

static int prepare(struct leap *l, const struct handover *h, const char *path,
		const char *conf_file, const char *failure, struct why *why)
{
	static char option[] = "-c";
	size_t n = 0;

	l->h = h;
	l->record_fd = handover_to_fd(h, why);
	if (l->record_fd < 0)
		return l->record_fd;
	snprintf(l->path, sizeof(l->path), "%s", path);
	snprintf(l->conf_file, sizeof(l->conf_file), "%s", conf_file != NULL ? conf_file : "");
	l->argv[0] = l->path;
	l->argv[1] = conf_file != NULL ? option : NULL;
	l->argv[2] = conf_file != NULL ? l->conf_file : NULL;
	l->argv[3] = NULL;
	snprintf(l->record_word, sizeof(l->record_word), RECORD_VARIABLE "=%d", l->record_fd);
	snprintf(l->failure_word, sizeof(l->failure_word), FAILURE_VARIABLE "=%s",
			failure != NULL ? failure : "");
	for (char **e = environ; *e != NULL && n < ENVIRONMENT_MAX - 3; e++)
		l->envp[n++] = *e;
	l->envp[n++] = l->record_word;
	if (failure != NULL)
		l->envp[n++] = l->failure_word;
	l->envp[n] = NULL;
	return 0;
}

static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	sigprocmask(how, &set, NULL);
}

/* System calls only.  Returns when exec failed, with errno. */
static void take(const struct leap *l)
{
	alarm(0); /* it would go on in the next image */
	hold_signals(SIG_BLOCK);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	handover_let_inherit(l->h, true, NULL);
	fcntl(l->record_fd, F_SETFD, 0);
	execve(l->path, l->argv, l->envp);
}

int image_become(const struct handover *h, const char *path, const char *conf_file,
		const char *failure, struct why *why)
{
	static struct leap leap;
	int r = prepare(&leap, h, path, conf_file, failure, why);

	if (r < 0)
		return r;
	take(&leap);
	r = why_errno(why, errno, "%s", path);
	handover_let_inherit(h, false, NULL);
	close(leap.record_fd);
	hold_signals(SIG_UNBLOCK);
	return r;
}

/* Its path, while that is still the same file. */
static void find_binary(const char *program, int binary_fd, char *ret, size_t size)
{
	struct stat open_file, named;

	if (program != NULL && fstat(binary_fd, &open_file) == 0 && stat(program, &named) == 0 &&
			open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev)
		snprintf(ret, size, "%s", program);
	else
		snprintf(ret, size, "/proc/self/fd/%d", binary_fd);
}

int image_go_back(const struct handover *h, const char *program, int binary_fd,
		const char *conf_file, const char *failure, struct why *why)
{
	char path[4096];

	find_binary(program, binary_fd, path, sizeof(path));
	return image_become(h, path, conf_file, failure, why);
}

void image_hold_signals(void)
{
	hold_signals(SIG_BLOCK);
}

void image_take_signals(void)
{
	hold_signals(SIG_UNBLOCK);
}

/* ---- a crash on the way ---- */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
static struct leap escape;

static void on_fatal(int sig)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	take(&escape);
	signal(sig, SIG_DFL);
	raise(sig);
}

void image_guard(const struct handover *h, const char *conf_file, unsigned patience_s)
{
	struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_NODEFER};
	char path[4096];

	find_binary(h->program, h->binary_fd, path, sizeof(path));
	if (prepare(&escape, h, path, conf_file, "it crashed, or took too long to begin", NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	alarm(patience_s);
}

void image_unguard(void)
{
	alarm(0);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], SIG_DFL);
	if (escape.h != NULL)
		close(escape.record_fd);
	escape.h = NULL;
}
