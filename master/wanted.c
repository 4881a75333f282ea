/* SPDX-License-Identifier: Apache-2.0 */
#include "master/wanted.h"

#include <openssl/sha.h>
#include <string.h>

#include "shm/record.pb-c.h"

/* A plugin's record was completed by this node: the hash as control sent it is inside. */
static bool hash_of_record(uint32_t kind, struct str record, uint8_t ret[32])
{
	Sluice__Record__PluginCode *code;
	bool is_known;

	if (record.p == NULL)
		return false;
	if (kind != SLUICE__RECORD__KIND__PLUGIN_CODE) {
		SHA256((const uint8_t *)record.p, record.n, ret);
		return true;
	}
	code = sluice__record__plugin_code__unpack(NULL, record.n, (const uint8_t *)record.p);
	is_known = code != NULL && code->spec_sha256.len == 32;
	if (is_known)
		memcpy(ret, code->spec_sha256.data, 32);
	sluice__record__plugin_code__free_unpacked(code, NULL);
	return is_known;
}

static bool hash_of_refusal(const struct snap_refusal *refusal, uint8_t ret[32])
{
	if (refusal->spec_sha256.n != 32)
		return false;
	memcpy(ret, refusal->spec_sha256.p, 32);
	return true;
}

bool wanted_in_view(const struct snap_view *v, uint32_t kind, const char *id, uint8_t ret[32])
{
	struct snap_refusal refusal;

	if (snap_refusal(v, kind, str_of(id), &refusal))
		return hash_of_refusal(&refusal, ret);
	return hash_of_record(kind, snap_get(v, kind, str_of(id)), ret);
}

bool wanted_in_txn(struct snap_txn *t, uint32_t kind, const char *id, uint8_t ret[32])
{
	struct snap_refusal refusal;
	uint64_t version;

	if (snap_txn_refusal(t, kind, str_of(id), &refusal))
		return hash_of_refusal(&refusal, ret);
	return hash_of_record(kind, snap_txn_get(t, kind, str_of(id), &version), ret);
}
