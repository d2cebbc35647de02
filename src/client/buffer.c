/*-------------------------------------------------------------------------
 *
 * buffer.c
 *		Growing bytes with a sticky failure, and the client's allocations.
 *
 * What the bytes mean is the business of whoever appends them.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "ltdb_int.h"

#define FIRST_SIZE 256

void	   *(*ltdbp_realloc) (void *pointer, size_t size) = realloc;

void *
ltdbp_alloc_zeroed(size_t size)
{
	void	   *pointer = ltdbp_realloc(NULL, size);

	if (pointer != NULL)
		memset(pointer, 0, size);
	return pointer;
}

char *
ltdbp_strdup(const char *string)
{
	size_t		size = strlen(string) + 1;
	char	   *copy = ltdbp_realloc(NULL, size);

	if (copy != NULL)
		memcpy(copy, string, size);
	return copy;
}

/* Makes room for that many more bytes; false, from now on, if there is none. */
bool
ltdbp_buffer_reserve(ltdbp_buffer *buffer, size_t more)
{
	size_t		size = buffer->size_bytes ? buffer->size_bytes : FIRST_SIZE;
	char	   *bytes;

	if (buffer->failed)
		return false;
	if (buffer->bytes != NULL && buffer->size_bytes - buffer->len_bytes >= more)
		return true;

	if (more > SIZE_MAX / 2 - buffer->len_bytes)
	{
		buffer->failed = true;
		return false;
	}
	while (size - buffer->len_bytes < more)
		size *= 2;

	bytes = ltdbp_realloc(buffer->bytes, size);
	if (bytes == NULL)
	{
		buffer->failed = true;
		return false;
	}
	buffer->bytes = bytes;
	buffer->size_bytes = size;
	return true;
}

void
ltdbp_buffer_append(ltdbp_buffer *buffer, const void *bytes, size_t len)
{
	if (len == 0 || !ltdbp_buffer_reserve(buffer, len))
		return;
	memcpy(buffer->bytes + buffer->len_bytes, bytes, len);
	buffer->len_bytes += len;
}

void
ltdbp_buffer_puts(ltdbp_buffer *buffer, const char *string)
{
	ltdbp_buffer_append(buffer, string, strlen(string));
}

/* A decimal number; snprintf() would show in the time of a bulk insert. */
void
ltdbp_buffer_put_int(ltdbp_buffer *buffer, int64_t value)
{
	char		digits[24];
	char	   *p = digits + sizeof(digits);
	uint64_t	rest = value < 0 ? -(uint64_t) value : (uint64_t) value;

	do
	{
		*--p = (char) ('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		*--p = '-';
	ltdbp_buffer_append(buffer, p, (size_t) (digits + sizeof(digits) - p));
}

void
ltdbp_buffer_free(ltdbp_buffer *buffer)
{
	free(buffer->bytes);
	memset(buffer, 0, sizeof(*buffer));
}
