/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot of a trial: one plugin, one instance of it for every request.
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plugin/check_part.h"
#include "plugin/schema_part.h"
#include "plugin/trial.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot_write.h"

#define MAP_BYTES (64U << 20)
#define CODE_ID "00000000-0000-4000-8000-000000000001"
#define INSTANCE_ID "00000000-0000-4000-8000-000000000002"

static void remove_directory(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	(void)rmdir(dir);
}

static int put(struct snap_txn *t, uint32_t kind, const char *id, const ProtobufCMessage *m,
		struct why *why)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	sl_auto_mem uint8_t *bytes = malloc(n);

	if (bytes == NULL)
		return why_errno(why, ENOMEM, "cannot make a snapshot");
	protobuf_c_message_pack(m, bytes);
	return snap_txn_put(t, kind, str_of(id), 1, (struct str){(char *)bytes, n}, why);
}

static uint32_t phases_of(const json_t *names)
{
	uint32_t phases = 0;
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		for (unsigned p = 0; p < PHASE_COUNT; p++)
			if (strcmp(json_string_value(name), phase_name((enum phase)p)) == 0)
				phases |= PHASE_BIT(p);
	return phases;
}

static char *text_of(const char *s)
{
	return (char *)(uintptr_t)s;
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){text != NULL ? strlen(text) : 0, (uint8_t *)text_of(text)};
}

static int put_code(const struct check *c, const json_t *trial, uint8_t *sha, struct snap_txn *t,
		struct why *why)
{
	Sluice__Record__PluginCode code = SLUICE__RECORD__PLUGIN_CODE__INIT;
	Sluice__Record__Limits limits = SLUICE__RECORD__LIMITS__INIT;
	sl_auto_mem char *schema = json_dumps(json_object_get(trial, "schema"), JSON_COMPACT);

	limits.cpu_ms = c->limits.cpu_ms;
	limits.memory_mb = c->limits.memory_mb;
	code.id = text_of(CODE_ID);
	code.name = text_of(c->name);
	code.version_sha256 = code.handler_sha256 = (ProtobufCBinaryData){32, sha};
	code.handler_bytes = (uint32_t)c->handler.text.n;
	code.limits = &limits;
	code.priority = (int32_t)json_integer_value(json_object_get(trial, "priority"));
	code.phases = phases_of(json_object_get(trial, "phases"));
	code.schema_json = bytes_of(schema);
	return put(t, SLUICE__RECORD__KIND__PLUGIN_CODE, CODE_ID, &code.base, why);
}

static int put_instance(
		const struct check *c, const json_t *trial, struct snap_txn *t, struct why *why)
{
	Sluice__Record__PluginInstance instance = SLUICE__RECORD__PLUGIN_INSTANCE__INIT;
	sl_auto_mem char *config = json_dumps(json_object_get(trial, "config"), JSON_COMPACT);
	char *protocols[] = {text_of("http"), text_of("https")};

	instance.id = text_of(INSTANCE_ID);
	instance.name = text_of(c->name);
	instance.enabled = true;
	instance.protocols = protocols;
	instance.n_protocols = 2;
	instance.config = config != NULL ? bytes_of(config) : bytes_of("{}");
	return put(t, SLUICE__RECORD__KIND__PLUGIN_INSTANCE, INSTANCE_ID, &instance.base, why);
}

static int fill(struct snapshot_writer *w, const struct check *c, const json_t *trial,
		struct why *why)
{
	sl_auto(snap_txn) t = NULL;
	uint8_t sha[32];
	int r;

	SHA256((const uint8_t *)c->handler.text.p, c->handler.text.n, sha);
	r = snapshot_put_blob(w, sha, c->handler.text, why);
	if (r == 0)
		r = snap_txn_begin(w, &t, why);
	if (r == 0)
		r = put_code(c, trial, sha, t, why);
	if (r == 0)
		r = put_instance(c, trial, t, why);
	if (r == 0)
		r = snap_txn_commit(t, STR("0123456789abcdef"), 1, STR("trial"), why);
	return r;
}

int trial_snapshot(
		const struct check *c, const json_t *trial, struct snap_view **ret, struct why *why)
{
	char dir[] = "/tmp/sluice-trial-XXXXXX";
	struct snapshot_writer *w = NULL;
	int r;

	if (mkdtemp(dir) == NULL)
		return why_errno(why, errno, "cannot make a directory in /tmp");
	r = snapshot_writer_open_sized(&w, dir, (unsigned)-1, MAP_BYTES, why);
	if (r == 0)
		r = fill(w, c, trial, why);
	if (r == 0)
		r = snapshot_writer_view(w, ret, why);
	/* What is mapped and open stays so. */
	remove_directory(dir);
	return r;
}
