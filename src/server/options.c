/*-------------------------------------------------------------------------
 *
 * options.c
 *		Parses the command line and the environment.
 *
 * Whether the values work out is left to those who use them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../protocol.h"

#define VERSION_TEXT "ltdbd (ltdb_fdw) 1.0"
#define KEY_VARIABLE "LTDB_SECRET_KEY"
#define MAX_MESSAGE_DEFAULT_BYTES (64 * 1024 * 1024)
#define MAX_MESSAGE_LOWEST_BYTES 1024

/* SQLite stores nothing longer than a thousand million bytes. */
#define MAX_MESSAGE_HIGHEST_BYTES 1000000000
#define MAX_CONNECTIONS_DEFAULT 4000
#define MAX_CONNECTIONS_HIGHEST 60000
#define LOGIN_DEFAULT_SEC 10
#define STALL_DEFAULT_SEC 60

/* Long options without a short form. */
enum
{
	OPTION_VERSION = 256,
	OPTION_HELP,
	OPTION_CHECK,
	OPTION_MAX_MESSAGE_SIZE,
	OPTION_MAX_CONNECTIONS,
	OPTION_LOGIN_TIMEOUT,
	OPTION_STALL_TIMEOUT,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_TLS_CLIENT_CA
};

static const struct option long_options[] = {
	{"secret-key", required_argument, NULL, 's'},
	{"data", required_argument, NULL, 'd'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"port", required_argument, NULL, 'p'},
	{"listen", required_argument, NULL, 'l'},
	{"flush-interval", required_argument, NULL, 'f'},
	{"max-message-size", required_argument, NULL, OPTION_MAX_MESSAGE_SIZE},
	{"max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS},
	{"login-timeout", required_argument, NULL, OPTION_LOGIN_TIMEOUT},
	{"stall-timeout", required_argument, NULL, OPTION_STALL_TIMEOUT},
	{"tls-cert", required_argument, NULL, OPTION_TLS_CERT},
	{"tls-key", required_argument, NULL, OPTION_TLS_KEY},
	{"tls-client-ca", required_argument, NULL, OPTION_TLS_CLIENT_CA},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0}
};

static const char help_text[] =
	"ltdbd is a small, durable server that speaks the LTDB protocol.\n"
	"\n"
	"Usage: ltdbd [OPTION]...\n"
	"\n"
	"  -s, --secret-key KEY          what clients authenticate with; better given in\n"
	"                                the environment variable " KEY_VARIABLE "\n"
	"  -d, --data DIR                keep the data here, created if missing\n"
	"                                (default: in memory, gone with the process)\n"
	"      --check                   search a database of any size for damage at the start,\n"
	"                                not only one of up to 256 MiB\n"
	"  -p, --port PORT               port to listen on, 0 for any (default: 8080)\n"
	"  -l, --listen ADDRESS          address to listen on (default: 127.0.0.1)\n"
	"      --max-message-size BYTES  longest message accepted (default: 67108864)\n"
	"      --max-connections N       authenticated clients at a time (default: 4000)\n"
	"      --login-timeout SECONDS   for the handshake, and again for the key (default: 10)\n"
	"      --stall-timeout SECONDS   for a client that takes nothing of its answers, or\n"
	"                                leaves a message unfinished (default: 60)\n"
	"      --tls-cert FILE           speak TLS, with this certificate (PEM, with the\n"
	"                                intermediate ones)\n"
	"      --tls-key FILE            ... and this private key\n"
	"      --tls-client-ca FILE      let in only clients with a certificate of this CA\n"
	"  -f, --flush-interval SECONDS  accepted for LTDB's sake and ignored: with --data\n"
	"                                every write is on disk before it is answered\n"
	"      --version                 print the version and exit\n"
	"      --help                    print this and exit\n"
	"\n"
	"Once it accepts connections it prints \"listening on ADDRESS:PORT\". SIGTERM and\n"
	"SIGINT stop it in order; SIGHUP is ignored, so that it outlives its terminal.\n"
	"Exit status: 0 stopped in order, 1 failure, 2 wrong usage.\n";

static options_result
wrong(const char *what)
{
	fprintf(stderr, "ltdbd: %s\nTry \"ltdbd --help\".\n", what);
	return OPTIONS_WRONG;
}

static bool
parse_number(const char *text, long lowest, long highest, long *value)
{
	char	   *rest;

	errno = 0;
	*value = strtol(text, &rest, 10);
	return errno == 0 && rest != text && *rest == '\0' &&
		*value >= lowest && *value <= highest;
}

/* Keeps a copy of the key, and hides it from those who list processes. */
static bool
take_key(options *opts, char *argument)
{
	free(opts->key);
	opts->key = strdup(argument);
	memset(argument, '*', strlen(argument));
	return opts->key != NULL;
}

static options_result
parse_option(options *opts, int option)
{
	long		number;

	switch (option)
	{
		case 's':
			return take_key(opts, optarg) ? OPTIONS_RUN : wrong("out of memory");
		case 'd':
			opts->data_dir = optarg;
			return optarg[0] != '\0' ? OPTIONS_RUN : wrong("--data wants a directory");
		case 'l':
			opts->listen_address = optarg;
			return optarg[0] != '\0' ? OPTIONS_RUN : wrong("--listen wants an address");
		case 'p':
			if (!parse_number(optarg, 0, 65535, &number))
				return wrong("--port wants a number from 0 to 65535");
			opts->port = number;
			return OPTIONS_RUN;
		case 'f':
			return parse_number(optarg, 0, 86400, &number) ? OPTIONS_RUN :
				wrong("--flush-interval wants a number of seconds");
		case OPTION_CHECK:
			opts->check = true;
			return OPTIONS_RUN;
		case OPTION_MAX_MESSAGE_SIZE:
			if (!parse_number(optarg, MAX_MESSAGE_LOWEST_BYTES, MAX_MESSAGE_HIGHEST_BYTES, &number))
				return wrong("--max-message-size wants a number from 1024 to 1000000000");
			opts->max_message_bytes = number;
			return OPTIONS_RUN;
		case OPTION_MAX_CONNECTIONS:
			if (!parse_number(optarg, 1, MAX_CONNECTIONS_HIGHEST, &number))
				return wrong("--max-connections wants a number from 1 to 60000");
			opts->max_connections = number;
			return OPTIONS_RUN;
		case OPTION_LOGIN_TIMEOUT:
			if (!parse_number(optarg, 1, 3600, &number))
				return wrong("--login-timeout wants a number of seconds from 1 to 3600");
			opts->login_timeout_sec = number;
			return OPTIONS_RUN;
		case OPTION_STALL_TIMEOUT:
			if (!parse_number(optarg, 1, 86400, &number))
				return wrong("--stall-timeout wants a number of seconds from 1 to 86400");
			opts->stall_timeout_sec = number;
			return OPTIONS_RUN;
		case OPTION_TLS_CERT:
			opts->tls_cert = optarg;
			return OPTIONS_RUN;
		case OPTION_TLS_KEY:
			opts->tls_key = optarg;
			return OPTIONS_RUN;
		case OPTION_TLS_CLIENT_CA:
			opts->tls_client_ca = optarg;
			return OPTIONS_RUN;
		case OPTION_VERSION:
			puts(VERSION_TEXT);
			return OPTIONS_DONE;
		case OPTION_HELP:
			fputs(help_text, stdout);
			return OPTIONS_DONE;
		default:
			return wrong("wrong option");	/* getopt_long has named it */
	}
}

options_result
options_parse(options *opts, int argc, char **argv)
{
	const char *key = getenv(KEY_VARIABLE);
	int			option;

	*opts = (options) {
		.listen_address = "127.0.0.1",
			.port = LTDB_DEFAULT_PORT,
			.max_message_bytes = MAX_MESSAGE_DEFAULT_BYTES,
			.max_connections = MAX_CONNECTIONS_DEFAULT,
			.login_timeout_sec = LOGIN_DEFAULT_SEC,
			.stall_timeout_sec = STALL_DEFAULT_SEC
	};
	while ((option = getopt_long(argc, argv, "s:d:p:l:f:", long_options, NULL)) != -1)
	{
		options_result result = parse_option(opts, option);

		if (result != OPTIONS_RUN)
			return result;
	}
	if (optind < argc)
		return wrong("there are arguments that are not options");
	if ((opts->tls_cert == NULL) != (opts->tls_key == NULL))
		return wrong("--tls-cert and --tls-key go together");
	if (opts->tls_client_ca != NULL && opts->tls_cert == NULL)
		return wrong("--tls-client-ca wants --tls-cert");
	if (opts->key == NULL && key != NULL && (opts->key = strdup(key)) == NULL)
		return wrong("out of memory");
	if (opts->key == NULL || opts->key[0] == '\0')
		return wrong("no secret key: set " KEY_VARIABLE " or give --secret-key");
	return OPTIONS_RUN;
}

void
options_free(options *opts)
{
	free(opts->key);
}
