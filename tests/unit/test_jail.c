/* SPDX-License-Identifier: Apache-2.0
 *
 * Each claim is made by a real child that enters the jail, tries, and exits with 0 when
 * what it saw is what was promised.
 */
#include "plugin/jail.h"
#include "plugin/jail_sanitizer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

typedef bool try_fn(const struct jail_state *state);

static const struct jail_conf worker_conf = {.user = "nobody", .may_use_network = true};
static const struct jail_conf check_conf = {
		.user = "nobody",
		.is_short_lived = true,
		.limits = {.cpu_s = 5, .memory_mb = 1024, .n_files = 16},
};

/* The wait status of a child that jailed itself and tried. */
static int status_of(const struct jail_conf *conf, try_fn *try)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct jail_state state;
		struct why why = WHY_NONE;

		if (jail_enter(conf, &state, &why) != 0) {
			fprintf(stderr, "jail: %s\n", why.text);
			_exit(99);
		}
		_exit(try(&state) ? 0 : 1);
	}
	assert_int_not_equal(pid, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void holds(const struct jail_conf *conf, try_fn *try)
{
	int status = status_of(conf, try);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void holds_for_both(try_fn *try)
{
	holds(&worker_conf, try);
	holds(&check_conf, try);
}

static bool refused(long r)
{
	return r < 0 && (errno == EPERM || errno == EACCES);
}

static bool try_files(const struct jail_state *state)
{
	struct stat st;

	(void)state;
	return refused(open("/etc/passwd", O_RDONLY)) &&
	       refused(open("/tmp/x", O_CREAT | O_RDWR, 0600)) &&
	       refused(openat(AT_FDCWD, "/dev/null", O_RDWR)) && refused(open(".", O_RDONLY)) &&
	       refused(unlink("/tmp/x")) && refused(mkdir("/tmp/y", 0700)) &&
	       refused(rename("/tmp/a", "/tmp/b")) && refused(chdir("/")) &&
	       refused(stat("/etc/passwd", &st)) && fstat(0, &st) == 0;
}

static void no_file_can_be_opened_made_or_removed(void **state)
{
	(void)state;
	holds_for_both(try_files);
}

static bool try_processes(const struct jail_state *state)
{
	char *const none[] = {NULL};

	(void)state;
	return refused(execve("/bin/true", none, none)) && refused(fork()) &&
	       refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) && refused(kill(getppid(), 0)) &&
	       (JAIL_HAS_SANITIZER || refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))) &&
	       refused(setuid(0)) && refused(setsid());
}

static void no_process_can_be_started_traced_or_signalled(void **state)
{
	(void)state;
	holds_for_both(try_processes);
}

static bool try_no_sockets(const struct jail_state *state)
{
	int pair[2];

	(void)state;
	return refused(socket(AF_INET, SOCK_STREAM, 0)) &&
	       refused(socket(AF_INET6, SOCK_DGRAM, 0)) &&
	       refused(socket(AF_UNIX, SOCK_STREAM, 0)) &&
	       refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static void a_check_has_no_network(void **state)
{
	(void)state;
	holds(&check_conf, try_no_sockets);
}

static bool try_worker_sockets(const struct jail_state *state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(9)};
	int udp = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return udp >= 0 && socket(AF_INET6, SOCK_STREAM, 0) >= 0 &&
	       connect(udp, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	       refused(socket(AF_UNIX, SOCK_STREAM, 0)) &&
	       refused(socket(AF_NETLINK, SOCK_RAW, 0)) &&
	       refused(socket(AF_PACKET, SOCK_RAW, 0)) &&
	       refused(bind(udp, (struct sockaddr *)&addr, sizeof(addr)));
}

static void a_worker_has_tcp_and_udp_and_no_other_family(void **state)
{
	(void)state;
	holds(&worker_conf, try_worker_sockets);
}

static bool try_jit(const struct jail_state *state)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (code == MAP_FAILED || mprotect(code, 4096, PROT_READ | PROT_EXEC) != 0)
		return false;
	return mprotect(code, 4096, PROT_READ | PROT_WRITE) == 0 && munmap(code, 4096) == 0;
}

static void a_compiler_can_make_code(void **state)
{
	(void)state;
	holds_for_both(try_jit);
}

static volatile sig_atomic_t n_ticks;

static void on_tick(int sig)
{
	(void)sig;
	n_ticks = n_ticks + 1;
}

static bool try_timer(const struct jail_state *state)
{
	struct sigaction sa = {.sa_handler = on_tick};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec at = {.it_value = {.tv_nsec = 2000000}};
	timer_t timer;

	(void)state;
	if (sigaction(SIGALRM, &sa, NULL) != 0 || timer_create(CLOCK_MONOTONIC, &ev, &timer) != 0)
		return false;
	if (timer_settime(timer, 0, &at, NULL) != 0)
		return false;
	for (int i = 0; i < 100 && n_ticks == 0; i++)
		usleep(1000);
	return n_ticks == 1 && raise(SIGALRM) == 0 && n_ticks == 2;
}

static void timers_and_own_signals_work(void **state)
{
	(void)state;
	holds_for_both(try_timer);
}

static void *thread_body(void *arg)
{
	int fd = open("/etc/passwd", O_RDONLY);

	*(bool *)arg = refused(fd);
	return NULL;
}

static bool try_thread(const struct jail_state *state)
{
	bool is_refused = false;
	pthread_t thread;

	(void)state;
	return pthread_create(&thread, NULL, thread_body, &is_refused) == 0 &&
	       pthread_join(thread, NULL) == 0 && is_refused;
}

static bool try_no_thread(const struct jail_state *state)
{
	pthread_t thread;
	bool ignored;

	(void)state;
	return pthread_create(&thread, NULL, thread_body, &ignored) != 0;
}

static void a_thread_of_a_worker_is_in_the_same_jail_and_a_check_has_none(void **state)
{
	(void)state;
	holds(&worker_conf, try_thread);
	holds(&check_conf, try_no_thread);
}

static bool try_odd(const struct jail_state *state)
{
	(void)state;
	(void)syscall(SYS_mount, "none", "/", "tmpfs", 0UL, NULL);
	return false;
}

static void what_no_honest_program_asks_for_kills(void **state)
{
	int status;

	(void)state;
	status = status_of(&check_conf, try_odd);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static bool try_identity(const struct jail_state *state)
{
	char text[512];
	unsigned int want = JAIL_CAPS | JAIL_NO_NEW_PRIVS | JAIL_NOT_DUMPABLE | JAIL_LIMITS |
			    JAIL_SECCOMP;
	struct rlimit core;

	if (geteuid() == 0 || getuid() == 0 || getgid() == 0)
		return false;
	if ((state->layers & want) != want || (state->layers & JAIL_USER) == 0)
		return false;
	if (((state->layers & JAIL_LANDLOCK) != 0) == (state->missing[0] != '\0'))
		return false;
	jail_describe(state, text, sizeof(text));
	return strncmp(text, "user,caps,no-new-privs,", 23) == 0 &&
	       strstr(text, "seccomp") != NULL && getrlimit(RLIMIT_CORE, &core) == 0 &&
	       core.rlim_max == 0;
}

static void it_is_another_user_and_says_which_layers_hold(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	holds_for_both(try_identity);
}

static bool try_nothing(const struct jail_state *state)
{
	(void)state;
	return true;
}

static void an_unknown_user_is_an_error_with_its_name(void **state)
{
	struct jail_conf conf = worker_conf;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	conf.user = "no-such-user-here";
	status = status_of(&conf, try_nothing);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 99);
}

static bool try_burn(const struct jail_state *state)
{
	while (state != NULL)
		n_ticks = 0;
	return false;
}

static void a_check_that_burns_cpu_dies_by_its_limit(void **state)
{
	struct jail_conf conf = check_conf;
	int status;

	(void)state;
	conf.limits.cpu_s = 1;
	status = status_of(&conf, try_burn);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(no_file_can_be_opened_made_or_removed),
			cmocka_unit_test(no_process_can_be_started_traced_or_signalled),
			cmocka_unit_test(a_check_has_no_network),
			cmocka_unit_test(a_worker_has_tcp_and_udp_and_no_other_family),
			cmocka_unit_test(a_compiler_can_make_code),
			cmocka_unit_test(timers_and_own_signals_work),
			cmocka_unit_test(
					a_thread_of_a_worker_is_in_the_same_jail_and_a_check_has_none),
			cmocka_unit_test(what_no_honest_program_asks_for_kills),
			cmocka_unit_test(it_is_another_user_and_says_which_layers_hold),
			cmocka_unit_test(an_unknown_user_is_an_error_with_its_name),
			cmocka_unit_test(a_check_that_burns_cpu_dies_by_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
