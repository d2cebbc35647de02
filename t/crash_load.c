/*-------------------------------------------------------------------------
 *
 * crash_load.c
 *		Kills ltdbd under load, over and over, and looks at what is left.
 *
 *		crash_load LTDBD DIRECTORY ROUNDS [SEED]
 *
 * Several writers insert, replace and delete records, pairs, keys and
 * collections, many requests in flight each, while readers look on.  ltdbd
 * carries out the requests of a connection in order, so what a writer's
 * collection holds after a crash must be what it held after some request, and
 * not before the last one that was acknowledged, nor before one of which a
 * reader has seen anything.
 *
 * 261_ltdbd_crash.pl runs this; the output is TAP.  What a request does to a
 * collection is crash_model.h's.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/ltdb.h"
#include "crash_model.h"
#include "random.h"
#include "tap.h"

#define KEY "sesame"
#define WRITERS 4
#define READERS 2
#define IN_FLIGHT_MAX 64
#define LOAD_MAX_MS 60
#define PATIENCE_MS 20000

typedef struct writer
{
	ltdb_conn  *conn;
	state		certain;		/* after all that was acknowledged */
	unsigned	certain_version;
	unsigned	version;		/* of the last request */
	unsigned	seen_version;	/* by readers */
	op			pending[IN_FLIGHT_MAX];
	int			first;
	int			count;
} writer;

typedef struct look
{
	ltdb_conn  *conn;
	ltdb_reply *reply;
	int			of;				/* writer */
} look;

static writer writers[WRITERS];
static look looks[READERS];
static const char *program;
static const char *directory;
static pid_t server = -1;
static int	port;
static unsigned long acknowledged;
static unsigned long unknown;
static unsigned long unknown_done;
static bool out_of_order;

static int
number_of(const writer *w)
{
	return (int) (w - writers);
}

static ltdb_text
collection_of(const writer *w)
{
	static const char *const names[] = {"c0", "c1", "c2", "c3"};

	return text(names[number_of(w)]);
}

/* ---- the server ---- */

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Starts ltdbd; returns where its standard output comes from. */
static int
launch(void)
{
	int			out[2];

	if (pipe(out) != 0)
		return -1;
	server = fork();
	if (server == 0)
	{
		char		log_path[4096];
		int			log;

		snprintf(log_path, sizeof(log_path), "%s.log", directory);
		log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(out[1], STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		setenv("LTDB_SECRET_KEY", KEY, 1);
		execl(program, program, "--port", "0", "--data", directory, (char *) NULL);
		_exit(127);
	}
	close(out[1]);
	return out[0];
}

static int
end_server(int signal_number)
{
	int			status = -1;

	kill(server, signal_number);
	waitpid(server, &status, 0);
	server = -1;
	return status;
}

/* Kills some before they listen. */
static bool
start_server(void)
{
	char		line[128];
	int			out;
	FILE	   *lines;

	while ((out = launch()) >= 0 && random_below(10) == 0)
	{
		usleep(random_below(8000));
		end_server(SIGKILL);
		close(out);
	}
	lines = fdopen(out, "r");
	port = 0;
	if (fgets(line, sizeof(line), lines) == NULL ||
		sscanf(line, "listening on 127.0.0.1:%d", &port) != 1)
		printf("# ltdbd says nothing: see %s.log\n", directory);
	fclose(lines);
	return port != 0;
}

static ltdb_conn *
connect_to_server(void)
{
	char		url[64];
	ltdb_options options;

	snprintf(url, sizeof(url), "ws://127.0.0.1:%d", port);
	ltdb_options_init(&options);
	options.url = url;
	options.api_key = KEY;
	options.max_reconnects = 0;
	return ltdb_connect_start(&options);
}

/* ---- writing ---- */

static void
choose(writer *w, op *o)
{
	unsigned	dice = random_below(100);

	*o = (op) {.version = ++w->version,.count = 1};
	o->kind = dice < 50 ? OP_INSERT : dice < 62 ? OP_DELETE_RECORDS : dice < 70 ? OP_DELETE_RECORD :
		dice < 74 ? OP_DELETE_KEY : dice < 76 ? OP_DELETE_COLLECTION : dice < 92 ? OP_SET_VALUE : OP_DELETE_VALUE;
	if (o->kind == OP_INSERT || o->kind == OP_DELETE_RECORDS)
		o->count = 1 + random_below(BATCH_MAX);
	for (int i = 0; i < o->count; i++)
	{
		o->key[i] = random_below(KEYS);
		o->slot[i] = random_below(o->kind >= OP_SET_VALUE ? PAIRS : SLOTS);
	}
}

static void
send_op(writer *w, op *o)
{
	ltdb_text	collection = collection_of(w);
	char		memory[DATA_MAX_BYTES];
	ltdb_text	data = data_of(number_of(w), o->version, memory);
	ltdb_record records[BATCH_MAX];

	for (int i = 0; i < o->count; i++)
		records[i] = (ltdb_record) {key_name(o->key[i]), ts_of(o->slot[i]), data};
	switch (o->kind)
	{
		case OP_INSERT:
			o->reply = ltdb_send_insert(w->conn, collection, records, o->count);
			break;
		case OP_DELETE_RECORDS:
			o->reply = ltdb_send_delete_records(w->conn, collection, records, o->count);
			break;
		case OP_DELETE_RECORD:
			o->reply = ltdb_send_delete_record(w->conn, collection, records[0].key, records[0].ts_sec);
			break;
		case OP_DELETE_KEY:
			o->reply = ltdb_send_delete_key(w->conn, collection, records[0].key);
			break;
		case OP_DELETE_COLLECTION:
			o->reply = ltdb_send_delete_collection(w->conn, collection);
			break;
		case OP_SET_VALUE:
			o->reply = ltdb_send_set_value(w->conn, collection, key_name(o->slot[0]), data);
			break;
		case OP_DELETE_VALUE:
			o->reply = ltdb_send_delete_value(w->conn, collection, key_name(o->slot[0]));
			break;
	}
}

static void
fill(writer *w, int depth)
{
	while (w->count < depth)
	{
		op		   *o = &w->pending[(w->first + w->count++) % IN_FLIGHT_MAX];

		choose(w, o);
		send_op(w, o);
	}
}

static void
drop_first(writer *w)
{
	ltdb_reply_free(w->pending[w->first].reply);
	w->first = (w->first + 1) % IN_FLIGHT_MAX;
	w->count--;
}

/* Takes note of acknowledgements. */
static void
drain(writer *w)
{
	ltdb_record item;

	while (w->count > 0 && ltdb_reply_next(w->pending[w->first].reply, &item) == LTDB_DONE)
	{
		apply(&w->certain, &w->pending[w->first]);
		w->certain_version = w->pending[w->first].version;
		acknowledged++;
		drop_first(w);
	}
	for (int i = 1; i < w->count; i++)
		if (ltdb_reply_next(w->pending[(w->first + i) % IN_FLIGHT_MAX].reply, &item) == LTDB_DONE)
			out_of_order = true;
}

/* ---- looking on ---- */

static void
note_seen(int of, ltdb_text data)
{
	unsigned	version = version_in(number_of(&writers[of]), data);

	if (version > writers[of].seen_version)
		writers[of].seen_version = version;
}

static void
look_on(look *l, bool again)
{
	ltdb_record item;
	ltdb_next	next = LTDB_WAIT;

	while (l->reply != NULL && (next = ltdb_reply_next(l->reply, &item)) == LTDB_ITEM)
		note_seen(l->of, item.data);
	if (l->reply != NULL && next == LTDB_WAIT)
		return;
	ltdb_reply_free(l->reply);
	l->reply = NULL;
	if (!again)
		return;
	l->of = random_below(WRITERS);
	if (random_below(2) == 0)
		l->reply = ltdb_send_list_values(l->conn, collection_of(&writers[l->of]));
	else
		l->reply = ltdb_send_fetch(l->conn, &(ltdb_fetch) {
			collection_of(&writers[l->of]), key_name(random_below(KEYS)), LTDB_TS_MIN, LTDB_TS_MAX
		});
}

/* ---- the load ---- */

static ltdb_conn *
conn_of(int i)
{
	return i < WRITERS ? writers[i].conn : looks[i - WRITERS].conn;
}

/*
 * Waits for something to happen on any connection; false if there is nothing
 * more to come: a connection lost while it waits for nothing has not failed.
 */
static bool
wait_once(int limit_ms)
{
	struct pollfd fds[WRITERS + READERS];
	bool		any = false;

	for (int i = 0; i < WRITERS + READERS; i++)
	{
		unsigned	wants = ltdb_wants(conn_of(i));
		int			wait_ms = ltdb_wait_ms(conn_of(i));

		fds[i] = (struct pollfd) {.fd = ltdb_socket(conn_of(i))};
		fds[i].events = (wants & LTDB_WANT_READ ? POLLIN : 0) | (wants & LTDB_WANT_WRITE ? POLLOUT : 0);
		if (wait_ms >= 0 && wait_ms < limit_ms)
			limit_ms = wait_ms;
	}
	poll(fds, WRITERS + READERS, limit_ms);
	for (int i = 0; i < WRITERS + READERS; i++)
		if (ltdb_poll(conn_of(i)) != LTDB_FAILED && ltdb_in_flight(conn_of(i)) > 0)
			any = true;
	return any;
}

static void
load(int64_t until_ms, int depth)
{
	while (now_ms() < until_ms)
	{
		for (int i = 0; i < WRITERS; i++)
		{
			drain(&writers[i]);
			fill(&writers[i], depth);
		}
		for (int i = 0; i < READERS; i++)
			look_on(&looks[i], true);
		wait_once(2);
	}
}

/* What was on its way when the server died still counts. */
static void
take_the_rest(void)
{
	int64_t		give_up_ms = now_ms() + PATIENCE_MS;
	bool		any = true;

	while (any && now_ms() < give_up_ms)
	{
		any = wait_once(10);
		for (int i = 0; i < WRITERS; i++)
			drain(&writers[i]);
		for (int i = 0; i < READERS; i++)
			look_on(&looks[i], false);
	}
}

/* ---- what is left ---- */

static ltdb_next
await_item(ltdb_conn *conn, ltdb_reply *reply, ltdb_record *item)
{
	int64_t		give_up_ms = now_ms() + PATIENCE_MS;
	ltdb_next	next;

	while ((next = ltdb_reply_next(reply, item)) == LTDB_WAIT && now_ms() < give_up_ms)
	{
		struct pollfd fd = {.fd = ltdb_socket(conn),.events = POLLIN};

		if (ltdb_wants(conn) & LTDB_WANT_WRITE)
			fd.events |= POLLOUT;
		poll(&fd, 1, ltdb_wait_ms(conn) == 0 ? 0 : 100);
		ltdb_poll(conn);
	}
	return next;
}

static bool
read_records(ltdb_conn *conn, const writer *w, int key, state *st)
{
	ltdb_reply *reply = ltdb_send_fetch(conn, &(ltdb_fetch) {
		collection_of(w), key_name(key), LTDB_TS_MIN, LTDB_TS_MAX
	});
	ltdb_record item;
	ltdb_next	next;
	bool		sound = true;

	while ((next = await_item(conn, reply, &item)) == LTDB_ITEM)
	{
		int64_t		slot = (item.ts_sec - 1) / 1000;
		unsigned	version = version_in(number_of(w), item.data);

		if (slot < 0 || slot >= SLOTS || item.ts_sec != ts_of(slot) || version == 0)
			sound = false;
		else
			st->record[key][slot] = version;
	}
	ltdb_reply_free(reply);
	return sound && next == LTDB_DONE;
}

static bool
read_pairs(ltdb_conn *conn, const writer *w, state *st)
{
	ltdb_reply *reply = ltdb_send_list_values(conn, collection_of(w));
	ltdb_record item;
	ltdb_next	next;
	bool		sound = true;

	while ((next = await_item(conn, reply, &item)) == LTDB_ITEM)
	{
		int			pair = item.key.bytes[1] - '0';
		unsigned	version = version_in(number_of(w), item.data);

		if (item.key.len_bytes != 2 || pair < 0 || pair >= PAIRS || version == 0)
			sound = false;
		else
			st->pair[pair] = version;
	}
	ltdb_reply_free(reply);
	return sound && next == LTDB_DONE;
}

/* The list of keys must be that of the keys that have records. */
static bool
check_keys(ltdb_conn *conn, const writer *w, const state *st)
{
	ltdb_reply *reply = ltdb_send_latest(conn, &(ltdb_latest) {collection_of(w), {"", 0}, LTDB_TS_MAX, 0});
	ltdb_record item;
	ltdb_next	next;
	int			keys = 0;

	while ((next = await_item(conn, reply, &item)) == LTDB_ITEM)
		keys++;
	for (int key = 0; key < KEYS; key++)
		keys -= has_records(st, key);
	ltdb_reply_free(reply);
	return keys == 0 && next == LTDB_DONE;
}

/* Finds the request after which it looked like this, and goes on from there. */
static bool
settle(writer *w, const state *found)
{
	bool		matches = w->certain_version >= w->seen_version && memcmp(&w->certain, found, sizeof(state)) == 0;

	unknown += w->count;
	while (!matches && w->count > 0)
	{
		apply(&w->certain, &w->pending[w->first]);
		w->certain_version = w->pending[w->first].version;
		drop_first(w);
		unknown_done++;
		matches = w->certain_version >= w->seen_version && memcmp(&w->certain, found, sizeof(state)) == 0;
	}
	while (w->count > 0)
		drop_first(w);
	w->certain = *found;
	w->certain_version = w->version;
	return matches;
}

/* Returns how many writers' collections are not as they must be. */
static int
check(void)
{
	ltdb_conn  *conn = connect_to_server();
	int			wrong = 0;

	for (int i = 0; i < WRITERS; i++)
	{
		state		found = {0};
		bool		sound = read_pairs(conn, &writers[i], &found);

		for (int key = 0; key < KEYS; key++)
			sound = read_records(conn, &writers[i], key, &found) && sound;
		sound = check_keys(conn, &writers[i], &found) && sound;
		if (settle(&writers[i], &found) && sound)
			continue;
		wrong++;
		printf("# %s after version %u, %u was seen: %s\n", collection_of(&writers[i]).bytes, writers[i].version,
			   writers[i].seen_version, sound ? "a state that must not be" : "cannot be read, or holds what was never written");
	}
	ltdb_conn_free(conn);
	return wrong;
}

/* ---- a round ---- */

static void
run_round(int signal_number)
{
	for (int i = 0; i < WRITERS; i++)
		writers[i].conn = connect_to_server();
	for (int i = 0; i < READERS; i++)
		looks[i] = (look) {.conn = connect_to_server()};
	load(now_ms() + 3 + random_below(LOAD_MAX_MS), 1 + random_below(IN_FLIGHT_MAX));
	end_server(signal_number);
	take_the_rest();
	for (int i = 0; i < READERS; i++)
	{
		ltdb_reply_free(looks[i].reply);
		ltdb_conn_free(looks[i].conn);
	}
	for (int i = 0; i < WRITERS; i++)
		ltdb_conn_free(writers[i].conn);
}

static const char *
check_database(void)
{
	static char verdict[256] = "it cannot be opened";
	char		path[4096];
	sqlite3    *db;
	sqlite3_stmt *stmt;

	snprintf(path, sizeof(path), "%s/ltdb.sqlite", directory);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK)
	{
		if (sqlite3_step(stmt) == SQLITE_ROW)
			snprintf(verdict, sizeof(verdict), "%s", (const char *) sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
	}
	sqlite3_close(db);
	return verdict;
}

int
main(int argc, char **argv)
{
	int			rounds;
	int			wrong = 0;
	int			done = 0;
	int			killed = 0;

	if (argc < 4)
	{
		fprintf(stderr, "usage: crash_load LTDBD DIRECTORY ROUNDS [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	directory = argv[2];
	rounds = atoi(argv[3]);
	random_start(argc - 3, argv + 3);

	while (done < rounds && wrong == 0 && start_server())
	{
		/* a stop in order is no different, as seen from here */
		bool		in_order = random_below(10) == 0;

		wrong = check();
		if (wrong != 0)
			break;
		run_round(in_order ? SIGTERM : SIGKILL);
		killed += !in_order;
		done++;
	}
	if (server < 0 && start_server())
		wrong += check();
	printf("# %d rounds, killed in %d; %lu writes acknowledged; of %lu that were not, %lu were carried out\n",
		   done, killed, acknowledged, unknown, unknown_done);
	tap_is_int(done, rounds, "ltdbd starts again after each crash");
	tap_is_int(wrong, 0, "nothing that was acknowledged or seen is lost, nothing deleted comes back");
	tap_ok(!out_of_order, "requests of a connection are acknowledged in order");
	tap_ok(acknowledged > (unsigned long) rounds, "there was something to lose");
	tap_is_int(server > 0 ? end_server(SIGTERM) : -1, 0, "ltdbd stops in order");
	tap_is_str(check_database(), "ok", "SQLite finds the database sound");
	return tap_done();
}
