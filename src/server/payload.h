/*-------------------------------------------------------------------------
 *
 * payload.h
 *		Typed members of a request's payload.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <jansson.h>

#include "store.h"

/*
 * Each returns false if the member is there with another type.  A member that
 * is missing or null leaves *value as it was, so the caller sets the default
 * first.
 */
extern bool payload_text(const json_t *payload, const char *name, store_text *value);
extern bool payload_integer(const json_t *payload, const char *name, int64_t *value);
extern bool payload_boolean(const json_t *payload, const char *name, bool *value);

/* Whether the member is there with a value other than null. */
extern bool payload_has(const json_t *payload, const char *name);

#endif							/* PAYLOAD_H */
