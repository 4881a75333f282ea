/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate a node shows to TLS clients when it was given none: signed by itself, made once,
 * kept below prefix (shm/conf.h says where).
 */
#pragma once

#include "base/why.h"
#include "shm/conf.h"

/* Makes it where a listener is for TLS, ssl_cert is empty, and it is not there yet; the key is
 * for its owner alone.  -errno with why. */
int own_certificate_ensure(const struct conf *conf, struct why *why);
