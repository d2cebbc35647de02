/*-------------------------------------------------------------------------
 *
 * session.c
 *		One peer's conversation: messages queued, carried out, answered.
 *
 * Messages are carried out strictly in order, each after the answer before it
 * has been written; answers leave in pieces as the peer takes them.  Both
 * queues are bounded: when a peer does not take its answers, nothing more is
 * carried out for it, and then nothing more is read from it.
 *
 * An answer written while the store's transaction is open is held until the
 * commit, reads included, for they may have seen what is not committed.  When
 * to commit is left to server.c, what messages mean to dispatch.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

/* Answers waiting: nothing more is carried out beyond this. */
#define OUT_MAX_BYTES (1024 * 1024)

/* Messages waiting: nothing more is read beyond either. */
#define IN_MAX_BYTES (8 * 1024 * 1024)
#define IN_MAX_MESSAGES 1024

/* Written to the socket, or carried out, at a time, before others' turn. */
#define TURN_BYTES (128 * 1024)
#define TURN_MESSAGES 64

#define AUTHENTICATE_SEC 10
#define TAKE_NOTHING_SEC 60

_Static_assert(ANSWER_ROOM_BYTES >= LWS_PRE, "room for the WebSocket header");

typedef struct message
{
	struct message *next;
	size_t		len_bytes;
	char		bytes[];
} message;

/* One frame to send: an answer, or a piece of one. */
typedef struct frame
{
	struct frame *next;
	answer		ans;
	bool		first;			/* of its answer's frames */
	bool		last;
} frame;

typedef struct session
{
	struct lws *wsi;
	session_hub *hub;
	lws_dll2_t	in_sessions;
	lws_dll2_t	in_held;
	char		name[INET6_ADDRSTRLEN + 16];
	dispatch_peer peer;
	lws_sorted_usec_list_t deadline;	/* to authenticate, to take answers */

	/* in: one message being received, whole ones waiting */
	char	   *partial;
	size_t		partial_len_bytes;
	size_t		partial_size_bytes;
	message    *first_message;
	message   **last_message;
	size_t		in_messages;
	size_t		in_bytes;
	bool		reading;

	/* out: the first `sendable` frames may go, the others wait for the commit */
	frame	   *first_frame;
	frame	  **last_frame;
	size_t		frames;
	size_t		sendable;
	size_t		out_bytes;
	bool		inside_answer;	/* its last frame is not yet queued */
	bool		deadline_runs;	/* the one of TAKE_NOTHING_SEC */

	/* the end */
	bool		closing;		/* once the frames are sent */
	bool		going_away;		/* after what can be sent at once */
	enum lws_close_status close_status;
	const char *close_reason;	/* for the log */
} session;

size_t
session_size(void)
{
	return sizeof(session);
}

/* ---- the end of a session ---- */

/* Closes once all frames are sent; the first reason stays. */
static void
close_later(session *s, enum lws_close_status status, const char *reason)
{
	if (s->closing)
		return;
	s->closing = true;
	s->close_status = status;
	s->close_reason = reason;
	dispatch_peer_reset(&s->peer);
	lws_callback_on_writable(s->wsi);
}

/* What a libwebsockets callback returns to close now. */
static int
close_now(session *s, enum lws_close_status status, const char *reason)
{
	close_later(s, status, reason);
	lws_close_reason(s->wsi, s->close_status, NULL, 0);
	return -1;
}

/* ---- deadlines ---- */

static void
deadline_missed(lws_sorted_usec_list_t *deadline)
{
	session    *s = lws_container_of(deadline, session, deadline);

	if (!s->peer.authenticated)
	{
		close_later(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "not authenticated in time");
		return;
	}

	/* There is no saying goodbye to one who takes nothing. */
	close_later(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "takes none of its answers");
	lws_set_timeout(s->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}

/* usec may be LWS_SET_TIMER_USEC_CANCEL. */
static void
set_deadline(session *s, lws_usec_t usec)
{
	lws_sul_schedule(lws_get_context(s->wsi), 0, &s->deadline, deadline_missed, usec);
}

/* ---- out ---- */

static void
drop_first_frame(session *s)
{
	frame	   *sent = s->first_frame;

	s->first_frame = sent->next;
	if (s->first_frame == NULL)
		s->last_frame = &s->first_frame;
	s->frames--;
	s->out_bytes -= sent->ans.len_bytes;
	answer_free(&sent->ans);
	free(sent);
}

static void
drop_frames(session *s)
{
	while (s->first_frame != NULL)
		drop_first_frame(s);
	s->sendable = 0;
}

/* Queues an answer, or a piece of one, which the frame takes over. */
static bool
queue_frame(session *s, answer *ans, bool last)
{
	frame	   *new_frame = calloc(1, sizeof(frame));

	if (new_frame == NULL)
		return false;
	new_frame->ans = *ans;
	new_frame->first = !s->inside_answer;
	new_frame->last = last;
	s->inside_answer = !last;
	*s->last_frame = new_frame;
	s->last_frame = &new_frame->next;
	s->frames++;
	s->out_bytes += ans->len_bytes;

	if (!store_in_transaction(s->hub->dispatch.store))
		s->sendable = s->frames;
	else if (lws_dll2_is_detached(&s->in_held))
		lws_dll2_add_tail(&s->in_held, &s->hub->held);
	if (s->sendable > 0)
		lws_callback_on_writable(s->wsi);
	return true;
}

static bool
write_first_frame(session *s)
{
	static unsigned char nothing[ANSWER_ROOM_BYTES];
	frame	   *out = s->first_frame;
	unsigned char *memory = out->ans.memory != NULL ? out->ans.memory : nothing;
	int			flags = out->first ? LWS_WRITE_TEXT : LWS_WRITE_CONTINUATION;

	if (!out->last)
		flags |= LWS_WRITE_NO_FIN;
	if (lws_write(s->wsi, memory + ANSWER_ROOM_BYTES, out->ans.len_bytes, flags) < 0)
		return false;
	drop_first_frame(s);
	s->sendable--;
	return true;
}

/* One turn's worth of frames, as far as the socket takes them. */
static bool
write_frames(session *s)
{
	size_t		before = s->out_bytes;

	while (s->sendable > 0 && before - s->out_bytes < TURN_BYTES)
	{
		if (!write_first_frame(s))
			return false;
		if (s->sendable > 0 && lws_send_pipe_choked(s->wsi))
			break;
	}
	return true;
}

/* ---- carrying out ---- */

static void
drop_first_message(session *s)
{
	message    *done = s->first_message;

	s->first_message = done->next;
	if (s->first_message == NULL)
		s->last_message = &s->first_message;
	s->in_messages--;
	s->in_bytes -= done->len_bytes;
	free(done);
}

/*
 * The store failed under this session: everybody whose writes are in the
 * transaction loses them, and must not get an acknowledgement.
 */
static void
fail(session *s)
{
	store	   *st = s->hub->dispatch.store;
	const char *reason = store_failed(st) ? store_message(st) : "out of memory";

	log_event(s->name, "request failed: %s", reason);
	if (lws_dll2_is_detached(&s->in_held))
		lws_dll2_add_tail(&s->in_held, &s->hub->held);
	store_rollback(st);
	session_fail_held(s->hub, "request failed");
}

static void
take_outcome(session *s, dispatch_outcome outcome, answer *ans)
{
	bool		was_queued = true;

	switch (outcome)
	{
		case DISPATCH_ANSWER:
		case DISPATCH_ANSWER_AND_CLOSE:
			was_queued = queue_frame(s, ans, true);
			break;
		case DISPATCH_PIECE:
			if (ans->len_bytes > 0)
				was_queued = queue_frame(s, ans, false);
			break;
		case DISPATCH_CLOSE:
			answer_free(ans);
			break;
		case DISPATCH_FAILED:
			was_queued = false;
			break;
	}
	if (!was_queued)
	{
		answer_free(ans);
		fail(s);
	}
	else if (outcome == DISPATCH_CLOSE || outcome == DISPATCH_ANSWER_AND_CLOSE)
		close_later(s, LWS_CLOSE_STATUS_NORMAL, s->peer.reason);
}

static void
carry_out_first_message(session *s)
{
	message    *msg = s->first_message;
	bool		was_authenticated = s->peer.authenticated;
	answer		ans = {0};
	dispatch_outcome outcome = dispatch_message(&s->hub->dispatch, &s->peer,
												msg->bytes, msg->len_bytes, &ans);

	s->hub->uncommitted_bytes += msg->len_bytes;
	drop_first_message(s);
	if (s->peer.authenticated && !was_authenticated)
	{
		set_deadline(s, LWS_SET_TIMER_USEC_CANCEL);
		log_event(s->name, "authenticated");
	}
	take_outcome(s, outcome, &ans);
}

static void
carry_on_with_answer(session *s)
{
	answer		ans = {0};
	dispatch_outcome outcome = dispatch_continue(&s->hub->dispatch, &s->peer, &ans);

	take_outcome(s, outcome, &ans);
}

static bool
has_work(const session *s)
{
	return !s->closing && s->out_bytes < OUT_MAX_BYTES &&
		(s->peer.rest != NULL || s->first_message != NULL);
}

/* Reads from the peer only while there is room for what it may send. */
static void
regulate_reading(session *s)
{
	bool		room = s->in_bytes < IN_MAX_BYTES && s->in_messages < IN_MAX_MESSAGES;

	if (room != s->reading)
	{
		s->reading = room;
		lws_rx_flow_control(s->wsi, room);
	}
}

/* One turn: some messages, or one piece of a long answer. */
static void
work(session *s)
{
	size_t		before = s->out_bytes;

	for (int i = 0; i < TURN_MESSAGES && has_work(s) && s->peer.rest == NULL &&
		 s->out_bytes - before < TURN_BYTES; i++)
		carry_out_first_message(s);
	if (has_work(s) && s->peer.rest != NULL && s->out_bytes == before)
		carry_on_with_answer(s);
	regulate_reading(s);
	if (has_work(s))
		lws_callback_on_writable(s->wsi);
}

/* ---- in ---- */

static bool
grow_partial(session *s, size_t len_bytes)
{
	size_t		size = s->partial_size_bytes;
	char	   *memory;

	if (s->partial != NULL && len_bytes <= size)
		return true;
	size = len_bytes < 2 * size ? 2 * size : len_bytes;
	/* One byte more for the NUL that must follow. */
	memory = realloc(s->partial, offsetof(message, bytes) + size + 1);
	if (memory == NULL)
		return false;
	s->partial = memory;
	s->partial_size_bytes = size;
	return true;
}

/* The message being received is whole: it joins the queue as it is. */
static void
queue_partial(session *s)
{
	message    *msg = (message *) s->partial;

	msg->next = NULL;
	msg->len_bytes = s->partial_len_bytes;
	msg->bytes[msg->len_bytes] = '\0';
	*s->last_message = msg;
	s->last_message = &msg->next;
	s->in_messages++;
	s->in_bytes += msg->len_bytes;
	s->partial = NULL;
	s->partial_len_bytes = s->partial_size_bytes = 0;
}

static int
receive(session *s, const void *bytes, size_t len_bytes)
{
	size_t		remaining = lws_remaining_packet_payload(s->wsi);
	size_t		whole_bytes = s->partial_len_bytes + len_bytes;

	s->hub->input_seen = true;
	if (s->closing)
		return 0;
	if (lws_frame_is_binary(s->wsi))
		return close_now(s, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "message is not text");
	if (remaining > s->hub->max_message_bytes ||
		whole_bytes > s->hub->max_message_bytes - remaining)
		return close_now(s, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message is too long");

	/* Room for what is announced is taken as it arrives: it may never do. */
	if (!grow_partial(s, whole_bytes))
		return close_now(s, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory");
	if (len_bytes > 0)
		memcpy(s->partial + offsetof(message, bytes) + s->partial_len_bytes, bytes, len_bytes);
	s->partial_len_bytes = whole_bytes;
	if (remaining == 0 && lws_is_final_fragment(s->wsi))
	{
		queue_partial(s);
		work(s);
	}
	return 0;
}

/* ---- events ---- */

static void
name_peer(session *s)
{
	struct sockaddr_storage address;
	socklen_t	len = sizeof(address);
	char		host[INET6_ADDRSTRLEN] = "?";
	int			port = 0;

	if (getpeername(lws_get_socket_fd(s->wsi), (struct sockaddr *) &address, &len) == 0)
	{
		if (address.ss_family == AF_INET)
		{
			struct sockaddr_in *in = (struct sockaddr_in *) &address;

			inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
			port = ntohs(in->sin_port);
		}
		else if (address.ss_family == AF_INET6)
		{
			struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &address;

			inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
			port = ntohs(in6->sin6_port);
		}
	}
	lws_snprintf(s->name, sizeof(s->name), "%s:%d", host, port);
}

static void
start(session *s, struct lws *wsi, session_hub *hub)
{
	memset(s, 0, sizeof(*s));
	s->wsi = wsi;
	s->hub = hub;
	s->last_message = &s->first_message;
	s->last_frame = &s->first_frame;
	s->reading = true;
	lws_dll2_add_tail(&s->in_sessions, &hub->sessions);
	set_deadline(s, AUTHENTICATE_SEC * LWS_USEC_PER_SEC);
	name_peer(s);
	log_event(s->name, "connected");
}

static void
end(session *s)
{
	log_event(s->name, "closed: %s", s->closing ? s->close_reason : "by the peer");
	lws_dll2_remove(&s->in_sessions);
	lws_dll2_remove(&s->in_held);
	set_deadline(s, LWS_SET_TIMER_USEC_CANCEL);
	dispatch_peer_reset(&s->peer);
	drop_frames(s);
	while (s->first_message != NULL)
		drop_first_message(s);
	free(s->partial);
}

/* A peer has to take something now and then while anything waits for it. */
static void
watch_taking(session *s)
{
	bool		waits = s->sendable > 0 || lws_partial_buffered(s->wsi);

	if (waits)
	{
		lws_callback_on_writable(s->wsi);
		set_deadline(s, TAKE_NOTHING_SEC * LWS_USEC_PER_SEC);
	}
	else if (s->deadline_runs)
		set_deadline(s, LWS_SET_TIMER_USEC_CANCEL);
	s->deadline_runs = waits;
}

static int
writeable(session *s)
{
	if (!write_frames(s))
		return -1;
	if (s->going_away || (s->closing && s->first_frame == NULL))
		return close_now(s, s->close_status, s->close_reason);
	if (has_work(s))
		work(s);
	if (s->peer.authenticated)
		watch_taking(s);
	return 0;
}

int
session_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
				 void *in, size_t len_bytes)
{
	session    *s = user;

	switch (reason)
	{
		case LWS_CALLBACK_ESTABLISHED:
			start(s, wsi, lws_context_user(lws_get_context(wsi)));
			return 0;
		case LWS_CALLBACK_RECEIVE:
			return receive(s, in, len_bytes);
		case LWS_CALLBACK_SERVER_WRITEABLE:
			return writeable(s);
		case LWS_CALLBACK_CLOSED:
			end(s);
			return 0;
		default:
			return lws_callback_http_dummy(wsi, reason, user, in, len_bytes);
	}
}

/* ---- all of them ---- */

void
session_release_held(session_hub *hub)
{
	lws_dll2_t *node;

	while ((node = lws_dll2_get_head(&hub->held)) != NULL)
	{
		session    *s = lws_container_of(node, session, in_held);

		lws_dll2_remove(node);
		s->sendable = s->frames;
		lws_callback_on_writable(s->wsi);
	}
	hub->uncommitted_bytes = 0;
}

void
session_fail_held(session_hub *hub, const char *reason)
{
	lws_dll2_t *node;

	while ((node = lws_dll2_get_head(&hub->held)) != NULL)
	{
		session    *s = lws_container_of(node, session, in_held);

		lws_dll2_remove(node);
		drop_frames(s);
		close_later(s, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, reason);
	}
	hub->uncommitted_bytes = 0;
}

void
session_close_all(session_hub *hub)
{
	lws_start_foreach_dll(struct lws_dll2 *, node, lws_dll2_get_head(&hub->sessions))
	{
		session    *s = lws_container_of(node, session, in_sessions);

		close_later(s, LWS_CLOSE_STATUS_GOINGAWAY, "the server stops");
		s->going_away = true;
		lws_callback_on_writable(s->wsi);
	}
	lws_end_foreach_dll(node);
}
