/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_case.h"

#include "control/plugin_form.h"
#include "control/write.h"

struct fixture {
	struct control_case *files;
	struct conf *conf;
	struct model *model;
	struct op op;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct why why = WHY_NONE;
	void *files = NULL;

	assert_non_null(f);
	case_begin(&files);
	f->files = files;
	assert_int_equal(conf_load(&f->conf, NULL, &why), 0);
	assert_int_equal(model_new(&f->model, f->conf, f->files->store, &why), 0);
	f->op = (struct op){.model = f->model, .now_s = 1};
	assert_int_equal(store_begin(f->model->store, true, &f->op.txn, &why), 0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	void *files = f->files;

	op_done(&f->op);
	model_free(f->model);
	conf_free(f->conf);
	case_end(&files);
	free(f);
	return 0;
}

static json_t *json_of(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);

	assert_non_null(v);
	return v;
}

static int insert(struct fixture *f, enum entity_type type, const char *text, json_t **ret)
{
	json_t *input = json_of(text);
	int r = write_insert(&f->op, type, input, ret);

	json_decref(input);
	return r;
}

static json_t *inserted(struct fixture *f, enum entity_type type, const char *text)
{
	json_t *entity = NULL;

	assert_int_equal(insert(f, type, text, &entity), 0);
	return entity;
}

static const char *text_of(const json_t *o, const char *field)
{
	const char *s = json_string_value(json_object_get(o, field));

	return s != NULL ? s : "";
}

static void a_url_becomes_its_parts(void **state)
{
	json_t *s = inserted(*state, ENTITY_SERVICES, "{\"url\":\"https://[::1]:8443/a/b\"}");
	json_t *plain = inserted(*state, ENTITY_SERVICES, "{\"url\":\"http://example.com\"}");

	assert_string_equal(text_of(s, "protocol"), "https");
	assert_string_equal(text_of(s, "host"), "[::1]");
	assert_int_equal(json_integer_value(json_object_get(s, "port")), 8443);
	assert_string_equal(text_of(s, "path"), "/a/b");
	assert_int_equal(json_integer_value(json_object_get(plain, "port")), 80);
	assert_true(json_is_null(json_object_get(plain, "path")));
	json_decref(s);
	json_decref(plain);
}

static void names_are_unique_until_their_owner_is_gone(void **state)
{
	struct fixture *f = *state;
	json_t *s = inserted(f, ENTITY_SERVICES, "{\"name\":\"a\",\"host\":\"h\"}"), *twice = NULL;

	assert_int_equal(insert(f, ENTITY_SERVICES, "{\"name\":\"a\",\"host\":\"h\"}", &twice),
			OP_E_REFUSED);
	assert_int_equal(fault_code(&f->op.fault), FAULT_UNIQUE_VIOLATION);
	assert_int_equal(f->op.fault.status, 409);
	assert_string_equal(text_of(f->op.fault.body, "message"),
			"UNIQUE violation detected on '{name=\"a\"}'");
	assert_int_equal(write_delete(&f->op, ENTITY_SERVICES, text_of(s, "id")), 0);
	json_decref(s);
	json_decref(inserted(f, ENTITY_SERVICES, "{\"name\":\"a\",\"host\":\"h\"}"));
}

static void a_service_with_routes_stays(void **state)
{
	struct fixture *f = *state;
	json_t *s = inserted(f, ENTITY_SERVICES, "{\"name\":\"a\",\"host\":\"h\"}");
	json_t *r = inserted(f, ENTITY_ROUTES, "{\"service\":{\"name\":\"a\"},\"paths\":[\"/\"]}");

	assert_string_equal(text_of(json_object_get(r, "service"), "id"), text_of(s, "id"));
	assert_int_equal(write_delete(&f->op, ENTITY_SERVICES, text_of(s, "id")), OP_E_REFUSED);
	assert_string_equal(text_of(f->op.fault.body, "message"),
			"an existing 'routes' entity references this 'services' entity");
	assert_int_equal(write_delete(&f->op, ENTITY_ROUTES, text_of(r, "id")), 0);
	assert_int_equal(write_delete(&f->op, ENTITY_SERVICES, text_of(s, "id")), 0);
	json_decref(s);
	json_decref(r);
}

static void a_reference_to_nothing_is_refused(void **state)
{
	struct fixture *f = *state;
	json_t *r = NULL;

	assert_int_equal(insert(f, ENTITY_ROUTES,
					 "{\"service\":{\"id\":\"aaaaaaaa-0000-4000-8000-"
					 "000000000001\"},\"paths\":[\"/\"]}",
					 &r),
			OP_E_REFUSED);
	assert_int_equal(fault_code(&f->op.fault), FAULT_FOREIGN_KEY_VIOLATION);
	assert_int_equal(insert(f, ENTITY_ROUTES,
					 "{\"service\":{\"name\":\"no\"},\"paths\":[\"/\"]}", &r),
			OP_E_REFUSED);
	assert_int_equal(fault_code(&f->op.fault), FAULT_FOREIGN_KEYS_UNRESOLVED);
}

static void a_patch_changes_what_it_names_and_a_put_all(void **state)
{
	struct fixture *f = *state;
	json_t *s = inserted(f, ENTITY_SERVICES, "{\"name\":\"a\",\"host\":\"h\",\"retries\":7}");
	json_t *given = json_of("{\"host\":\"i\"}"), *after = NULL;
	char id[UUID_TEXT_BYTES];

	snprintf(id, sizeof(id), "%s", text_of(s, "id"));
	assert_int_equal(write_update(&f->op, ENTITY_SERVICES, id, given, &after), 0);
	assert_int_equal(json_integer_value(json_object_get(after, "retries")), 7);
	assert_string_equal(text_of(after, "host"), "i");
	json_decref(after);
	assert_int_equal(write_upsert(&f->op, ENTITY_SERVICES, id, given, &after), 0);
	assert_int_equal(json_integer_value(json_object_get(after, "retries")), 5);
	assert_true(json_is_null(json_object_get(after, "name")));
	assert_true(json_equal(
			json_object_get(after, "created_at"), json_object_get(s, "created_at")));
	assert_int_equal(read_id(&f->op, ENTITY_SERVICES, STR("a"), id), OP_E_NONE);
	json_decref(after);
	json_decref(given);
	json_decref(s);
}

static void an_instance_of_an_unknown_plugin_is_refused(void **state)
{
	struct fixture *f = *state;
	json_t *p = NULL;

	assert_int_equal(insert(f, ENTITY_PLUGINS, "{\"name\":\"x\"}", &p), OP_E_REFUSED);
	assert_string_equal(text_of(json_object_get(f->op.fault.body, "fields"), "name"),
			"plugin 'x' not enabled; add it to the 'plugins' configuration property");
}

static void a_plugin_schema_may_not_change_the_entity(void **state)
{
	json_t *form = json_of("{\"name\":\"p\",\"fields\":[{\"extra\":{\"type\":\"string\"}},"
			       "{\"enabled\":{\"type\":\"string\"}}]}");
	struct schema *schema = NULL;
	json_t *errors = NULL;

	(void)state;
	assert_int_equal(plugin_form_compile(form, &schema, &errors), -EINVAL);
	assert_string_equal(text_of(errors, "extra"), "cannot create a new field");
	assert_string_equal(
			text_of(errors, "enabled"), "cannot change type in a specialized field");
	json_decref(errors);
	json_decref(form);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
			CASE(a_url_becomes_its_parts),
			CASE(names_are_unique_until_their_owner_is_gone),
			CASE(a_service_with_routes_stays),
			CASE(a_reference_to_nothing_is_refused),
			CASE(a_patch_changes_what_it_names_and_a_put_all),
			CASE(an_instance_of_an_unknown_plugin_is_refused),
			CASE(a_plugin_schema_may_not_change_the_entity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
