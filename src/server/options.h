/*-------------------------------------------------------------------------
 *
 * options.h
 *		The command line.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct options
{
	char	   *key;			/* malloc'd */
	const char *data_dir;		/* NULL = in memory */
	bool		check;			/* the whole database, whatever its size */
	const char *listen_address;
	int			port;
	const char *tls_cert;		/* NULL = no TLS */
	const char *tls_key;
	const char *tls_client_ca;	/* NULL = clients need no certificate */
	size_t		max_message_bytes;
	unsigned	max_connections;
	int			login_timeout_sec;
	int			stall_timeout_sec;
} options;

typedef enum options_result
{
	OPTIONS_RUN,
	OPTIONS_DONE,				/* --help or --version: said what there is to say */
	OPTIONS_WRONG				/* the usage error is on stderr */
} options_result;

/* Wipes the key out of argv. */
extern options_result options_parse(options *opts, int argc, char **argv);
extern void options_free(options *opts);

#endif							/* OPTIONS_H */
