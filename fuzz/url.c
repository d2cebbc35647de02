/*-------------------------------------------------------------------------
 *
 * url.c
 *		Fuzz target: the parser of urls.
 *
 * A url that is good for CREATE SERVER must be good for connecting, and the
 * parts must make it up again.  Connecting is left to the C tests.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "client/ltdb_int.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static bool
is_plain(const char *string)
{
	for (; *string; string++)
	{
		if (*string <= ' ' || *string > '~')
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *string = malloc(size + 1);
	char		reason[128] = "";
	ltdbp_url	url;
	bool		good;

	if (size > 0)
		memcpy(string, data, size);
	string[size] = '\0';
	good = ltdb_url_check(string, NULL, 0);
	require(ltdbp_url_parse(&url, string, reason, sizeof(reason)) == good);
	if (good)
	{
		require(ltdb_url_is_tls(string) == url.tls);
		require(url.port >= 1 && url.port <= 65535);
		require(url.host[0] != '\0' && is_plain(url.host) && strpbrk(url.host, "@/?#[] ") == NULL);
		require(url.path[0] == '/' && is_plain(url.path));
		require(strstr(url.peer, url.host) != NULL);
	}
	else
		require(strncmp(reason, "url ", 4) == 0);
	ltdbp_url_free(&url);
	free(string);
	return 0;
}
