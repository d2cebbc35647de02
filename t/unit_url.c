/*-------------------------------------------------------------------------
 *
 * unit_url.c
 *		Tests of which urls are taken, and of their parts.
 *
 * Whether a server is there is left to unit_conn_connect.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "client/ltdb_int.h"
#include "tap.h"

typedef struct good_url
{
	const char *url;
	bool		tls;
	const char *host;
	int			port;
	const char *path;
	const char *peer;
} good_url;

static const good_url good_urls[] = {
	{"ws://localhost", false, "localhost", 8080, "/", "localhost:8080"},
	{"ws://localhost/", false, "localhost", 8080, "/", "localhost:8080"},
	{"WS://127.0.0.1:1", false, "127.0.0.1", 1, "/", "127.0.0.1:1"},
	{"wss://db.example.com", true, "db.example.com", 443, "/", "db.example.com:443"},
	{"wss://db-1.example.com:65535/a/b?c=d&e=@", true, "db-1.example.com", 65535, "/a/b?c=d&e=@", "db-1.example.com:65535"},
	{"ws://host?x=1", false, "host", 8080, "/?x=1", "host:8080"},
	{"ws://[::1]:9000/x", false, "::1", 9000, "/x", "[::1]:9000"},
	{"ws://[fe80::1]", false, "fe80::1", 8080, "/", "[fe80::1]:8080"},
	{"ws://under_score", false, "under_score", 8080, "/", "under_score:8080"},
};

typedef struct bad_url
{
	const char *url;
	const char *words;
} bad_url;

static const bad_url bad_urls[] = {
	{"", "begin with ws://"},
	{"http://localhost", "begin with ws://"},
	{"ws:/localhost", "begin with ws://"},
	{"localhost:8080", "begin with ws://"},
	{"ws://", "no host"},
	{"ws:///path", "no host"},
	{"ws://:8080", "no host"},
	{"ws://[]", "no host"},
	{"ws://host:", "port"},
	{"ws://host:0", "port"},
	{"ws://host:65536", "port"},
	{"ws://host:99999999999999999999", "port"},
	{"ws://host:80x", "port"},
	{"ws://host:-1", "port"},
	{"ws://[::1]8080", "port"},
	{"ws://[::1", "bracket"},
	{"ws://ho%st", "not a name"},
	{"ws://[host]", "not a name"},
	{"ws://::1", "no host"},
	{"ws://user@host", "user name or password"},
	{"ws://user:secret@host:1/x", "user name or password"},
	{"ws://host/a b", "spaces"},
	{"ws://host/\r\nX: y", "control characters"},
	{"ws://host/\x7f", "control characters"},
	{"ws://h\xc3\xb6st", "non-ASCII"},
	{"ws://host/#x", "fragment"},
};

int
main(void)
{
	char		reason[200];
	size_t		i;

	for (i = 0; i < sizeof(good_urls) / sizeof(good_urls[0]); i++)
	{
		const good_url *g = &good_urls[i];
		ltdbp_url	url;

		if (tap_ok(ltdbp_url_parse(&url, g->url, reason, sizeof(reason)), "taken: %s", g->url))
			tap_ok(url.tls == g->tls && url.port == g->port && strcmp(url.host, g->host) == 0 &&
				   strcmp(url.path, g->path) == 0 && strcmp(url.peer, g->peer) == 0,
				   "... with its parts %s %d %s %s", url.host, url.port, url.path, url.peer);
		ltdbp_url_free(&url);
	}

	for (i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++)
	{
		const bad_url *b = &bad_urls[i];

		reason[0] = '\0';
		tap_ok(!ltdb_url_check(b->url, reason, sizeof(reason)) && strstr(reason, b->words) != NULL &&
			   strstr(reason, "secret") == NULL, "refused: %s", reason);
	}
	tap_ok(ltdb_url_is_tls("WSS://host") && !ltdb_url_is_tls("ws://host") && !ltdb_url_is_tls("nonsense"),
		   "which urls mean TLS");
	tap_ok(!ltdb_url_check("nonsense", NULL, 0), "the reason need not be asked for");
	return tap_done();
}
