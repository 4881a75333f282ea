/* SPDX-License-Identifier: Apache-2.0
 *
 * What certificates need beyond their schema: pairs that fit, authorities that are some, the
 * list of names that the Admin API shows with a certificate.  Inside an operation (control/op.h).
 */
#pragma once

#include "control/op.h"

/* Number of the reference from services to ca_certificates, beside those of entity_foreign. */
#define CERTIFICATE_CA_REF_FIELD 16

/* Before the schema: a CA certificate gets its digest. */
void certificate_prepare(enum entity_type type, json_t *input);
/* Behind the schema: key and certificate belong together; a CA certificate is one, valid, and
 * alone; the ca_certificates of a service exist.  OP_E_REFUSED. */
int certificate_check(struct op *op, enum entity_type type, const json_t *entity);
/* A CA certificate that services name is not removed.  OP_E_REFUSED. */
int certificate_check_unused(struct op *op, enum entity_type type, const char *id);

/* Takes the `snis` out of a certificate's input; NULL: there are none.  OP_E_REFUSED. */
int certificate_snis_take(struct op *op, enum entity_type type, json_t *input, json_t **ret);
/* Makes names (NULL: leave them as they are) the SNIs of the certificate. */
int certificate_snis_put(struct op *op, const char *id, const json_t *names);
/* Adds `snis` to a certificate that is about to be shown. */
int certificate_show(struct op *op, enum entity_type type, json_t *entity);
/* The certificate that has this SNI.  OP_E_NONE. */
int certificate_id_by_sni(struct op *op, struct str name, char ret[UUID_TEXT_BYTES]);
