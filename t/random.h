/*-------------------------------------------------------------------------
 *
 * random.h
 *		Random numbers for tests, the same again from the same seed.
 *
 * What is made of them is each test's own business.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t random_seed;

static unsigned
random_below(unsigned limit)
{
	random_seed = random_seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned) (random_seed >> 33) % limit;
}

/* A seed given to the program, or a new one; says which, to try it again. */
static void __attribute__((unused))
random_start(int argc, char **argv)
{
	random_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t) time(NULL);
	printf("# seed %llu\n", (unsigned long long) random_seed);
}

#endif							/* RANDOM_H */
