/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vm_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <luajit.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "plugin/vm_impl.h"

#define NOTE_NAME "GNU"
#define BUILD_ID_MAX 20U

static char library_id[160];

void str_hash_init_sse42(void)
{
}

/* The build id among the notes of one loaded segment. */
static bool find_build_id(const char *notes, size_t n, char *ret_hex)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name_n, all;

		memcpy(&note, notes, sizeof(note));
		name_n = (note.n_namesz + 3U) & ~3U;
		all = sizeof(note) + name_n + ((note.n_descsz + 3U) & ~3U);
		if (all > n)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(NOTE_NAME) &&
				note.n_descsz <= BUILD_ID_MAX) {
			hex_encode(notes + sizeof(note) + name_n, note.n_descsz, ret_hex);
			return true;
		}
		notes += all;
		n -= all;
	}
	return false;
}

struct wanted {
	ElfW(Addr) address;
	char build_id[BUILD_ID_MAX * 2 + 1];
};

static int look_at_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct wanted *w = arg;
	bool is_it = false;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		ElfW(Addr) start = info->dlpi_addr + h->p_vaddr;

		if (h->p_type == PT_LOAD && w->address >= start && w->address - start < h->p_memsz)
			is_it = true;
	}
	for (int i = 0; is_it && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		const char *notes;

		memcpy(&notes, &(ElfW(Addr)){info->dlpi_addr + h->p_vaddr}, sizeof(notes));
		if (h->p_type == PT_NOTE && find_build_id(notes, h->p_memsz, w->build_id))
			break;
	}
	return is_it;
}

const char *vm_library_id(void)
{
	struct wanted w = {.address = (ElfW(Addr))(uintptr_t)lua_newstate};

	if (library_id[0] != 0)
		return library_id;
	(void)dl_iterate_phdr(look_at_object, &w);
	(void)snprintf(library_id, sizeof(library_id), "%s %s gc64 %s", LUAJIT_VERSION,
#if defined(__x86_64__)
			"x64",
#else
			"other",
#endif
			w.build_id);
	return library_id;
}

int vm_library_check(struct why *why)
{
#if !defined(__x86_64__)
	why_set(why, NULL, 0, "plugins run on x86-64 only: the budget is calibrated for it");
	return -ENOTSUP;
#else
	/* Absent from the library (plain LuaJIT): nothing to close, and ours is found. */
	void *seen = dlsym(RTLD_DEFAULT, "str_hash_init_sse42");
	void (*ours)(void) = str_hash_init_sse42;

	if (memcmp(&seen, &ours, sizeof(seen)) != 0) {
		why_set(why, NULL, 0,
				"this program was linked without VM_LDFLAGS: LuaJIT's weak string "
				"hash is in use");
		return -ENOTSUP;
	}
	return 0;
#endif
}
