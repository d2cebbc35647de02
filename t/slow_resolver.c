/*-------------------------------------------------------------------------
 *
 * slow_resolver.c
 *		To be preloaded: a resolver that never answers for some names.
 *
 * All others are resolved by the one of the system.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* RTLD_NEXT */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolver) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	resolver	next = (resolver) dlsym(RTLD_NEXT, "getaddrinfo");

	while (host != NULL && strcmp(host, "hanging.test") == 0)
		sleep(1000);
	return next != NULL ? next(host, service, hints, list) : EAI_SYSTEM;
}
