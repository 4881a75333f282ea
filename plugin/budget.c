/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/budget.h"

#include <errno.h>
#include <luajit.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"
#include "plugin/budget_calibrate.h"
#include "plugin/vm_impl.h"

#define TIMER_SIGNAL (SIGRTMIN + 3)
#define REPEAT_NS 500000U     /* between two attempts to stop a VM */
#define RECHECK_MIN_NS 50000U /* when the CPU clock is behind the wall clock */
#define DISCARD_AFTER_NS 15000000U
#define LONG_SEGMENT_NS 1000000U
#define HOOK_PROFILE 0x80U /* g->hookmask bit that every trace tests */

static struct {
	bool is_ready;
	volatile bool is_armed;
	volatile uint64_t armed_for_ns; /* monotonic */
	timer_t timer;
	size_t hookmask_offset;
	volatile uint64_t mark_cpu_ns; /* thread CPU clock, when it was last read */
	struct vm *anchor;             /* owns LuaJIT's profiler; never runs */
} budget;

struct vm *volatile budget_running;

static uint64_t thread_cpu_ns(void)
{
	uint64_t now = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);

	budget.mark_cpu_ns = now;
	return now;
}

static void arm(uint64_t at_mono_ns)
{
	struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_mono_ns / 1000000000U),
						  .tv_nsec = (long)(at_mono_ns % 1000000000U)}};

	budget.armed_for_ns = at_mono_ns;
	budget.is_armed = true;
	(void)timer_settime(budget.timer, TIMER_ABSTIME, &when, NULL);
}

/* The first line of Lua that the kill reached: what took so long is there or just before. */
static void note_place(struct vm *vm, lua_State *L, lua_Debug *ar)
{
	if (vm->killed_line > 0 || lua_getinfo(L, "Sl", ar) == 0 || ar->currentline <= 0)
		return;
	vm->killed_line = ar->currentline;
	snprintf(vm->killed_file, sizeof(vm->killed_file), "%s", ar->short_src);
}

/* Called at the next instruction, call or return after a kill, in whatever coroutine runs. */
static void kill_hook(lua_State *L, lua_Debug *ar)
{
	void *ud;
	struct vm *vm;

	(void)lua_getallocf(L, &ud);
	vm = ud;
	if (vm->killed == 0)
		return;
	note_place(vm, L, ar);
	vm_host_depth = 0; /* Lua runs: no host section is open (one may have left by error) */
	if (lua_isyieldable(L)) {
		(void)lua_yield(L, 0);
		return;
	}
	/* Below a C frame: an error gets us out of it, the next instruction yields. */
	lua_pushliteral(L, "budget exceeded");
	(void)lua_error(L);
}

/* Off and on again repairs a dispatch update that the signal interrupted half-way. */
static void set_kill_hook(struct vm *vm)
{
	*vm->hookmask &= (uint8_t)~HOOK_PROFILE;
	(void)lua_sethook(vm->L, NULL, 0, 0);
	*vm->hookmask |= HOOK_PROFILE;
	(void)lua_sethook(vm->L, kill_hook,
			LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE, 1);
}

static void clear_kill_hook(struct vm *vm)
{
	*vm->hookmask &= (uint8_t)~HOOK_PROFILE;
	(void)lua_sethook(vm->L, NULL, 0, 0);
}

/* CPU time of the running entry: no more than the wall clock says, and no more than the thread
 * used since its CPU clock was last read, so that a descheduled worker kills nobody. */
static uint64_t charge(struct vm *vm, uint64_t now_ns)
{
	uint64_t before = budget.mark_cpu_ns, cpu = thread_cpu_ns();

	if (!vm->is_charged) {
		uint64_t wall = now_ns - vm->entry_start_ns, used = cpu - before;

		vm->charged_ns = wall < used ? wall : used;
		vm->is_charged = true;
	} else {
		vm->charged_ns += cpu - vm->charged_at_cpu_ns;
	}
	vm->charged_at_cpu_ns = cpu;
	return vm->charged_ns;
}

static void stop_again(struct vm *vm)
{
	if (vm_host_depth == 0 && thread_cpu_ns() - vm->kill_cpu_ns >= DISCARD_AFTER_NS) {
		budget.is_armed = false;
		budget_discard(vm, (enum vm_status)vm->killed);
	}
	set_kill_hook(vm);
}

/* Not stopped yet: is it over its budget, and when to look again? */
static void look_at(struct vm *vm, uint64_t now_ns)
{
	uint64_t used_ns = charge(vm, now_ns), left_ns;

	if (now_ns < vm->deadline_ns) {
		arm(vm->deadline_ns);
		return;
	}
	if (used_ns >= vm->entry_budget_ns) {
		budget_kill(vm, VM_CPU);
		return;
	}
	left_ns = vm->entry_budget_ns - used_ns;
	arm(now_ns + (left_ns > RECHECK_MIN_NS ? left_ns : RECHECK_MIN_NS));
}

static void on_timer(int sig)
{
	int saved_errno = errno;
	struct vm *vm = budget_running;

	(void)sig;
	budget.is_armed = false;
	if (vm == NULL) {
		(void)thread_cpu_ns();
	} else if (vm->killed != 0) {
		stop_again(vm);
		arm(clock_mono_ns() + REPEAT_NS);
	} else if (vm->entry_budget_ns != 0) {
		look_at(vm, clock_mono_ns());
	}
	errno = saved_errno;
}

static int make_timer(struct why *why)
{
	struct sigaction act = {.sa_handler = on_timer, .sa_flags = SA_RESTART | SA_NODEFER};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TIMER_SIGNAL};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	(void)sigemptyset(&act.sa_mask);
	if (sigaction(TIMER_SIGNAL, &act, NULL) != 0)
		return why_errno(why, errno, "cannot handle the budget signal");
	if (timer_create(CLOCK_MONOTONIC, &event, &budget.timer) != 0)
		return why_errno(why, errno, "cannot create the budget timer");
	return 0;
}

static void ignore_sample(void *data, lua_State *L, int samples, int vmstate)
{
	(void)data;
	(void)L;
	(void)samples;
	(void)vmstate;
}

int budget_process_init(struct why *why)
{
	static const struct itimerval off;
	int r;

	if (budget.is_ready)
		return 0;
	r = vm_new_bare(&budget.anchor, "anchor");
	if (r < 0)
		return why_errno(why, -r, "cannot create a Lua state");
	r = budget_find_hookmask(budget.anchor, &budget.hookmask_offset, why);
	if (r < 0)
		return r;
	/* One VM per process can own the profiler.  Its own timer is not used. */
	luaJIT_profile_start(budget.anchor->L, "l", ignore_sample, NULL);
	if (setitimer(ITIMER_PROF, &off, NULL) != 0)
		return why_errno(why, errno, "cannot stop the profiler's timer");
	r = make_timer(why);
	if (r < 0)
		return r;
	budget.is_ready = true;
	return 0;
}

void budget_prepare(struct vm *vm)
{
	sl_assert(budget.is_ready);
	vm->hookmask = (volatile uint8_t *)budget_global_state(vm->L) + budget.hookmask_offset;
	/* Refused, as the anchor owns the profiler, but it has set this VM's trace mode. */
	luaJIT_profile_start(vm->L, "l", ignore_sample, NULL);
}

void budget_enter(struct vm *vm, uint64_t budget_ns, uint64_t now_ns)
{
	sl_assert(budget_running == NULL);
	vm->killed = 0;
	vm->killed_line = 0;
	vm_host_depth = 0;
	vm->is_charged = false;
	vm->entry_budget_ns = budget_ns;
	vm->entry_start_ns = now_ns != 0 ? now_ns : clock_mono_ns();
	vm->deadline_ns = budget_ns != 0 ? vm->entry_start_ns + budget_ns : UINT64_MAX;
	atomic_signal_fence(memory_order_seq_cst);
	budget_running = vm;
	atomic_signal_fence(memory_order_seq_cst);
	/* A longer budget may have armed it for later. */
	if (budget_ns != 0 && (!budget.is_armed || vm->deadline_ns < budget.armed_for_ns))
		arm(vm->deadline_ns);
}

uint64_t budget_leave(struct vm *vm, uint64_t *ret_now_ns)
{
	uint64_t segment_ns, before;

	atomic_signal_fence(memory_order_seq_cst);
	budget_running = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	if (vm->killed != 0 && vm->L != NULL)
		clear_kill_hook(vm);
	*ret_now_ns = clock_mono_ns();
	segment_ns = *ret_now_ns - vm->entry_start_ns;
	if (segment_ns < LONG_SEGMENT_NS)
		return segment_ns;
	if (vm->is_charged)
		return vm->charged_ns + (thread_cpu_ns() - vm->charged_at_cpu_ns);
	before = budget.mark_cpu_ns;
	before = thread_cpu_ns() - before;
	return before < segment_ns ? before : segment_ns;
}

uint64_t budget_left_ns(const struct vm *vm)
{
	uint64_t wall_ns = clock_mono_ns() - vm->entry_start_ns, used_ns;

	if (vm->entry_budget_ns == 0)
		return UINT64_MAX;
	if (vm->is_charged) {
		used_ns = vm->charged_ns + (thread_cpu_ns() - vm->charged_at_cpu_ns);
	} else {
		/* mark_cpu_ns first: the signal handler moves it on */
		used_ns = budget.mark_cpu_ns;
		used_ns = thread_cpu_ns() - used_ns;
		used_ns = used_ns < wall_ns ? used_ns : wall_ns;
	}
	return used_ns < vm->entry_budget_ns ? vm->entry_budget_ns - used_ns : 0;
}

void budget_kill(struct vm *vm, enum vm_status reason)
{
	if (vm->killed != 0)
		return;
	vm->killed = (sig_atomic_t)reason;
	(void)charge(vm, clock_mono_ns());
	vm->kill_cpu_ns = vm->charged_at_cpu_ns;
	set_kill_hook(vm);
	arm(clock_mono_ns() + REPEAT_NS);
}

void budget_discard(struct vm *vm, enum vm_status reason)
{
	vm->killed = (sig_atomic_t)reason;
	budget_running = NULL; /* no second signal may come this way */
	siglongjmp(vm->escape, 1);
}
