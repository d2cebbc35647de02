/*-------------------------------------------------------------------------
 *
 * ltdb_int.h
 *		What the client's files know of each other.
 *
 * Included inside src/client only.  Prototypes stand under the file they
 * live in.  Functions of a module are all visible to the process that loads
 * it, so the prefix ltdbp_ is their namespace.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTDB_INT_H
#define LTDB_INT_H

#include <signal.h>
#include <sys/types.h>

#include "ltdb.h"

/* ---- buffer.c: growing bytes ---- */

/*
 * All zero is an empty buffer.  A failed allocation is remembered: later
 * appends do nothing, so a caller checks once, at the end.
 */
typedef struct ltdbp_buffer
{
	char	   *bytes;
	size_t		len_bytes;
	size_t		size_bytes;
	bool		failed;
} ltdbp_buffer;

/*
 * Every allocation of the client's own goes through this pointer, so that a
 * test can let any one of them fail.  It behaves as realloc() does.
 */
extern void *(*ltdbp_realloc) (void *pointer, size_t size);

extern void *ltdbp_alloc_zeroed(size_t size);
extern char *ltdbp_strdup(const char *string);
extern bool ltdbp_buffer_reserve(ltdbp_buffer *buffer, size_t more);
extern void ltdbp_buffer_append(ltdbp_buffer *buffer, const void *bytes, size_t len);
extern void ltdbp_buffer_puts(ltdbp_buffer *buffer, const char *string);
extern void ltdbp_buffer_put_int(ltdbp_buffer *buffer, int64_t value);
extern void ltdbp_buffer_free(ltdbp_buffer *buffer);

/* ---- text.c: UTF-8, and names inside messages ---- */

extern size_t ltdbp_utf8_length(const unsigned char *p, const unsigned char *end);
extern void ltdbp_buffer_put_quoted(ltdbp_buffer *buffer, ltdb_text text);
extern void ltdbp_copy_message(char *dest, size_t dest_size, const char *bytes, size_t len);

/* ---- url.c ---- */

typedef struct ltdbp_url
{
	bool		tls;
	int			port;
	char	   *host;			/* an IPv6 address without its brackets */
	char	   *path;			/* begins with a slash; with the query, if any */
	char	   *peer;			/* host:port, for messages */
} ltdbp_url;

extern bool ltdbp_url_parse(ltdbp_url *url, const char *string,
							char *reason, size_t reason_size);
extern void ltdbp_url_free(ltdbp_url *url);

/* ---- tls.c: OpenSSL ---- */

/* Room for the reason why a connection ended or did not come to be. */
#define LTDBP_REASON_BYTES 384

typedef struct ltdbp_tls ltdbp_tls;

extern ltdbp_tls *ltdbp_tls_new(const ltdb_tls_options *options, const char *host);
extern void *ltdbp_tls_context(ltdbp_tls *tls);
extern void ltdbp_tls_remember(ltdbp_tls *tls, void *ssl, int fd);
extern void ltdbp_tls_hear_out(ltdbp_tls *tls, bool in_use);
extern ssize_t ltdbp_tls_read(ltdbp_tls *tls, void *ssl, char *bytes, size_t size);
extern ssize_t ltdbp_tls_write(ltdbp_tls *tls, void *ssl, const char *bytes, size_t len);
extern void ltdbp_tls_forget(ltdbp_tls *tls);
extern const char *ltdbp_tls_reason(const ltdbp_tls *tls);
extern void ltdbp_tls_free(ltdbp_tls *tls);

/* ---- sigpipe.c: a signal that TLS may raise ---- */

typedef struct ltdbp_sigpipe
{
	bool		held;
	bool		was_pending;
	sigset_t	before;
} ltdbp_sigpipe;

extern void ltdbp_sigpipe_hold(ltdbp_sigpipe *hold, bool wanted);
extern void ltdbp_sigpipe_release(const ltdbp_sigpipe *hold);

/* ---- encode.c: a request, and its message ---- */

/* What any of the ltdb_send_...() functions was asked for. */
typedef struct ltdbp_request
{
	ltdb_request_type type;
	ltdb_text	collection;
	ltdb_text	key;			/* of a record or of a pair; the api key */
	ltdb_text	value;
	int64_t		ts_sec;
	int64_t		from_sec;
	int64_t		to_sec;
	int64_t		limit;			/* 0 = none */
	bool		reverse;
	bool		raw;			/* data is not going to be read */
	const ltdb_record *records;
	size_t		count;
} ltdbp_request;

/* Why a request cannot be sent; reason[0] is NUL if it can. */
typedef struct ltdbp_flaw
{
	ltdb_error	error;
	char		reason[256];
} ltdbp_flaw;

extern bool ltdbp_request_check(const ltdbp_request *request, ltdbp_flaw *flaw);
extern bool ltdbp_encode(ltdbp_buffer *out, const ltdb_dialect *dialect, uint64_t id,
						 const ltdbp_request *request, ltdbp_flaw *flaw);

/* ---- scanner.c: the tokens of JSON, over bytes that are still arriving ---- */

typedef enum ltdbp_scan
{
	LTDBP_SCAN_OK,
	LTDBP_SCAN_MORE,			/* the bytes end inside the token */
	LTDBP_SCAN_BAD,				/* cursor->flaw says why */
	LTDBP_SCAN_MEMORY
} ltdbp_scan;

typedef struct ltdbp_cursor
{
	char	   *p;
	char	   *end;
	const char *flaw;			/* constant text */
} ltdbp_cursor;

/* A string as it stands between its quotes. */
typedef struct ltdbp_string
{
	char	   *bytes;
	size_t		len_bytes;
	bool		escaped;		/* has escapes: see ltdbp_unescape() */
	bool		has_nul;		/* ... one of them being \u0000 */
} ltdbp_string;

extern ltdbp_scan ltdbp_scan_space(ltdbp_cursor *cursor);
extern ltdbp_scan ltdbp_scan_char(ltdbp_cursor *cursor, char expected, const char *flaw);
extern ltdbp_scan ltdbp_scan_string(ltdbp_cursor *cursor, ltdbp_string *string);
extern ltdbp_scan ltdbp_scan_name(ltdbp_cursor *cursor, ltdbp_string *name);
extern ltdbp_scan ltdbp_scan_integer(ltdbp_cursor *cursor, int64_t *value);
extern ltdbp_scan ltdbp_scan_extent(ltdbp_cursor *cursor, int max_depth);
extern ltdbp_scan ltdbp_scan_skip(ltdbp_cursor *cursor, int depth);
extern size_t ltdbp_unescape(char *dest, const char *bytes, size_t len);

/* ---- names.c: names of members that nobody expects ---- */

/* Names seen in an object, other than those expected there. */
typedef struct ltdbp_names
{
	ltdbp_buffer bytes;			/* each with its length in front */
	int			count;
} ltdbp_names;

extern ltdbp_scan ltdbp_names_text(ltdbp_names *names, const ltdbp_string *name, ltdb_text *text);
extern ltdbp_scan ltdbp_names_add(ltdbp_names *names, ltdb_text text, const char **flaw);
extern void ltdbp_names_forget(ltdbp_names *names);

/* ---- keyset.c: which keys an answer has had already ---- */

/* All zero is an empty set. */
typedef struct ltdbp_keyset
{
	uint64_t   *slots;			/* hashes; 0 = none */
	size_t		slot_count;		/* a power of two, or 0 */
	size_t		count;
	uint64_t	seed;
} ltdbp_keyset;

extern ltdbp_scan ltdbp_keyset_add(ltdbp_keyset *set, ltdb_text key);
extern size_t ltdbp_keyset_bytes(const ltdbp_keyset *set);
extern void ltdbp_keyset_free(ltdbp_keyset *set);

/* ---- decode.c: one answer ---- */

typedef enum ltdbp_shape
{
	LTDBP_SHAPE_NOTHING,		/* being answered is all */
	LTDBP_SHAPE_RECORD_ARRAY,	/* [{"ts":T,"data":D},...] */
	LTDBP_SHAPE_RECORD_MAP,		/* {K:{"ts":T,"data":D},...} */
	LTDBP_SHAPE_STRING_ARRAY,	/* [K,...] */
	LTDBP_SHAPE_STRING_MAP,		/* {K:D,...} */
	LTDBP_SHAPE_STRING			/* D, where "" is none */
} ltdbp_shape;

typedef enum ltdbp_phase
{
	LTDBP_PHASE_START,
	LTDBP_PHASE_FIRST_MEMBER,
	LTDBP_PHASE_NEXT_MEMBER,
	LTDBP_PHASE_FIRST_ITEM,
	LTDBP_PHASE_NEXT_ITEM,
	LTDBP_PHASE_AFTER,			/* the closing brace has been read */
	LTDBP_PHASE_DONE,
	LTDBP_PHASE_FAILED
} ltdbp_phase;

/* What a member begins with: its name in quotes, the colon, perhaps a quote. */
typedef struct ltdbp_literal
{
	uint64_t	word;
	uint64_t	mask;			/* of those bytes of the word that count */
	size_t		len_bytes;
} ltdbp_literal;

typedef struct ltdbp_decoder
{
	const ltdb_dialect *dialect;
	ltdbp_shape shape;
	const char *items;			/* the member that holds the items, or NULL */
	bool		raw;			/* data is not unescaped: nobody reads it */

	/* for records as they mostly are: record.c */
	ltdbp_literal ts_literal;
	ltdbp_literal data_literal;
	ltdbp_buffer room;			/* where data with escapes is unescaped */

	ltdbp_buffer in;			/* what has arrived */
	size_t		pos;			/* how much of it has been consumed */
	size_t		retry_unread;	/* do not look again with fewer bytes unread */
	bool		final;			/* all has arrived */

	ltdbp_phase phase;
	bool		seen_id;
	bool		seen_items;
	bool		seen_error;
	const char *inside;			/* the member being read, for messages */
	char		close;			/* what ends the items */
	ltdbp_names names;			/* of the answer */
	ltdbp_names record_names;	/* of the record being read */
	ltdbp_keyset keys;			/* of the items, if they have some */

	ltdb_error	error;
	char		message[256];
} ltdbp_decoder;

extern void ltdbp_decoder_init(ltdbp_decoder *decoder, const ltdb_dialect *dialect,
							   ltdb_request_type type);
extern bool ltdbp_decoder_feed(ltdbp_decoder *decoder, const char *bytes, size_t len);
extern void ltdbp_decoder_finish(ltdbp_decoder *decoder);
extern size_t ltdbp_decoder_unread(const ltdbp_decoder *decoder);
extern ltdb_next ltdbp_decoder_next(ltdbp_decoder *decoder, ltdb_record *item);
extern void ltdbp_decoder_free(ltdbp_decoder *decoder);

/* ---- record.c: records as they mostly are ---- */

extern void ltdbp_literal_set(ltdbp_literal *literal, const char *name, bool string);
extern bool ltdbp_record_take(ltdbp_decoder *decoder, ltdbp_cursor *cursor, ltdb_record *item);
extern size_t ltdbp_records_left(const ltdbp_decoder *decoder, int64_t *last_ts_sec);

/* ---- route.c: which request an answer is for ---- */

typedef enum ltdbp_route
{
	LTDBP_ROUTE_ID,
	LTDBP_ROUTE_MORE,			/* ask again when the message is complete */
	LTDBP_ROUTE_NO_ID,
	LTDBP_ROUTE_BAD
} ltdbp_route;

extern ltdbp_route ltdbp_route_find(const ltdb_dialect *dialect, char *bytes, size_t len,
									bool final, uint64_t *id);
extern bool ltdbp_route_error(const ltdb_dialect *dialect, const char *bytes, size_t len,
							  char *text, size_t text_size);

/* ---- request.c, reply.c: a request from being sent to being answered ---- */

struct ltdb_reply
{
	ltdb_conn  *conn;			/* NULL when nothing more will come from there */
	ltdb_reply *prev;			/* in the connection's list, in order of sending */
	ltdb_reply *next;

	uint64_t	id;
	ltdbp_request request;		/* texts point into copies; no records */
	char	   *copies;
	char	   *words;			/* the request for messages */
	ltdbp_buffer message;		/* kept until answered, to be sent again */

	bool		sent;			/* on the present connection */
	bool		counted;		/* in the statistics */
	bool		abandoned;		/* the caller has freed it */
	bool		restart;		/* items handed out are void: tell */
	int			closes;			/* how often the server closed at this request */

	ltdbp_decoder decoder;
	size_t		received_bytes;
	int64_t		items;			/* handed out, of the request as it now stands */
	bool		has_last;		/* a record was handed out, at last_ts_sec */
	bool		overlaps;		/* the answer may repeat records handed out */
	int64_t		last_ts_sec;

	ltdb_error	error;
	char	   *error_text;		/* NULL with an error: no memory for it */
};

extern char *ltdbp_request_words(const ltdb_dialect *dialect, const ltdbp_request *request);
extern ltdb_reply *ltdbp_reply_new(ltdb_conn *conn, const ltdbp_request *request);
extern void ltdbp_reply_destroy(ltdb_reply *reply);
extern void ltdbp_reply_fail(ltdb_reply *reply, ltdb_error error, const char *text);
extern void ltdbp_reply_receive(ltdb_reply *reply, const char *bytes, size_t len);
extern bool ltdbp_reply_rewind(ltdb_reply *reply);

/* ---- resolve.c: addresses of a host name ---- */

struct addrinfo;

typedef struct ltdbp_lookup ltdbp_lookup;

extern int	(*ltdbp_getaddrinfo) (const char *host, const char *service,
								  const struct addrinfo *hints, struct addrinfo **list);

extern ltdbp_lookup *ltdbp_lookup_start(const char *host);
extern int	ltdbp_lookup_fd(const ltdbp_lookup *lookup);
extern bool ltdbp_lookup_done(ltdbp_lookup *lookup);
extern int	ltdbp_lookup_count(const ltdbp_lookup *lookup);
extern const char *ltdbp_lookup_address(const ltdbp_lookup *lookup, int i);
extern const char *ltdbp_lookup_error(const ltdbp_lookup *lookup);
extern void ltdbp_lookup_free(ltdbp_lookup *lookup);

/* ---- dial.c: from a host to a socket ---- */

typedef struct ltdbp_dial
{
	ltdbp_lookup *lookup;		/* NULL = the host is an address, or there is no attempt */
	bool		resolving;
	int			next;			/* address to try */
	int64_t		silent_until_ms;	/* of waited_ms: then the next; -1 = never */
} ltdbp_dial;

extern void ltdbp_dial_start(ltdb_conn *conn);
extern void ltdbp_dial_poll(ltdb_conn *conn);
extern void ltdbp_dial_end(ltdb_conn *conn);

/* ---- frames.c: received WebSocket frames ---- */

/* The most that a control frame can hold (RFC 6455, section 5.5). */
#define LTDBP_CONTROL_BYTES 125

typedef enum ltdbp_frame
{
	LTDBP_FRAME_MORE,			/* feed it */
	LTDBP_FRAME_DATA,			/* a piece of a message */
	LTDBP_FRAME_PING,
	LTDBP_FRAME_CLOSE,
	LTDBP_FRAME_BAD
} ltdbp_frame;

typedef struct ltdbp_piece
{
	char	   *bytes;
	size_t		len_bytes;
	bool		final;			/* the message ends with it */
} ltdbp_piece;

typedef struct ltdbp_frames ltdbp_frames;

extern ltdbp_frames *ltdbp_frames_new(void);
extern void ltdbp_frames_feed(ltdbp_frames *frames, const char *bytes, size_t len);
extern ltdbp_frame ltdbp_frames_next(ltdbp_frames *frames, ltdbp_piece *piece);
extern const char *ltdbp_frames_flaw(const ltdbp_frames *frames);
extern void ltdbp_frames_free(ltdbp_frames *frames);

/* ---- outbox.c: WebSocket frames to be sent ---- */

/* The first byte of a frame (RFC 6455, section 5.2). */
#define LTDBP_FRAME_FINAL 0x80
#define LTDBP_FRAME_CONTINUED 0x00
#define LTDBP_FRAME_TEXT 0x01
#define LTDBP_FRAME_PONG 0x0a

typedef struct ltdbp_outbox
{
	char	   *bytes;
	size_t		len_bytes;
	size_t		sent_bytes;
	unsigned char keys[256];	/* random */
	size_t		keys_left;
} ltdbp_outbox;

extern bool ltdbp_outbox_start(ltdbp_outbox *outbox);
extern void ltdbp_outbox_end(ltdbp_outbox *outbox);
extern size_t ltdbp_outbox_room(const ltdbp_outbox *outbox);
extern bool ltdbp_outbox_is_empty(const ltdbp_outbox *outbox);
extern bool ltdbp_outbox_put(ltdbp_outbox *outbox, unsigned first_byte, const char *bytes,
							 size_t len);
extern void ltdbp_outbox_sent(ltdbp_outbox *outbox, size_t len);

/* ---- stream.c: what arrives at an open socket, and what leaves ---- */

typedef struct ltdbp_stream
{
	bool		started;
	int			fd;				/* lent */
	void	   *ssl;			/* the SSL on it, lent; NULL = none */
	ltdbp_frames *frames;
	char	   *inbox;
	bool		pong_due;
	char		pong[LTDBP_CONTROL_BYTES];
	size_t		pong_len;
	ltdbp_outbox outbox;
} ltdbp_stream;

extern bool ltdbp_stream_start(ltdbp_stream *stream, int fd, void *ssl);
extern bool ltdbp_stream_hand_on(ltdb_conn *conn, char *bytes, size_t len, bool final);
extern void ltdbp_stream_read(ltdb_conn *conn);
extern void ltdbp_stream_write(ltdb_conn *conn);
extern bool ltdbp_stream_wants_write(const ltdbp_stream *stream);
extern void ltdbp_stream_end(ltdbp_stream *stream);

/* ---- log.c: what libwebsockets has to say ---- */

extern void ltdbp_log_keep(void);

/* ---- socket.c: libwebsockets ---- */

struct lws;
struct lws_context;
struct lws_vhost;

typedef enum ltdbp_socket_state
{
	LTDBP_SOCKET_NONE,
	LTDBP_SOCKET_CONNECTING,
	LTDBP_SOCKET_OPEN,
	LTDBP_SOCKET_ENDED			/* reason and close_code say how */
} ltdbp_socket_state;

typedef struct ltdbp_socket
{
	ltdbp_socket_state state;
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws *wsi;
	ltdbp_tls  *tls;			/* NULL = none */
	int			wake_fd;		/* of the context, -1 = lws looks after it */
	bool		reached;		/* TCP is connected */
	bool		handshaking;	/* the upgrade request is on its way */
	bool		active;			/* something happened in this round */
	int			close_code;		/* of the peer's close frame, 0 = none came */
	bool		tls_failed;		/* the reason is TLS's */
	char		reason[LTDBP_REASON_BYTES];
	size_t		sent_bytes;		/* of the message being sent */
	ltdbp_stream stream;		/* once the socket is open */
} ltdbp_socket;

extern void ltdbp_socket_open(ltdb_conn *conn, const char *address);
extern void ltdbp_socket_fail(ltdbp_socket *socket, const char *reason);
extern void ltdbp_socket_lost(ltdb_conn *conn, const char *reason);
extern void ltdbp_socket_closed(ltdbp_socket *socket, const char *contents, size_t len);
extern void ltdbp_socket_service(ltdb_conn *conn);
extern void ltdbp_socket_close(ltdbp_socket *socket);
extern int	ltdbp_socket_fd(const ltdbp_socket *socket);
extern bool ltdbp_socket_wants_write(const ltdbp_socket *socket);
extern bool ltdbp_socket_has_work(const ltdbp_socket *socket);

/* ---- conn.c: the life of a connection ---- */

typedef enum ltdbp_life
{
	LTDBP_LIFE_DOWN,			/* no socket; connects when there is something to send */
	LTDBP_LIFE_CONNECTING,
	LTDBP_LIFE_AUTHENTICATING,
	LTDBP_LIFE_READY,
	LTDBP_LIFE_FAILED
} ltdbp_life;

/* Where the bytes of the message being received go. */
typedef enum ltdbp_target
{
	LTDBP_TARGET_UNKNOWN,		/* into conn->incoming, its id not seen yet */
	LTDBP_TARGET_REPLY,			/* to conn->receiving */
	LTDBP_TARGET_NONE			/* nobody waits for it any more */
} ltdbp_target;

/* WebSocket close codes that no server sends for a reason of LTDB's. */
#define LTDBP_CLOSE_PROTOCOL_ERROR 1002
#define LTDBP_CLOSE_RESTART 1012
#define LTDBP_CLOSE_TRY_LATER 1013
#define LTDBP_CLOSE_BAD_GATEWAY 1014

struct ltdb_conn
{
	ltdbp_url	url;
	char	   *api_key;
	const char *client_name;	/* NULL = none */
	ltdb_tls_options tls;		/* paths are copies */
	int			connect_timeout_ms;
	int			request_timeout_ms;
	int			max_reconnects;
	size_t		max_buffer_bytes;
	const ltdb_dialect *dialect;

	ltdbp_life	life;
	bool		was_ready;
	ltdb_error	error;
	char		message[768];
	ltdbp_dial	dial;
	ltdbp_socket socket;

	int			attempts;		/* to reconnect, since the last answer */
	int64_t		retry_at_ms;
	bool		waiting;		/* between ltdb_wait_ms() and ltdb_poll() */
	int64_t		waiting_since_ms;
	int64_t		waited_ms;		/* without progress */
	uint64_t	random;

	uint64_t	last_id;
	ltdb_reply *auth;			/* the api key's; not in the list */
	ltdb_reply *first;			/* requests unanswered */
	ltdb_reply *last;
	ltdb_reply *unsent;			/* the first of them not yet sent */
	int			in_flight;		/* of them, not abandoned */

	ltdbp_target target;
	ltdb_reply *receiving;
	ltdbp_buffer incoming;
	size_t		progress_bytes; /* received since waited_ms was last reset */
	char		refusal[128];	/* text of an error that named no request */
	bool		violated;		/* the peer broke the protocol */
	const char *violation;		/* ... in this way */

	ltdb_stats	stats;
};

extern void ltdbp_conn_queue(ltdb_conn *conn, ltdb_reply *reply);
extern void ltdbp_conn_unlink(ltdb_conn *conn, ltdb_reply *reply);
extern void ltdbp_conn_abandon(ltdb_conn *conn, ltdb_reply *reply);
extern void ltdbp_conn_fail(ltdb_conn *conn, ltdb_error error, const char *format,...)
	__attribute__((format(printf, 3, 4)));
extern int64_t ltdbp_now_ms(void);
extern ltdb_reply *ltdbp_conn_sending(const ltdb_conn *conn);
extern void ltdbp_conn_sent(ltdb_conn *conn);

/* ---- reconnect.c: when the socket has ended ---- */

extern void ltdbp_reconnect(ltdb_conn *conn);
extern void ltdbp_reconnect_later(ltdb_conn *conn, const char *reason);

/* ---- receive.c: pieces of messages, to the replies they are for ---- */

extern bool ltdbp_receive(ltdb_conn *conn, char *bytes, size_t len, bool final);
extern void ltdbp_receive_reset(ltdb_conn *conn);

#endif							/* LTDB_INT_H */
