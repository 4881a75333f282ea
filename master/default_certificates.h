/* SPDX-License-Identifier: Apache-2.0
 *
 * ssl_cert and ssl_cert_key, judged before anything starts: a worker that cannot use them does
 * not serve.
 */
#pragma once

#include "base/why.h"
#include "shm/conf.h"

/* 0, or -errno with why: the file and what is wrong with it. */
int default_certificates_check(const struct conf *conf, struct why *why);
