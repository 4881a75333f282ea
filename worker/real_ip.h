/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose X-Forwarded-* is believed, and who the client really is: conf trusted_ips,
 * real_ip_header, real_ip_recursive.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "plugin/exchange.h"
#include "shm/conf.h"

struct real_ip;

/* -EINVAL with why when trusted_ips does not parse. */
int real_ip_new(struct real_ip **ret, const struct conf *conf, struct why *why);
void real_ip_free(struct real_ip *r);
SL_DEFINE_AUTO(real_ip);

/* Sets x->request.client_is_trusted and real_client from client and headers. */
void real_ip_apply(const struct real_ip *r, struct exchange *x);
