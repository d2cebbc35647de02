/*-------------------------------------------------------------------------
 *
 * log.h
 *		The server's log: one line an event, on stderr.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LOG_H
#define LOG_H

/* Time, who (a peer's address, or the server's name), event. */
extern void log_event(const char *who, const char *format,...)
			__attribute__((format(printf, 2, 3)));

#endif							/* LOG_H */
