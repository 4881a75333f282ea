/* SPDX-License-Identifier: Apache-2.0
 *
 * What name servers send: an answer to a question of ours, whose id and question are put in front,
 * so that records are reached.  The bytes of each record are in the message, its names are names.
 */
#include <stdlib.h>

#include "base/check.h"
#include "plugin/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_name(const struct dns_name_text *name)
{
	unsigned char again[DNS_QUESTION_MAX];
	struct why why = WHY_NONE;

	sl_assert(name->n <= DNS_NAME_TEXT_MAX);
	if (name->n != 0)
		sl_assert(dns_question_write(again, 1, (struct str){name->text, name->n}, 1, true,
					  &why) > 0);
}

static void check_record(const struct dns_reader *r, const struct dns_record *record)
{
	struct dns_name_text name;
	size_t end;

	check_name(&record->name);
	sl_assert(record->at + record->data.n <= r->message.n);
	sl_assert(record->data.p == r->message.p + record->at);
	if (record->type == DNS_TYPE_CNAME) {
		sl_assert(dns_record_name(r, record, 0, &name, &end) == 0);
		sl_assert(end == record->data.n);
		check_name(&name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned char question[DNS_QUESTION_MAX];
	struct dns_reader r;
	struct dns_record record;
	struct why why = WHY_NONE;
	int n_question = dns_question_write(question, 7, STR("a.test"), DNS_TYPE_A, true, &why);
	char *message;
	size_t all;

	if (n < 8)
		return 0;
	all = (size_t)n_question + n - 8;
	message = malloc(all);
	sl_assert(message != NULL);
	memcpy(message, question, (size_t)n_question);
	memcpy(message + n_question, data + 8, n - 8);
	memcpy(message + 2, data, 2);
	memcpy(message + 6, data + 2, 6);
	if (dns_reader_start(&r, (struct str){message, all},
			    (struct str){(const char *)question, (size_t)n_question},
			    &why) == DNS_OK)
		while (dns_record_next(&r, &record, &why) == 1)
			check_record(&r, &record);
	free(message);
	return 0;
}
