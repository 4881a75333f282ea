/* SPDX-License-Identifier: Apache-2.0 */
#include "control/entity.h"

#include "base/check.h"

static const char certificates_form[] =
#include "control/schemas/certificates.inc"
		;
static const char ca_certificates_form[] =
#include "control/schemas/ca_certificates.inc"
		;
static const char snis_form[] =
#include "control/schemas/snis.inc"
		;
static const char upstreams_form[] =
#include "control/schemas/upstreams.inc"
		;
static const char targets_form[] =
#include "control/schemas/targets.inc"
		;
static const char services_form[] =
#include "control/schemas/services.inc"
		;
static const char routes_form[] =
#include "control/schemas/routes.inc"
		;
static const char consumers_form[] =
#include "control/schemas/consumers.inc"
		;
static const char consumer_groups_form[] =
#include "control/schemas/consumer_groups.inc"
		;
static const char consumer_group_consumers_form[] =
#include "control/schemas/consumer_group_consumers.inc"
		;
static const char plugins_form[] =
#include "control/schemas/plugins.inc"
		;
static const char custom_plugins_form[] =
#include "control/schemas/custom_plugins.inc"
		;

static const char key_sets_form[] =
#include "control/schemas/key_sets.inc"
		;
static const char keys_form[] =
#include "control/schemas/keys.inc"
		;
static const char vaults_form[] =
#include "control/schemas/vaults.inc"
		;

static const char *const by_name[] = {"name", NULL};
static const char *const by_prefix[] = {"prefix", NULL};
static const char *const by_digest[] = {"cert_digest", NULL};
static const char *const by_nothing[] = {NULL};
static const char *const by_instance[] = {"instance_name", NULL};
static const char *const by_username[] = {"username", "custom_id", NULL};

static const struct entity_foreign none[] = {{.field = NULL}};
static const struct entity_foreign of_key[] = {
		{"set", ENTITY_KEY_SETS, ENTITY_CASCADE},
		{.field = NULL},
};
static const struct entity_foreign of_sni[] = {
		{"certificate", ENTITY_CERTIFICATES, ENTITY_CASCADE},
		{.field = NULL},
};
static const struct entity_foreign of_upstream[] = {
		{"client_certificate", ENTITY_CERTIFICATES, ENTITY_RESTRICT},
		{.field = NULL},
};
static const struct entity_foreign of_target[] = {
		{"upstream", ENTITY_UPSTREAMS, ENTITY_CASCADE},
		{.field = NULL},
};
static const struct entity_foreign of_service[] = {
		{"client_certificate", ENTITY_CERTIFICATES, ENTITY_RESTRICT},
		{.field = NULL},
};
static const struct entity_foreign of_route[] = {
		{"service", ENTITY_SERVICES, ENTITY_RESTRICT},
		{.field = NULL},
};
static const struct entity_foreign of_member[] = {
		{"consumer_group", ENTITY_CONSUMER_GROUPS, ENTITY_CASCADE},
		{"consumer", ENTITY_CONSUMERS, ENTITY_CASCADE},
		{.field = NULL},
};
static const struct entity_foreign of_plugin[] = {
		{"route", ENTITY_ROUTES, ENTITY_CASCADE},
		{"service", ENTITY_SERVICES, ENTITY_CASCADE},
		{"consumer", ENTITY_CONSUMERS, ENTITY_CASCADE},
		{"consumer_group", ENTITY_CONSUMER_GROUPS, ENTITY_CASCADE},
		{.field = NULL},
};

struct entity_more {
	const char *singular;
	const char *const *unique;
	const struct entity_foreign *foreign;
	const char *form_text;
};

static const struct entity_more more[ENTITY_COUNT] = {
		[ENTITY_VAULTS] = {"vault", by_prefix, none, vaults_form},
		[ENTITY_KEY_SETS] = {"set", by_name, none, key_sets_form},
		[ENTITY_KEYS] = {"key", by_name, of_key, keys_form},
		[ENTITY_CERTIFICATES] = {"certificate", by_nothing, none, certificates_form},
		[ENTITY_CA_CERTIFICATES] = {"ca_certificate", by_digest, none,
				ca_certificates_form},
		[ENTITY_SNIS] = {"sni", by_name, of_sni, snis_form},
		[ENTITY_UPSTREAMS] = {"upstream", by_name, of_upstream, upstreams_form},
		[ENTITY_TARGETS] = {"target", by_nothing, of_target, targets_form},
		[ENTITY_SERVICES] = {"service", by_name, of_service, services_form},
		[ENTITY_ROUTES] = {"route", by_name, of_route, routes_form},
		[ENTITY_CONSUMERS] = {"consumer", by_username, none, consumers_form},
		[ENTITY_CONSUMER_GROUPS] = {"consumer_group", by_name, none, consumer_groups_form},
		[ENTITY_CONSUMER_GROUP_CONSUMERS] = {"consumer_group_consumer", by_nothing,
				of_member, consumer_group_consumers_form},
		[ENTITY_CUSTOM_PLUGINS] = {"custom_plugin", by_name, none, custom_plugins_form},
		[ENTITY_PLUGINS] = {"plugin", by_instance, of_plugin, plugins_form},
};

static struct entity_def defs[ENTITY_COUNT] = {
#define X(constant, record_kind, n, p, k) \
	[ENTITY_##constant] = {.type = ENTITY_##constant, \
			.kind = record_kind, \
			.name = n, \
			.path = p, \
			.endpoint_key = k},
		ENTITY_TABLE(X)
#undef X
};

const struct entity_def *entity_def(enum entity_type type)
{
	struct entity_def *def = &defs[type];

	if (def->form_text == NULL) {
		def->singular = more[type].singular;
		def->unique = more[type].unique;
		def->foreign = more[type].foreign;
		def->form_text = more[type].form_text;
	}
	return def;
}

const struct entity_def *entity_by_name(struct str name)
{
	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		if (str_eq(name, str_of(defs[i].name)))
			return entity_def(i);
	}
	return NULL;
}

const struct entity_def *entity_by_path(struct str path)
{
	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		if (path.n != 0 && str_eq(path, str_of(defs[i].path)))
			return entity_def(i);
	}
	return NULL;
}

const struct entity_def *entity_by_kind(uint8_t kind)
{
	for (enum entity_type i = 0; i < ENTITY_COUNT; i++) {
		if (defs[i].kind == kind)
			return entity_def(i);
	}
	return NULL;
}

json_t *entity_form(const struct entity_def *def)
{
	json_t *form = json_loads(def->form_text, 0, NULL);

	sl_assert(form != NULL);
	return form;
}
