/*-------------------------------------------------------------------------
 *
 * log.c
 *		What libwebsockets has to say, kept until somebody asks.
 *
 * Its log is process-wide, and goes to stderr unless it is led elsewhere.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include <libwebsockets.h>

#include "ltdb_int.h"

#define LOG_LINES 8
#define LOG_LINE_BYTES 256

static char log_lines[LOG_LINES][LOG_LINE_BYTES];
static unsigned log_first;
static unsigned log_count;

/* The oldest line gives way. */
static void
keep_line(int level, const char *line)
{
	char	   *slot;

	/* said about every context, as socket.c wants no proxy */
	if (strstr(line, "http_proxy needs to be") != NULL)
		return;
	if (log_count == LOG_LINES)
	{
		log_first = (log_first + 1) % LOG_LINES;
		log_count--;
	}
	slot = log_lines[(log_first + log_count) % LOG_LINES];
	log_count++;
	ltdbp_copy_message(slot, LOG_LINE_BYTES, line, strcspn(line, "\n"));
}

bool
ltdb_log_take(char *line, size_t line_size)
{
	if (log_count == 0)
		return false;
	snprintf(line, line_size, "%s", log_lines[log_first]);
	log_first = (log_first + 1) % LOG_LINES;
	log_count--;
	return true;
}

/* To be called before the first context is made. */
void
ltdbp_log_keep(void)
{
	static bool kept = false;

	if (!kept)
		lws_set_log_level(LLL_ERR | LLL_WARN, keep_line);
	kept = true;
}
