/*-------------------------------------------------------------------------
 *
 * unit_conn_resolve.c
 *		Tests of the way from a host name to a server: addresses that do not
 *		come, that are many, and that lead nowhere.
 *
 * The resolver is one of this file's, which does what a test tells it to.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include "client.h"

/* ---- the resolver ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hanging;
static int	calls;
static int	returned;
static int	failure;			/* of getaddrinfo(), 0 = none */
static bool signals_blocked;
static const char *addresses[4];

/* One result after the other, from those for each address. */
static int
resolve(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo numeric = *hints;
	sigset_t	blocked;
	int			result = failure;
	int			i;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	pthread_mutex_lock(&lock);
	calls++;
	signals_blocked = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGALRM) &&
		sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGTERM);
	while (hanging)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);

	numeric.ai_flags = AI_NUMERICHOST;
	for (i = 0; result == 0 && i < 4 && addresses[i] != NULL; i++)
	{
		result = getaddrinfo(addresses[i], service, &numeric, list);
		if (result == 0)
			list = &(*list)->ai_next;
	}

	pthread_mutex_lock(&lock);
	returned++;
	pthread_mutex_unlock(&lock);
	return result;
}

static void
hang(bool hangs)
{
	pthread_mutex_lock(&lock);
	hanging = hangs;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Waits until the resolver has been called so often, or come back so often. */
static bool
await(const int *count, int expected)
{
	int			i;
	bool		reached = false;

	for (i = 0; i < 1000 && !reached; i++)
	{
		pthread_mutex_lock(&lock);
		reached = *count == expected;
		pthread_mutex_unlock(&lock);
		usleep(1000);
	}
	return reached;
}

static void
begin_at(const char *host, const char *first, const char *second)
{
	begin(handle_well);
	snprintf(url, sizeof(url), "ws://%s:%d", host, server.port);
	addresses[0] = first;
	addresses[1] = second;
	addresses[2] = NULL;
	calls = returned = failure = 0;
}

static int
open_fds(void)
{
	DIR		   *dir = opendir("/proc/self/fd");
	int			count = 0;

	while (dir != NULL && readdir(dir) != NULL)
		count++;
	if (dir != NULL)
		closedir(dir);
	return count;
}

static bool
await_fds(int expected)
{
	int			i;

	for (i = 0; i < 1000 && open_fds() != expected; i++)
		usleep(1000);
	return open_fds() == expected;
}

/* ---- addresses ---- */

static void
test_addresses(void)
{
	begin_at("somewhere.example", "127.0.0.1", NULL);
	start();
	tap_is_int(settle(), LTDB_READY, "a name is resolved");
	tap_ok(strstr(server.host, "somewhere.example:") == server.host, "... and said to the server: %s", server.host);
	tap_ok(signals_blocked, "... with signals left to the others");
	finish();

	begin_at("somewhere.example", "::1", "127.0.0.1");
	start();
	tap_is_int(settle(), LTDB_READY, "an address that refuses gives way to the next");
	tap_is_int(calls, 1, "... of the same answer");
	finish();

	begin_at("somewhere.example", "::1", "127.0.0.3");
	start();
	tap_ok(settle() == LTDB_FAILED && strstr(ltdb_conn_message(conn), "connection refused") != NULL,
		   "all refuse: %s", ltdb_conn_message(conn));
	finish();

	begin_at("somewhere.example", "127.0.0.1", "127.0.0.3");
	server.handshake = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
	server.drop_after = strlen(server.handshake);
	start();
	tap_ok(settle() == LTDB_FAILED && strstr(ltdb_conn_message(conn), "401") != NULL,
		   "where somebody answers is where to go: %s", ltdb_conn_message(conn));
	finish();

	begin_at("127.0.0.1", NULL, NULL);
	start();
	tap_is_int(settle(), LTDB_READY, "an address");
	tap_is_int(calls, 0, "... is not resolved");
	finish();
}

/* An address whose connections are never accepted, nor refused. */
static void
test_silent_address(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int			fillers[4];
	int64_t		began_ms;
	int			i;

	begin_at("somewhere.example", "127.0.0.2", "127.0.0.1");
	address.sin_port = htons((uint16_t) server.port);
	inet_pton(AF_INET, "127.0.0.2", &address.sin_addr);
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(listener, 0) != 0)
		perror("silent listener");
	for (i = 0; i < 4; i++)
	{
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fillers[i], (struct sockaddr *) &address, sizeof(address)) != 0 && errno != EINPROGRESS)
			perror("filler");
	}

	options.connect_timeout_ms = 1000;
	start();
	began_ms = now_ms();
	tap_is_int(settle(), LTDB_READY, "an address that is silent gives way to the next");
	tap_ok(now_ms() - began_ms >= 500 && now_ms() - began_ms < 1000, "... which has its share of the time");
	finish();

	begin_at("127.0.0.2", NULL, NULL);
	snprintf(url, sizeof(url), "ws://127.0.0.2:%d", ntohs(address.sin_port));
	options.connect_timeout_ms = 200;
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT_TIMEOUT,
		   "nothing but silence: %s", ltdb_conn_message(conn));
	finish();
	for (i = 0; i < 4; i++)
		close(fillers[i]);
	close(listener);
}

/* ---- a resolver that does not answer, or says no ---- */

static void
test_no_answer(void)
{
	int			before = open_fds();
	int64_t		began_ms;

	begin_at("hanging.example", "127.0.0.1", NULL);
	hang(true);
	options.connect_timeout_ms = 200;
	start();
	began_ms = now_ms();
	waits = 0;
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT_TIMEOUT,
		   "a resolver that hangs: %s", ltdb_conn_message(conn));
	tap_ok(now_ms() - began_ms >= 200 && now_ms() - began_ms < 1000, "... is waited for as long as allowed");
	tap_ok(waits < 10, "... and not in a loop: %d waits", waits);
	tap_is_int(ltdb_socket(conn), -1, "... and then no more");
	hang(false);
	tap_ok(await(&returned, 1), "it comes back");
	finish();
	tap_ok(await_fds(before), "... and leaves nothing behind");

	begin_at("hanging.example", "127.0.0.1", NULL);
	hang(true);
	start();
	tap_is_int(ltdb_poll(conn), LTDB_CONNECTING, "connecting");
	tap_ok(ltdb_socket(conn) >= 0 && ltdb_wants(conn) == LTDB_WANT_READ, "there is something to wait on");
	await(&calls, 1);
	began_ms = now_ms();
	finish();
	tap_ok(now_ms() - began_ms < 100, "closing does not wait for the resolver");
	hang(false);
	tap_ok(await(&returned, 1) && await_fds(before), "... which cleans up after itself");

	begin_at("nowhere.example", NULL, NULL);
	failure = EAI_NONAME;
	start();
	tap_ok(settle() == LTDB_FAILED && ltdb_conn_error(conn) == LTDB_ERROR_CONNECT &&
		   strstr(ltdb_conn_message(conn), "could not be resolved: ") != NULL,
		   "no such name: %s", ltdb_conn_message(conn));
	finish();
	tap_ok(await_fds(before), "... leaves nothing behind");
}

static void
test_together(void)
{
	ltdb_conn  *others[10];
	int			before = open_fds();
	int			i;

	begin_at("hanging.example", "127.0.0.1", NULL);
	hang(true);
	start();
	ltdb_poll(conn);
	for (i = 0; i < 10; i++)
	{
		others[i] = ltdb_connect_start(&options);
		ltdb_poll(others[i]);
	}
	await(&calls, 1);
	for (i = 0; i < 10; i++)
		ltdb_conn_free(others[i]);
	hang(false);
	tap_is_int(settle(), LTDB_READY, "one of many that resolve the same name");
	tap_is_int(calls, 1, "... which is looked up once");
	finish();
	tap_ok(await_fds(before), "... and nothing is left behind");
}

int
main(void)
{
	ltdbp_getaddrinfo = resolve;
	test_addresses();
	test_silent_address();
	test_no_answer();
	test_together();
	return client_done();
}
