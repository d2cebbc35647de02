/*-------------------------------------------------------------------------
 *
 * tap.h
 *		The few lines a C test needs to report in TAP.
 *
 * Call tap_ok() and its relatives once per thing tested and return
 * tap_done() from main().  Running the tests and counting over programs is
 * left to the harness.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int	tap_count;
static int	tap_failed;

static void __attribute__((unused))
tap_report(bool passed, const char *format, va_list args)
{
	printf("%s %d - ", passed ? "ok" : "not ok", ++tap_count);
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	if (!passed)
		tap_failed++;
}

/* Reports one test; returns whether it passed, so that a test can say more. */
static bool __attribute__((unused, format(printf, 2, 3)))
tap_ok(bool passed, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	tap_report(passed, format, args);
	va_end(args);
	return passed;
}

static bool __attribute__((unused, format(printf, 3, 4)))
tap_is_int(int64_t got, int64_t expected, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	tap_report(got == expected, format, args);
	va_end(args);
	if (got != expected)
		printf("#      got: %lld\n# expected: %lld\n",
			   (long long) got, (long long) expected);
	return got == expected;
}

static bool __attribute__((unused, format(printf, 3, 4)))
tap_is_str(const char *got, const char *expected, const char *format,...)
{
	bool		same;
	va_list		args;

	if (got == NULL || expected == NULL)
		same = got == expected;
	else
		same = strcmp(got, expected) == 0;

	va_start(args, format);
	tap_report(same, format, args);
	va_end(args);
	if (!same)
		printf("#      got: %s\n# expected: %s\n",
			   got ? got : "(null)", expected ? expected : "(null)");
	return same;
}

/* Prints the plan; main() returns the result: 0 only if every test passed. */
static int __attribute__((unused))
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed == 0 && tap_count > 0 ? 0 : 1;
}

#endif							/* TAP_H */
