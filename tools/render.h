/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's JSON documents as text for people.  Missing fields print as nothing: an older or
 * newer node may answer.
 */
#pragma once

#include <stdio.h>

#include <jansson.h>

void render_status(const json_t *doc, FILE *out);
void render_workers(const json_t *doc, FILE *out);
void render_plugins(const json_t *doc, FILE *out);
void render_generations(const json_t *doc, FILE *out);
/* The text at a path of keys, "a.b"; "" where there is none.  Borrowed from the document. */
const char *render_text(const json_t *o, const char *path);
