/*-------------------------------------------------------------------------
 *
 * sigpipe.c
 *		A signal that OpenSSL may raise, kept from the process.
 *
 * Where a socket is written to with MSG_NOSIGNAL, OpenSSL just writes, and SIGPIPE
 * ends a process that does not ignore it: PostgreSQL's backends do, but its
 * background workers do not.  So for as long as TLS may write, the signal is
 * held back in this thread, and what has come of it is taken away.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <pthread.h>

#include "ltdb_int.h"

/* To be released by the same thread; if not wanted, or not needed, does nothing. */
void
ltdbp_sigpipe_hold(ltdbp_sigpipe *hold, bool wanted)
{
	struct sigaction action;
	sigset_t	sigpipe;
	sigset_t	pending;

	hold->held = wanted && sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
	if (!hold->held)
		return;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigpending(&pending);
	hold->was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &sigpipe, &hold->before);
}

void
ltdbp_sigpipe_release(const ltdbp_sigpipe *hold)
{
	sigset_t	sigpipe;
	sigset_t	pending;
	int			taken;

	if (!hold->held)
		return;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigpending(&pending);
	if (!hold->was_pending && sigismember(&pending, SIGPIPE) == 1)
		sigwait(&sigpipe, &taken);
	pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}
