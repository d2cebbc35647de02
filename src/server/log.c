/*-------------------------------------------------------------------------
 *
 * log.c
 *		Writes the server's log to stderr.
 *
 * What is worth a line is left to the callers; none of them ever passes the
 * api key.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void
log_event(const char *who, const char *format,...)
{
	char		line[512];
	struct timespec now;
	struct tm	utc;
	va_list		args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	fprintf(stderr, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s\n",
			utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
			utc.tm_sec, now.tv_nsec / 1000000, who, line);
}
