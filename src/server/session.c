/*-------------------------------------------------------------------------
 *
 * session.c
 *		One peer's conversation: messages received, carried out, answered.
 *
 * Messages are carried out strictly in order, each after the answer before it
 * has been written; answers leave in pieces as the peer takes them.  Both
 * queues are bounded: when a peer does not take its answers, nothing more is
 * carried out for it, and then nothing more is read from it.
 *
 * An answer written while the store's transaction is open is held until the
 * commit, reads included, for they may have seen what is not committed.  When
 * to commit is left to server.c, what messages mean to dispatch.c, the memory of
 * the queues to queue.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "log.h"
#include "queue.h"

/* Answers waiting: nothing more is carried out beyond this. */
#define OUT_MAX_BYTES (1024 * 1024)

/* Messages waiting: nothing more is read beyond either. */
#define IN_MAX_BYTES (8 * 1024 * 1024)
#define IN_MAX_MESSAGES 1024

/* Written to the socket, or carried out, at a time, before others' turn. */
#define TURN_BYTES (128 * 1024)
#define TURN_MESSAGES 64

/* Written without asking whether the socket takes more. */
#define ASK_BYTES (16 * 1024)

/* From a peer that is not authenticated. */
#define STRANGER_MESSAGE_MAX_BYTES (64 * 1024)

/* The answer to HTTP without WebSocket. */
#define HTTP_UPGRADE_REQUIRED 426

/* Whoever has a longer name than this is not called by it. */
#define CLIENT_NAME_BYTES 128

_Static_assert(ANSWER_ROOM_BYTES >= LWS_PRE, "room for the WebSocket header");

typedef struct session
{
	struct lws *wsi;
	session_hub *hub;
	lws_dll2_t	in_sessions;
	lws_dll2_t	in_held;
	char		name[INET6_ADDRSTRLEN + 16];
	dispatch_peer peer;
	lws_sorted_usec_list_t deadline;	/* to authenticate, to take answers */
	lws_sorted_usec_list_t message_deadline;	/* to go on with a message begun */

	inbox		in;
	outbox		out;			/* what is not sendable waits for the commit */
	bool		reading;
	bool		deadline_runs;	/* the one to take answers */

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

static void
message_deadline_missed(lws_sorted_usec_list_t *deadline)
{
	session    *s = lws_container_of(deadline, session, message_deadline);

	/* the rest may wait in the socket, as long as we do not read */
	if (s->reading)
		close_later(s, LWS_CLOSE_STATUS_POLICY_VIOLATION, "leaves a message unfinished");
	else
		lws_sul_schedule(lws_get_context(s->wsi), 0, deadline, message_deadline_missed,
						 s->hub->stall_timeout_sec * LWS_USEC_PER_SEC);
}

/* A message that has begun goes on, or is whole. */
static void
watch_message(session *s)
{
	bool		begun = inbox_partial_bytes(&s->in) > 0;

	if (begun || !lws_dll2_is_detached(&s->message_deadline.list))
		lws_sul_schedule(lws_get_context(s->wsi), 0, &s->message_deadline, message_deadline_missed,
						 begun ? s->hub->stall_timeout_sec * LWS_USEC_PER_SEC :
						 LWS_SET_TIMER_USEC_CANCEL);
}

/* ---- out ---- */

/* Queues an answer, or a piece of one, which the queue takes over. */
static bool
queue_frame(session *s, answer *ans, bool last)
{
	if (!outbox_add(&s->out, ans, last))
		return false;
	if (!store_in_transaction(s->hub->dispatch.store))
		s->out.sendable = s->out.frames;
	else if (lws_dll2_is_detached(&s->in_held))
		lws_dll2_add_tail(&s->in_held, &s->hub->held);
	if (s->out.sendable > 0)
		lws_callback_on_writable(s->wsi);
	return true;
}

static bool
write_first_frame(session *s)
{
	static unsigned char nothing[ANSWER_ROOM_BYTES];
	outbox_frame *frame = s->out.first;
	unsigned char *memory = frame->ans.memory != NULL ? frame->ans.memory : nothing;
	int			flags = frame->first ? LWS_WRITE_TEXT : LWS_WRITE_CONTINUATION;

	if (!frame->last)
		flags |= LWS_WRITE_NO_FIN;
	if (lws_write(s->wsi, memory + ANSWER_ROOM_BYTES, frame->ans.len_bytes, flags) < 0)
		return false;
	outbox_drop_first(&s->out);
	return true;
}

/* While the socket is corked, small frames are put together into large packets. */
static void
cork(session *s, int on)
{
	setsockopt(lws_get_socket_fd(s->wsi), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* One turn's worth of frames, as far as the socket takes them. */
static bool
write_frames(session *s)
{
	size_t		before = s->out.bytes;
	size_t		asked_bytes = 0;
	size_t		unasked_bytes;
	bool		several = s->out.sendable > 1;
	bool		good = true;

	if (several)
		cork(s, true);
	while (good && s->out.sendable > 0 && before - s->out.bytes < TURN_BYTES)
	{
		good = write_first_frame(s);

		/* asking the system is worth it only now and then */
		unasked_bytes = before - s->out.bytes - asked_bytes;
		if (lws_partial_buffered(s->wsi) ||
			(unasked_bytes >= ASK_BYTES && lws_send_pipe_choked(s->wsi)))
			break;
		if (unasked_bytes >= ASK_BYTES)
			asked_bytes += unasked_bytes;
	}
	if (several)
		cork(s, false);
	return good;
}

/* ---- carrying out ---- */

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
	inbox_message *msg = s->in.first;
	bool		was_authenticated = s->peer.authenticated;
	answer		ans = {0};
	dispatch_outcome outcome = dispatch_message(&s->hub->dispatch, &s->peer,
												msg->bytes, msg->len_bytes, &ans);

	s->hub->uncommitted_bytes += msg->len_bytes;
	inbox_drop_first(&s->in);
	if (s->peer.authenticated && !was_authenticated)
	{
		set_deadline(s, LWS_SET_TIMER_USEC_CANCEL);
		lobby_admit(&s->hub->lobby, s->wsi);
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
	return !s->closing && s->out.bytes < OUT_MAX_BYTES &&
		(s->peer.rest != NULL || s->in.first != NULL);
}

/* Reads from the peer only while there is room for what it may send. */
static void
regulate_reading(session *s)
{
	bool		room = s->in.bytes < IN_MAX_BYTES && s->in.messages < IN_MAX_MESSAGES;

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
	size_t		before = s->out.bytes;

	for (int i = 0; i < TURN_MESSAGES && has_work(s) && s->peer.rest == NULL &&
		 s->out.bytes - before < TURN_BYTES; i++)
		carry_out_first_message(s);
	if (has_work(s) && s->peer.rest != NULL && s->out.bytes == before)
		carry_on_with_answer(s);
	regulate_reading(s);
	if (has_work(s))
		lws_callback_on_writable(s->wsi);
}

/* ---- in ---- */

static void
receive(session *s, const void *bytes, size_t len_bytes)
{
	size_t		remaining = lws_remaining_packet_payload(s->wsi);
	size_t		whole_bytes = inbox_partial_bytes(&s->in) + len_bytes;
	size_t		max_bytes = s->peer.authenticated ?
		s->hub->max_message_bytes : STRANGER_MESSAGE_MAX_BYTES;

	s->hub->input_seen = true;
	if (s->closing)
		return;

	/* Room for what is announced is taken as it arrives: it may never do. */
	if (lws_frame_is_binary(s->wsi))
		close_later(s, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, "message is not text");
	else if (remaining > max_bytes || whole_bytes > max_bytes - remaining)
		close_later(s, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message is too long");
	else if (!inbox_append(&s->in, bytes, len_bytes))
		close_later(s, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory");
	else if (remaining == 0 && lws_is_final_fragment(s->wsi))
	{
		inbox_complete(&s->in);
		work(s);
	}
	watch_message(s);
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

/* With who it says it is. */
static void
log_arrival(const session *s)
{
	char		client[CLIENT_NAME_BYTES];
	int			len = lws_hdr_copy(s->wsi, client, sizeof(client), WSI_TOKEN_HTTP_USER_AGENT);

	for (int i = 0; i < len; i++)
	{
		if (client[i] < ' ' || client[i] > '~')
			client[i] = '?';
	}
	if (len > 0)
		log_event(s->name, "connected: %s", client);
	else
		log_event(s->name, "connected");
}

static void
start(session *s, struct lws *wsi, session_hub *hub)
{
	memset(s, 0, sizeof(*s));
	s->wsi = wsi;
	s->hub = hub;
	s->reading = true;
	lws_dll2_add_tail(&s->in_sessions, &hub->sessions);
	set_deadline(s, hub->login_timeout_sec * LWS_USEC_PER_SEC);
	lobby_handshake_done(wsi);
	name_peer(s);
	log_arrival(s);
}

static void
end(session *s)
{
	/* of a handshake that lws has refused after it took it for one of ours */
	if (s->wsi == NULL)
		return;
	log_event(s->name, "closed: %s", s->closing ? s->close_reason : "by the peer");
	lws_dll2_remove(&s->in_sessions);
	lws_dll2_remove(&s->in_held);
	set_deadline(s, LWS_SET_TIMER_USEC_CANCEL);
	lws_sul_cancel(&s->message_deadline);
	dispatch_peer_reset(&s->peer);
	outbox_clear(&s->out);
	inbox_clear(&s->in);
}

/* A peer has to take something now and then while anything waits for it. */
static void
watch_taking(session *s)
{
	bool		waits = s->out.sendable > 0 || lws_partial_buffered(s->wsi);

	if (waits)
	{
		lws_callback_on_writable(s->wsi);
		set_deadline(s, s->hub->stall_timeout_sec * LWS_USEC_PER_SEC);
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
	if (s->going_away || (s->closing && s->out.first == NULL))
	{
		lws_close_reason(s->wsi, s->close_status, NULL, 0);
		return -1;
	}
	if (has_work(s))
		work(s);
	if (s->peer.authenticated)
		watch_taking(s);
	return 0;
}

static session_hub *
hub_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* What RFC 6455 wants of a handshake and lws does not look at. */
static bool
is_handshake(struct lws *wsi)
{
	char		version[4];

	return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0 &&
		lws_hdr_total_length(wsi, WSI_TOKEN_HOST) > 0 &&
		lws_hdr_total_length(wsi, WSI_TOKEN_KEY) > 0 &&
		lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_VERSION) > 0 &&
		strcmp(version, "13") == 0;
}

int
session_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
				 void *in, size_t len_bytes)
{
	session    *s = user;

	switch (reason)
	{
		case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
			return lobby_has_room(&hub_of(wsi)->lobby, wsi) ? 0 : -1;
		case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
			return lobby_enter(&hub_of(wsi)->lobby, wsi) ? 0 : -1;
		case LWS_CALLBACK_WSI_DESTROY:
			lobby_leave(&hub_of(wsi)->lobby, wsi);
			return 0;
		case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:

			/* lws would also speak HTTP/2 */
			return strcasecmp(in, "websocket") == 0 ? 0 : -1;
		case LWS_CALLBACK_HTTP:
			lws_return_http_status(wsi, HTTP_UPGRADE_REQUIRED, NULL);
			return -1;
		case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
			return is_handshake(wsi) ? 0 : -1;
		case LWS_CALLBACK_ESTABLISHED:
			start(s, wsi, hub_of(wsi));
			return 0;
		case LWS_CALLBACK_RECEIVE:
			receive(s, in, len_bytes);
			return 0;
		case LWS_CALLBACK_SERVER_WRITEABLE:
			return writeable(s);
		case LWS_CALLBACK_CLOSED:
			end(s);
			return 0;
		case LWS_CALLBACK_OPENSSL_PERFORM_CLIENT_CERT_VERIFICATION:

			/* OpenSSL's verdict, which lws would override with success */
			return len_bytes ? 0 : -1;
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
		s->out.sendable = s->out.frames;
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
		outbox_clear(&s->out);
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
