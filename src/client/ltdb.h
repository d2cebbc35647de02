/*-------------------------------------------------------------------------
 *
 * ltdb.h
 *		An LTDB client in plain C: the one header its users include.
 *
 * Shaped like the asynchronous half of libpq: nothing here waits, and nothing
 * here calls back into its user.  The caller starts a connection, sends
 * requests (any number, before or after the connection is ready), and asks
 * each reply for its next item.  When the answer is LTDB_WAIT the caller waits
 * for ltdb_socket() as ltdb_wants() says, at most ltdb_wait_ms(), calls
 * ltdb_poll(), and asks again.
 *
 * Authentication, request ids, timeouts, and reconnecting with the requests
 * in flight sent again are the client's own business: see ltdb_poll().
 *
 * Not thread-safe: a connection and its replies belong to one thread.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTDB_H
#define LTDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol.h"

typedef struct ltdb_conn ltdb_conn;
typedef struct ltdb_reply ltdb_reply;

/* A piece of UTF-8 text; not NUL-terminated, and may hold NULs when read. */
typedef struct ltdb_text
{
	const char *bytes;
	size_t		len_bytes;
} ltdb_text;

/* One time-series record, or whatever else a reply is a list of. */
typedef struct ltdb_record
{
	ltdb_text	key;
	int64_t		ts_sec;
	ltdb_text	data;
} ltdb_record;

/* Why something failed.  The FDW maps these to SQLSTATEs in one table. */
typedef enum ltdb_error
{
	LTDB_OK = 0,
	LTDB_ERROR_MEMORY,			/* malloc failed */
	LTDB_ERROR_URL,				/* the url option cannot be used */
	LTDB_ERROR_ARGUMENT,		/* LTDB would refuse or spoil this value; nothing was sent */
	LTDB_ERROR_CONNECT,			/* no connection could be established */
	LTDB_ERROR_CONNECT_TIMEOUT, /* ... within connect_timeout_ms */
	LTDB_ERROR_AUTHENTICATION,	/* the server closed on the api key */
	LTDB_ERROR_LOST,			/* connection lost, and max_reconnects attempts failed */
	LTDB_ERROR_TIMEOUT,			/* no answer within request_timeout_ms */
	LTDB_ERROR_REFUSED,			/* the server closed the connection twice at this request,
								 * or answered it with an error */
	LTDB_ERROR_PROTOCOL,		/* the answer is not what the protocol says */
	LTDB_ERROR_TOO_BIG,			/* more than max_buffer_bytes of one answer unread */
	LTDB_ERROR_TLS				/* no TLS connection could be established */
} ltdb_error;

typedef enum ltdb_state
{
	LTDB_CONNECTING,			/* also while reconnecting */
	LTDB_READY,					/* connected and authenticated */
	LTDB_FAILED					/* for good: ltdb_conn_error() says why */
} ltdb_state;

/* What a connection waits for, if the caller has to wait. */
typedef enum ltdb_phase
{
	LTDB_PHASE_RESOLVE,			/* the addresses of the host */
	LTDB_PHASE_CONNECT,			/* TCP */
	LTDB_PHASE_TLS,
	LTDB_PHASE_HANDSHAKE,		/* of WebSocket */
	LTDB_PHASE_AUTHENTICATE,
	LTDB_PHASE_SEND,			/* room for what is to be sent */
	LTDB_PHASE_ANSWER,
	LTDB_PHASE_RECONNECT		/* the time of the next attempt */
} ltdb_phase;

#define LTDB_PHASE_COUNT (LTDB_PHASE_RECONNECT + 1)

typedef enum ltdb_next
{
	LTDB_ITEM,					/* *item is filled */
	LTDB_WAIT,					/* nothing yet: wait, ltdb_poll(), ask again */
	LTDB_DONE,					/* answered completely */
	LTDB_RESTART,				/* the connection was lost inside this answer and it begins
								 * anew: forget the items so far, ask again.  Only from
								 * ltdb_send_latest() and the list requests */
	LTDB_ERROR					/* ltdb_reply_error() says why */
} ltdb_next;

/* Bits of ltdb_wants(). */
#define LTDB_WANT_READ	1
#define LTDB_WANT_WRITE 2

/* What must be right about the certificate of a server of wss://. */
typedef enum ltdb_verify
{
	LTDB_VERIFY_FULL,			/* it is trusted, and is for the url's host */
	LTDB_VERIFY_CA,				/* it is trusted */
	LTDB_VERIFY_NOTHING			/* for tests */
} ltdb_verify;

/*
 * Of wss:// only.  Paths of PEM files, or NULL; read at each attempt to connect,
 * copied.
 */
typedef struct ltdb_tls_options
{
	ltdb_verify verify;
	const char *root_cert;		/* whom to trust; NULL = whom the system trusts */
	const char *crl;			/* certificates revoked; must cover the chain */
	const char *cert;			/* of this client, with intermediate ones */
	const char *key;			/* ... its private key, without a password, not
								 * readable by group or world */
} ltdb_tls_options;

typedef struct ltdb_options
{
	const char *url;			/* ws://host[:port][/path] or wss://...; copied.  Without a
								 * port: 8080, with wss 443 */
	const char *api_key;		/* copied; never appears in any message */
	const char *client_name;	/* who connects, for the server's log: goes with the WebSocket
								 * handshake as its User-Agent; printable ASCII, copied;
								 * NULL = nothing is said */
	int			connect_timeout_ms; /* from start to authenticated, each attempt; default 10,000 */
	int			request_timeout_ms; /* waiting without progress; default 30,000.  Of both
									 * timeouts, 0 = none */
	int			max_reconnects; /* attempts to re-establish a lost connection; default 5 */
	size_t		max_buffer_bytes;	/* of one answer, received and not yet read; default 1 GiB - 1 */
	ltdb_tls_options tls;
} ltdb_options;

/* What has happened on a connection so far; only ever grows. */
typedef struct ltdb_stats
{
	uint64_t	requests;		/* requests handed to ltdb_send_...() that went out */
	uint64_t	answers;		/* complete answers received */
	uint64_t	bytes_sent;		/* message bytes, without WebSocket framing */
	uint64_t	bytes_received;
	uint64_t	reconnects;		/* successful ones */
} ltdb_stats;

/* ---- the connection: conn.c ---- */

/* Fills in the defaults named above. */
extern void ltdb_options_init(ltdb_options *options);

/*
 * Whether a url can be used: scheme ws or wss, a host, a port of 1..65535 if
 * any, no user or password, no control characters.  If not, writes one
 * sentence fragment into reason (may be NULL).  url.c; no I/O.
 */
extern bool ltdb_url_check(const char *url, char *reason, size_t reason_size);
extern bool ltdb_url_is_tls(const char *url);

/* NULL only when out of memory; every other failure shows as LTDB_FAILED. */
extern ltdb_conn *ltdb_connect_start(const ltdb_options *options);

/*
 * Do all that can be done without waiting: connect, authenticate, send what
 * is queued, receive what has arrived, keep the deadlines, reconnect.
 *
 * The first connection gets one attempt.  A connection that was ready and is
 * lost is re-established (exponential backoff with jitter, max_reconnects
 * attempts without an answer in between), and the requests in flight are sent
 * again: every LTDB request is idempotent.  If the server closes the
 * connection at a request, that request alone is sent once more; at the
 * second close it fails with LTDB_ERROR_REFUSED and the others go on.
 *
 * A connection lost while nothing is in flight stays LTDB_READY, without a
 * socket, and is re-established when the next request has been queued: an idle
 * client does not keep knocking.
 *
 * One call does a bounded amount of work, and never blocks.
 */
extern ltdb_state ltdb_poll(ltdb_conn *conn);

/* What to wait on, the socket mostly, or -1 when there is only time to wait for. */
extern int	ltdb_socket(const ltdb_conn *conn);
extern unsigned ltdb_wants(const ltdb_conn *conn);

/*
 * For how long to wait at most; 0 = poll at once, -1 = no limit.  The time
 * until the next ltdb_poll() counts as waiting for the request timeout, and
 * only such time counts: a caller who is busy elsewhere times nothing out.
 */
extern int	ltdb_wait_ms(ltdb_conn *conn);

extern ltdb_phase ltdb_conn_phase(const ltdb_conn *conn);

extern ltdb_error ltdb_conn_error(const ltdb_conn *conn);

/* One lower-case sentence fragment, without the api key; "" if no error. */
extern const char *ltdb_conn_message(const ltdb_conn *conn);

/* Requests sent or queued, not abandoned, and not yet answered completely. */
extern int	ltdb_in_flight(const ltdb_conn *conn);

/*
 * Whether an answer is still to come that nobody waits for any more, or the
 * connection is yet to be made: then it may be better to start with another.
 */
extern bool ltdb_is_encumbered(const ltdb_conn *conn);
extern const ltdb_stats *ltdb_conn_stats(const ltdb_conn *conn);

/*
 * Closes the socket without waiting; accepts NULL.  Replies still held by the
 * caller stay valid, fail with LTDB_ERROR_LOST, and are freed by the caller.
 */
extern void ltdb_conn_free(ltdb_conn *conn);

/*
 * Moves one pending line of libwebsockets' own log (process-wide, errors and
 * warnings only) into line; false if there is none.
 */
extern bool ltdb_log_take(char *line, size_t line_size);

/* ---- requests: request.c ---- */

/*
 * Each returns the reply to ask for items, NULL only when out of memory.
 * What LTDB would refuse or silently spoil is not sent: the reply then fails
 * with LTDB_ERROR_ARGUMENT and a message that names the value.  That is an
 * empty collection or key, a ts outside LTDB_TS_MIN..LTDB_TS_MAX, to <= 0,
 * from > to, at <= 0, an empty value, a NUL or invalid UTF-8 anywhere.
 * Arguments are copied before the call returns.
 */

/* Upserts records; at least one.  No items. */
extern ltdb_reply *ltdb_send_insert(ltdb_conn *conn, ltdb_text collection,
									const ltdb_record *records, size_t count);

/* Records of one key, from_sec <= ts <= to_sec, by ts.  Items: ts, data. */
typedef struct ltdb_fetch
{
	ltdb_text	collection;
	ltdb_text	key;
	int64_t		from_sec;
	int64_t		to_sec;			/* > 0, or LTDB refuses */
	int64_t		limit;			/* 0 = all */
	bool		reverse;		/* newest first; limit counts from there */
	bool		raw_data;		/* data is handed out as it came, escapes and all: for
								 * those who want no more than its length */
} ltdb_fetch;

extern ltdb_reply *ltdb_send_fetch(ltdb_conn *conn, const ltdb_fetch *fetch);

/*
 * For each key, or the one key given, the newest record with ts <= at_sec,
 * if its ts >= from_sec (0 = no lower bound).  Items: key, ts, data, in no
 * particular order.
 */
typedef struct ltdb_latest
{
	ltdb_text	collection;
	ltdb_text	key;			/* empty = every key */
	int64_t		at_sec;			/* > 0, or LTDB refuses */
	int64_t		from_sec;
} ltdb_latest;

extern ltdb_reply *ltdb_send_latest(ltdb_conn *conn, const ltdb_latest *latest);

/* Items: key holds the collection's name. */
extern ltdb_reply *ltdb_send_collections(ltdb_conn *conn);

/* No items. */
extern ltdb_reply *ltdb_send_delete_record(ltdb_conn *conn, ltdb_text collection,
										   ltdb_text key, int64_t ts_sec);

/* Every ts_sec must be > 0 (LTDB refuses the others here); data is ignored. */
extern ltdb_reply *ltdb_send_delete_records(ltdb_conn *conn, ltdb_text collection,
											const ltdb_record *records, size_t count);

/* LTDB drops the collection, pairs included, with its last key. */
extern ltdb_reply *ltdb_send_delete_key(ltdb_conn *conn, ltdb_text collection,
										ltdb_text key);
extern ltdb_reply *ltdb_send_delete_collection(ltdb_conn *conn, ltdb_text collection);
extern ltdb_reply *ltdb_send_set_value(ltdb_conn *conn, ltdb_text collection,
									   ltdb_text key, ltdb_text value);

/* One item with data, or none where the pair is absent. */
extern ltdb_reply *ltdb_send_get_value(ltdb_conn *conn, ltdb_text collection,
									   ltdb_text key);
extern ltdb_reply *ltdb_send_delete_value(ltdb_conn *conn, ltdb_text collection,
										  ltdb_text key);

/* Items: key. */
extern ltdb_reply *ltdb_send_list_keys(ltdb_conn *conn, ltdb_text collection);

/* Items: key, data. */
extern ltdb_reply *ltdb_send_list_values(ltdb_conn *conn, ltdb_text collection);

/* ---- replies: reply.c ---- */

/*
 * The next item.  What *item points to is lent until the next call of
 * ltdb_reply_next() on this reply or of ltdb_poll() on its connection.
 */
extern ltdb_next ltdb_reply_next(ltdb_reply *reply, ltdb_record *item);

/* Whether asking would not return LTDB_WAIT before LTDB_DONE or LTDB_ERROR. */
extern bool ltdb_reply_complete(const ltdb_reply *reply);

/*
 * Of a fetch that is answered completely: how many of its records are still to
 * be asked for, and the ts of the last of them.  A guess, to send the next
 * request early; 0 when there is none.
 */
extern size_t ltdb_reply_left(const ltdb_reply *reply, int64_t *last_ts_sec);

extern ltdb_error ltdb_reply_error(const ltdb_reply *reply);
extern const char *ltdb_reply_message(const ltdb_reply *reply);

/* Bytes of this reply's answer received so far. */
extern size_t ltdb_reply_bytes(const ltdb_reply *reply);

/* The request in words, such as: query-user of key "a" in collection "b" */
extern const char *ltdb_reply_request(const ltdb_reply *reply);

/*
 * Accepts NULL, and a reply not yet answered: its answer is dropped when it
 * comes, and it is not sent again after a reconnect.  If the request has not
 * begun to go out, it does not go out.
 */
extern void ltdb_reply_free(ltdb_reply *reply);

#endif							/* LTDB_H */
