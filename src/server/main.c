/*-------------------------------------------------------------------------
 *
 * main.c
 *		ltdbd: puts store and server together, and takes the signals.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "options.h"
#include "server.h"
#include "store.h"

#define EXIT_STOPPED 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

/* Where the signal handler finds it. */
static server *running;

static void
handle_stop_signal(int signal_number)
{
	server_stop(running);
}

static void
set_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_handler = handle_stop_signal;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);	/* a write beyond a limit just fails */
}

static int
serve(const options *opts, store *st)
{
	const server_options wanted = {
		.listen_address = opts->listen_address,
		.port = opts->port,
		.key = opts->key,
		.max_message_bytes = opts->max_message_bytes,
		.max_connections = opts->max_connections,
		.login_timeout_sec = opts->login_timeout_sec,
		.stall_timeout_sec = opts->stall_timeout_sec,
		.tls_cert = opts->tls_cert,
		.tls_key = opts->tls_key,
		.tls_client_ca = opts->tls_client_ca
	};
	char		reason[512];
	bool		stopped;

	running = server_new(&wanted, st, reason, sizeof(reason));
	if (running == NULL)
	{
		log_event("ltdbd", "%s", reason);
		return EXIT_FAILED;
	}
	set_signals();

	/* Whoever started us may have gone: then nobody wants this line. */
	printf(strchr(opts->listen_address, ':') ? "listening on [%s]:%d\n" : "listening on %s:%d\n",
		   opts->listen_address, server_port(running));
	fflush(stdout);
	log_event("ltdbd", "started, data in %s", opts->data_dir ? opts->data_dir : "memory");

	stopped = server_run(running);
	log_event("ltdbd", stopped ? "stopped" : "cannot go on");
	server_free(running);
	return stopped ? EXIT_STOPPED : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	options		opts;
	options_result parsed = options_parse(&opts, argc, argv);
	int			status = parsed == OPTIONS_DONE ? EXIT_STOPPED : EXIT_USAGE;

	if (parsed == OPTIONS_RUN)
	{
		char		reason[512];
		store	   *st = store_open(opts.data_dir, opts.check, reason, sizeof(reason));

		if (st != NULL)
			status = serve(&opts, st);
		else
		{
			log_event("ltdbd", "%s", reason);
			status = EXIT_FAILED;
		}
		store_close(st);
	}
	options_free(&opts);
	return status;
}
