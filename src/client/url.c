/*-------------------------------------------------------------------------
 *
 * url.c
 *		Which urls can be used, and their parts.
 *
 * No I/O: whether the host exists is found out by connecting.  The reasons
 * given here never repeat the url, which may hold a password by mistake.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ltdb_int.h"

#define DEFAULT_TLS_PORT 443
#define MAX_URL_BYTES 2048

/* The pieces of a url, pointing into it. */
typedef struct url_parts
{
	bool		tls;
	ltdb_text	host;
	bool		bracketed;		/* [::1] */
	int			port;
	ltdb_text	path;			/* empty = none */
} url_parts;

/* Everything after the scheme, or NULL. */
static const char *
skip_scheme(const char *url, bool *tls)
{
	*tls = strncasecmp(url, "wss://", 6) == 0;
	if (*tls)
		return url + 6;
	if (strncasecmp(url, "ws://", 5) == 0)
		return url + 5;
	return NULL;
}

static bool
is_printable(const char *url)
{
	for (; *url; url++)
	{
		if (*url <= ' ' || *url > '~')
			return false;
	}
	return true;
}

static bool
is_host(ltdb_text host, bool bracketed)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t		i;

	for (i = 0; i < host.len_bytes; i++)
	{
		char		c = host.bytes[i];

		if (bracketed && strchr("abcdefABCDEF0123456789:.", c) == NULL)
			return false;
		if (!bracketed && strchr(letters, c) == NULL && strchr("0123456789.-_", c) == NULL)
			return false;
	}
	return host.len_bytes > 0;
}

/* 1..65535, or 0. */
static int
parse_port(const char *p, const char *end)
{
	int			port = 0;

	if (p == end)
		return 0;
	for (; p < end; p++)
	{
		if (*p < '0' || *p > '9')
			return 0;
		port = port * 10 + (*p - '0');
		if (port > 65535)
			return 0;
	}
	return port;
}

/* host[:port], between the scheme and the path; returns what is wrong. */
static const char *
parse_authority(const char *p, const char *end, url_parts *parts)
{
	const char *colon;

	if (memchr(p, '@', (size_t) (end - p)) != NULL)
		return "must not contain a user name or password";

	parts->bracketed = p < end && *p == '[';
	if (parts->bracketed)
	{
		const char *bracket = memchr(p, ']', (size_t) (end - p));

		if (bracket == NULL)
			return "has an opening bracket without a closing one";
		parts->host = (ltdb_text) {p + 1, (size_t) (bracket - p - 1)};
		colon = bracket + 1;
	}
	else
	{
		colon = memchr(p, ':', (size_t) (end - p));
		if (colon == NULL)
			colon = end;
		parts->host = (ltdb_text) {p, (size_t) (colon - p)};
	}

	if (!is_host(parts->host, parts->bracketed))
		return parts->host.len_bytes == 0 ? "has no host" : "has a host that is not a name or address";
	if (colon == end)
		parts->port = parts->tls ? DEFAULT_TLS_PORT : LTDB_DEFAULT_PORT;
	else if (*colon != ':' || (parts->port = parse_port(colon + 1, end)) == 0)
		return "has a port that is not a number from 1 to 65535";
	return NULL;
}

/* Returns what is wrong with the url, or NULL. */
static const char *
parse(const char *url, url_parts *parts)
{
	const char *rest = skip_scheme(url, &parts->tls);
	size_t		len;

	if (rest == NULL)
		return "must begin with ws:// or wss://";
	if (strlen(url) > MAX_URL_BYTES)
		return "is too long";
	if (!is_printable(url))
		return "must not contain spaces, control characters or non-ASCII characters";
	if (strchr(url, '#') != NULL)
		return "must not contain a fragment";

	len = strcspn(rest, "/?");
	parts->path = (ltdb_text) {rest + len, strlen(rest + len)};
	return parse_authority(rest, rest + len, parts);
}

bool
ltdb_url_check(const char *url, char *reason, size_t reason_size)
{
	url_parts	parts;
	const char *flaw = parse(url, &parts);

	if (flaw != NULL && reason != NULL && reason_size > 0)
		snprintf(reason, reason_size, "url %s", flaw);
	return flaw == NULL;
}

bool
ltdb_url_is_tls(const char *url)
{
	bool		tls;

	return skip_scheme(url, &tls) != NULL && tls;
}

/* Fills url; false with a reason, which is empty if memory ran out. */
bool
ltdbp_url_parse(ltdbp_url *url, const char *string, char *reason, size_t reason_size)
{
	url_parts	parts;
	size_t		peer_size;
	bool		has_slash;

	memset(url, 0, sizeof(*url));
	reason[0] = '\0';
	if (!ltdb_url_check(string, reason, reason_size))
		return false;

	parse(string, &parts);
	url->tls = parts.tls;
	url->port = parts.port;
	has_slash = parts.path.len_bytes > 0 && parts.path.bytes[0] == '/';

	peer_size = parts.host.len_bytes + sizeof("[]:65535");
	url->host = ltdbp_alloc_zeroed(parts.host.len_bytes + 1);
	url->path = ltdbp_alloc_zeroed(parts.path.len_bytes + 2);
	url->peer = ltdbp_alloc_zeroed(peer_size);
	if (url->host == NULL || url->path == NULL || url->peer == NULL)
	{
		ltdbp_url_free(url);
		return false;
	}
	memcpy(url->host, parts.host.bytes, parts.host.len_bytes);
	url->path[0] = '/';
	memcpy(url->path + (has_slash ? 0 : 1), parts.path.bytes, parts.path.len_bytes);
	snprintf(url->peer, peer_size, parts.bracketed ? "[%s]:%d" : "%s:%d", url->host, url->port);
	return true;
}

void
ltdbp_url_free(ltdbp_url *url)
{
	free(url->host);
	free(url->path);
	free(url->peer);
	memset(url, 0, sizeof(*url));
}
