/*-------------------------------------------------------------------------
 *
 * resolve.c
 *		Addresses of a host name, without waiting for them.
 *
 * getaddrinfo() is the one way to ask that honours everything the system's
 * administrator has set up, and it waits for as long as it likes.  So a thread
 * of its own does, and a descriptor becomes readable when it has an answer.
 * Whoever has lost interest just lets go: the thread then keeps what it needs,
 * and frees it when it comes back.  It blocks all signals, so that those of the
 * process go to where they are expected.
 *
 * A name that is being looked up is not looked up again meanwhile, so that a
 * resolver that hangs does not collect threads.  Which address to use is left
 * to socket.c.
 *
 * As such a thread may sleep in this file's code, it must not be unloaded:
 * PostgreSQL's backends never unload a library.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ltdb_int.h"

#define MAX_ADDRESSES 16
#define ADDRESS_BYTES (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

/* A lookup that has hung for longer is not joined any more. */
#define JOIN_MS 10000

struct ltdbp_lookup
{
	ltdbp_lookup *next;			/* among those under way */
	int			holders;		/* who have yet to let go; the thread is one */
	int			pipe[2];		/* the first is readable from when it is done */
	int64_t		began_ms;
	bool		done;

	/* written by the thread before it is done, constant from then on */
	int			error;			/* of getaddrinfo(), 0 = none */
	int			system_error;	/* errno, if that is EAI_SYSTEM */
	int			count;
	char		addresses[MAX_ADDRESSES][ADDRESS_BYTES];

	char		host[];
};

/* Tests put others in its place. */
int			(*ltdbp_getaddrinfo) (const char *host, const char *service,
								  const struct addrinfo *hints, struct addrinfo **list) = getaddrinfo;

/* Guards the list, and holders and done of each lookup. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ltdbp_lookup *under_way;

/* ---- the thread ---- */

static void
resolve(ltdbp_lookup *lookup)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	struct addrinfo *entry;

	lookup->error = ltdbp_getaddrinfo(lookup->host, NULL, &hints, &list);
	lookup->system_error = errno;
	if (lookup->error != 0)
		return;
	for (entry = list; entry != NULL && lookup->count < MAX_ADDRESSES; entry = entry->ai_next)
		if (getnameinfo(entry->ai_addr, entry->ai_addrlen, lookup->addresses[lookup->count],
						ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST) == 0)
			lookup->count++;
	freeaddrinfo(list);
}

/* The lock is held. */
static void
forget(ltdbp_lookup *lookup)
{
	ltdbp_lookup **link = &under_way;

	while (*link != NULL && *link != lookup)
		link = &(*link)->next;
	if (*link != NULL)
		*link = lookup->next;
}

static void
let_go(ltdbp_lookup *lookup)
{
	bool		last;

	pthread_mutex_lock(&lock);
	last = --lookup->holders == 0;
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	close(lookup->pipe[0]);
	close(lookup->pipe[1]);
	free(lookup);
}

static void *
run(void *arg)
{
	ltdbp_lookup *lookup = arg;

	resolve(lookup);
	pthread_mutex_lock(&lock);
	forget(lookup);
	lookup->done = true;
	pthread_mutex_unlock(&lock);

	/* there is room for it: nothing else is ever written */
	while (write(lookup->pipe[1], "", 1) < 0 && errno == EINTR)
		;
	let_go(lookup);
	return NULL;
}

/* The thread inherits that all signals are blocked. */
static bool
start_thread(ltdbp_lookup *lookup)
{
	pthread_attr_t attributes;
	pthread_t	thread;
	sigset_t	all;
	sigset_t	before;
	int			result;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread, &attributes, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return result == 0;
}

/* ---- for socket.c ---- */

/* Joins a lookup of the same name, if there is one. */
static ltdbp_lookup *
join(const char *host)
{
	ltdbp_lookup *lookup;

	pthread_mutex_lock(&lock);
	for (lookup = under_way; lookup != NULL; lookup = lookup->next)
		if (strcmp(lookup->host, host) == 0 && ltdbp_now_ms() - lookup->began_ms < JOIN_MS)
			break;
	if (lookup != NULL)
		lookup->holders++;
	pthread_mutex_unlock(&lock);
	return lookup;
}

/* Begins to look up a name; NULL if the system is short of something. */
ltdbp_lookup *
ltdbp_lookup_start(const char *host)
{
	size_t		host_size = strlen(host) + 1;
	ltdbp_lookup *lookup = join(host);

	if (lookup != NULL)
		return lookup;

	lookup = ltdbp_alloc_zeroed(sizeof(*lookup) + host_size);
	if (lookup == NULL)
		return NULL;
	memcpy(lookup->host, host, host_size);
	lookup->holders = 2;
	lookup->began_ms = ltdbp_now_ms();
	if (pipe(lookup->pipe) != 0)
	{
		free(lookup);
		return NULL;
	}
	fcntl(lookup->pipe[0], F_SETFD, FD_CLOEXEC);
	fcntl(lookup->pipe[1], F_SETFD, FD_CLOEXEC);

	pthread_mutex_lock(&lock);
	lookup->next = under_way;
	under_way = lookup;
	pthread_mutex_unlock(&lock);
	if (start_thread(lookup))
		return lookup;

	pthread_mutex_lock(&lock);
	forget(lookup);
	pthread_mutex_unlock(&lock);
	let_go(lookup);
	let_go(lookup);
	return NULL;
}

/* Readable when the lookup is done. */
int
ltdbp_lookup_fd(const ltdbp_lookup *lookup)
{
	return lookup->pipe[0];
}

bool
ltdbp_lookup_done(ltdbp_lookup *lookup)
{
	bool		done;

	pthread_mutex_lock(&lock);
	done = lookup->done;
	pthread_mutex_unlock(&lock);
	return done;
}

/* How many addresses there are, once it is done. */
int
ltdbp_lookup_count(const ltdbp_lookup *lookup)
{
	return lookup->count;
}

/* One of them, in the order to try them, in digits. */
const char *
ltdbp_lookup_address(const ltdbp_lookup *lookup, int i)
{
	return lookup->addresses[i];
}

/* Why there is none. */
const char *
ltdbp_lookup_error(const ltdbp_lookup *lookup)
{
	if (lookup->error == EAI_SYSTEM)
		return strerror(lookup->system_error);
	return lookup->error != 0 ? gai_strerror(lookup->error) : "no address";
}

/* Whether done or not; accepts NULL. */
void
ltdbp_lookup_free(ltdbp_lookup *lookup)
{
	if (lookup != NULL)
		let_go(lookup);
}
