/* SPDX-License-Identifier: Apache-2.0
 *
 * Asymmetric keys as plugins write them: PEM or DER, private or public, with a passphrase or
 * without.  What is read is bounded: 64 kB, 8,192 bits, 20,000 rounds of a passphrase's hashing.
 * Keys in DER are kept parsed, 64 of them in a process: parsing costs as much as a signature.
 * Called between vm_host_enter() and vm_host_leave().  libngx.a and tests/fuzz.
 */
#pragma once

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/str.h"

#define KEY_BYTES_MAX 65536
#define KEY_DER_MAX 16384
#define KEY_BITS_MAX 8192 /* a private operation takes 50 ms there */
#define KEY_ROUNDS_MAX 20000

/* A key of the text, to be freed by EVP_PKEY_free(); NULL: it is none.  passphrase.p == NULL:
 * encrypted keys are refused. */
EVP_PKEY *key_read(struct str text, struct str passphrase, bool *ret_is_private);

/* As key_read() without a passphrase, from the kept ones when it is there. */
EVP_PKEY *key_get(struct str der, bool *ret_is_private);

/* PKCS#8 or SubjectPublicKeyInfo, at most KEY_DER_MAX bytes to out; 0: not possible. */
size_t key_write(EVP_PKEY *key, bool is_private, unsigned char *out);

/* Is the hashing of a passphrase (PKCS#5, PKCS#12) within the bound? */
bool key_is_affordable(const X509_ALGOR *algorithm);
