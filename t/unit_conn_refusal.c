/*-------------------------------------------------------------------------
 *
 * unit_conn_refusal.c
 *		Tests of requests that are refused: by the server, or before they are sent.
 *
 * LTDB refuses by closing the connection, so who is to blame is the client's
 * guess.  Connections that break for no reason are left to unit_conn_reconnect.c.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* peer.h wants it */
#include "client.h"

static void
test_wrong_key(void)
{
	ltdb_reply *reply;

	begin(handle_well);
	options.api_key = "wrong-secret";
	start();
	reply = fetch(1, 2, 0, false);
	tap_is_int(settle(), LTDB_FAILED, "a wrong key fails");
	tap_is_int(ltdb_conn_error(conn), LTDB_ERROR_AUTHENTICATION, "... as such");
	tap_ok(strstr(ltdb_conn_message(conn), "api key") && !strstr(ltdb_conn_message(conn), "secret") &&
		   strstr(ltdb_conn_message(conn), url + 5), "... and says so: %s", ltdb_conn_message(conn));
	tap_is_int(server.connections, 1, "... at once");
	tap_ok(strstr(drain(reply), "error 6") != NULL, "the request waiting for it fails too");
	tap_ok(strstr(drain(fetch(1, 2, 0, false)), "error 6") != NULL, "and so does a later one");
	tap_ok(ltdb_wait_ms(conn) == 0 && ltdb_socket(conn) == -1, "there is nothing to wait for");
	finish();
}

/* Closes at a request of the collection "bad", having said why if asked to. */
static void
handle_refusing(peer *p, const peer_request *request)
{
	const char *collection;

	if (handle_key(p, request))
		return;
	collection = json_string_value(json_object_get(request->data, "collection"));
	if (collection == NULL || strcmp(collection, "bad") != 0)
	{
		handle_well(p, request);
		return;
	}
	if (p->step > 0)
		peer_send(p, "{\"error\":\"Unknown message type\"}");
	else
		peer_send(p, "");
	peer_send_close(p, 1000);
}

static void
test_refused(bool with_text)
{
	ltdb_reply *good1;
	ltdb_reply *bad;
	ltdb_reply *good2;

	begin(handle_refusing);
	server.step = with_text;
	start();
	good1 = fetch(1, 2, 0, false);
	bad = ltdb_send_delete_key(conn, T("bad"), T("b\"x"));
	good2 = fetch(3, 3, 0, false);
	drain(bad);
	tap_ok(strstr(line, "error 9: server closed the connection at this request (twice): "
				  "delete-user of key \"b\"x\" in collection \"bad\"") != NULL, "refused: %s", line);
	tap_is_int(strstr(line, "Unknown message type") != NULL, with_text, "... with the server's own words, if any");
	tap_is_str(drain(good1), "/1/d1 /2/d2 done", "the request before is answered");
	tap_is_str(drain(good2), "/3/d3 done", "the one after it too");
	tap_is_int(server.connections, 3, "the request was tried twice");
	finish();
}

/* More refusals in a row than there may be attempts without an answer. */
static void
test_many_refused(void)
{
	ltdb_reply *bad[4];
	ltdb_reply *good;
	int			i;

	begin(handle_refusing);
	options.max_reconnects = 3;
	start();
	for (i = 0; i < 4; i++)
		bad[i] = ltdb_send_delete_collection(conn, T("bad"));
	good = ltdb_send_collections(conn);
	tap_is_str(drain(good), "c/0/ d/0/ done", "a good request behind four bad ones is answered");
	for (i = 0; i < 4; i++)
		tap_ok(strstr(drain(bad[i]), "error 9: server closed") != NULL, "... and each bad one refused");
	finish();
}

/* An abandoned request that is refused casts no blame on the next. */
static void
test_abandoned_refused(void)
{
	ltdb_reply *bad;
	ltdb_reply *good;

	begin(handle_refusing);
	start();
	settle();
	bad = ltdb_send_delete_collection(conn, T("bad"));
	good = ltdb_send_collections(conn);
	ltdb_wait_ms(conn);
	ltdb_poll(conn);
	ltdb_reply_free(bad);
	tap_is_int(good->closes, 0, "nothing closed yet");
	while (!ltdb_reply_complete(good))
		wait_once();
	tap_is_int(good->closes, 0, "nobody is blamed for an abandoned request");
	tap_is_str(drain(good), "c/0/ d/0/ done", "... and the next is answered");
	finish();
}

/* Closes as soon as the beginning of a big message arrives. */
static void
test_too_big_for_server(void)
{
	static char value[8 * 1024 * 1024];
	ltdb_reply *reply;
	bool		closing = false;

	memset(value, 'x', sizeof(value));
	begin(handle_well);
	start();
	settle();
	reply = ltdb_send_set_value(conn, T("c"), T("k"), (ltdb_text) {value, sizeof(value)});
	while (!ltdb_reply_complete(reply))
	{
		wait_once();
		if (server.fd >= 0 && server.upgraded && server.frames > 20 && !closing)
		{
			peer_send_close(&server, 1009);
			closing = true;
		}
		if (server.fd < 0)
		{
			server.frames = 0;
			closing = false;
		}
	}
	drain(reply);
	tap_ok(strstr(line, "error 9: server closed") != NULL, "closed while it was being sent: %s", line);
	finish();
}

static void
handle_error(peer *p, const peer_request *request)
{
	if (!handle_key(p, request))
		peer_answer(p, request->id, ",\"error\":\"permission denied\"");
}

static void
test_error_answer(void)
{
	begin(handle_error);
	start();
	tap_is_str(drain(fetch(1, 2, 0, false)), "error 9: server refused the request: permission denied", "an error as answer");
	tap_is_int(server.connections, 1, "... is no reason to reconnect");
	finish();
}

static void
test_arguments(void)
{
	begin(handle_well);
	start();
	tap_ok(strstr(drain(fetch(5, 1, 0, false)), "error 3: from 5") != NULL, "an interval that ends before it begins");
	tap_ok(strstr(drain(ltdb_send_get_value(conn, T("c"), T(""))), "error 3: key") != NULL, "an empty key");
	tap_ok(strstr(drain(ltdb_send_collections(conn)), "done") != NULL, "the connection is as good as before");
	tap_is_int(server.messages, 1, "... and they were not sent");
	finish();
}

/* A request that is refused here never was in flight, and leaves alone what is. */
static void
test_refused_here(void)
{
	ltdb_reply *kept;

	begin(handle_well);
	start();
	kept = fetch(1, 3, 0, false);
	tap_ok(strstr(drain(ltdb_send_set_value(conn, T("c"), T("k"), T(""))), "error 3") != NULL, "%s", line);
	tap_is_int(ltdb_in_flight(conn), 1, "... does not count as in flight");
	tap_is_str(drain(kept), "/1/d1 /2/d2 /3/d3 done", "... and leaves alone the one sent before");
	finish();
}

int
main(void)
{
	test_wrong_key();
	test_refused(false);
	test_refused(true);
	test_many_refused();
	test_abandoned_refused();
	test_too_big_for_server();
	test_error_answer();
	test_arguments();
	test_refused_here();
	return client_done();
}
