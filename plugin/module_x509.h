/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates, requests and revocation lists as plugins bring them: PEM or DER of at most
 * 64 kB, read into facts.  Called between vm_host_enter() and vm_host_leave().  libngx.a and
 * tests/fuzz.
 */
#pragma once

#include <openssl/x509.h>

#include "base/str.h"

#define X509_TEXT_MAX 65536
#define X509_EXTENSIONS_MAX 64
#define X509_REVOKED_MAX 1024

enum x509_kind { X509_CERTIFICATE, X509_REQUEST, X509_LIST, X509_KINDS };

/* The DER of the first block of that kind in a PEM, or the text itself; OPENSSL_malloc'd.  NULL:
 * it is none. */
unsigned char *x509_unwrap(enum x509_kind kind, struct str text, size_t *ret_n);

/* NULL: not of that kind.  To be freed by X509_free() … */
X509 *x509_read_certificate(struct str text);
X509_REQ *x509_read_request(struct str text);
X509_CRL *x509_read_list(struct str text);

/* What it says, as facts (begun by it). */
void x509_describe(enum x509_kind kind, struct str text);

/* Facts about an extension, a name, an alternative name: their DER is parsed. */
void x509_note_extensions(const STACK_OF(X509_EXTENSION) * all);
void x509_describe_name(struct str der);
void x509_describe_altname(struct str der);
void x509_describe_access(struct str der); /* Authority Information Access */
void x509_describe_points(struct str der); /* CRL Distribution Points */
/* One of them, added to the table that is open. */
void x509_note_object(const ASN1_OBJECT *object);
struct GENERAL_NAME_st;
void x509_note_general_name(struct GENERAL_NAME_st *name);

/* A PKCS#12 file (module_pkcs12.c): {key, friendly_name, certificates}. */
void pkcs12_describe(struct str der, struct str passphrase);
