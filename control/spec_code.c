/* SPDX-License-Identifier: Apache-2.0
 *
 * Specs of plugins' code.
 */
#include "control/spec.h"

#include <openssl/sha.h>

#include "control/spec_part.h"
#include "plugin/phase.h"

void spec_code_version(
		const uint8_t handler_sha256[32], const uint8_t schema_sha256[32], uint8_t ret[32])
{
	uint8_t both[2 * SHA256_DIGEST_LENGTH];

	memcpy(both, handler_sha256, SHA256_DIGEST_LENGTH);
	memcpy(both + SHA256_DIGEST_LENGTH, schema_sha256, SHA256_DIGEST_LENGTH);
	SHA256(both, sizeof(both), ret);
}

static uint32_t phase_bits(const json_t *phases)
{
	const json_t *name;
	uint32_t bits = 0;
	size_t i;

	json_array_foreach (phases, i, name) {
		for (enum phase p = 0; p < PHASE_COUNT; p++) {
			if (json_is_string(name) &&
					strcmp(json_string_value(name), phase_name(p)) == 0)
				bits |= PHASE_BIT(p);
		}
	}
	return bits;
}

int spec_make_code(const struct spec_code *code, struct buf *ret)
{
	Sluice__Record__PluginCode m = SLUICE__RECORD__PLUGIN_CODE__INIT;
	sl_auto_mem char *form = json_dumps(json_object_get(code->verdict, "schema"), JSON_COMPACT);
	uint8_t version[SHA256_DIGEST_LENGTH];
	Sluice__Record__Limits limits;

	if (form == NULL)
		return -ENOMEM;
	spec_code_version(code->handler_sha256, code->schema_sha256, version);
	m.id = loose(code->id);
	m.name = loose(code->name);
	m.version_sha256 = bytes(version, sizeof(version));
	m.handler_sha256 = bytes(code->handler_sha256, SHA256_DIGEST_LENGTH);
	m.schema_sha256 = bytes(code->schema_sha256, SHA256_DIGEST_LENGTH);
	m.handler_bytes = (uint32_t)code->handler_bytes;
	m.schema_bytes = (uint32_t)code->schema_bytes;
	m.priority = (int32_t)json_integer_value(json_object_get(code->verdict, "priority"));
	m.plugin_version = text(code->verdict, "version");
	m.phases = phase_bits(json_object_get(code->verdict, "phases"));
	m.schema_json = bytes(form, strlen(form));
	m.limits = spec_limits(&limits, code->entity);
	return pack(&m.base, ret);
}

int spec_remake_code(struct str spec, const json_t *entity, struct buf *ret)
{
	Sluice__Record__PluginCode *m =
			sluice__record__plugin_code__unpack(NULL, spec.n, (const uint8_t *)spec.p);
	Sluice__Record__Limits limits, *before;
	int r;

	if (m == NULL)
		return -EIO;
	before = m->limits;
	m->limits = spec_limits(&limits, entity);
	r = pack(&m->base, ret);
	m->limits = before;
	sluice__record__plugin_code__free_unpacked(m, NULL);
	return r;
}
