/*-------------------------------------------------------------------------
 *
 * field_path.c
 *		Paths to members of a record's data.
 *
 * A path is names and array indexes: temperature, wind.speed, samples[0].max,
 * and "a.b".c where a name holds a dot, a bracket or a quote (doubled).
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#include "fdw.h"

static LtfdwStep *
add_step(LtfdwField *field)
{
	field->steps = field->nsteps == 0
		? palloc(sizeof(LtfdwStep))
		: repalloc(field->steps, (field->nsteps + 1) * sizeof(LtfdwStep));
	field->nsteps++;
	return &field->steps[field->nsteps - 1];
}

/* A name up to its end, into out; NULL if it is not one. */
static const char *
parse_name(const char *p, StringInfo out)
{
	if (*p == '"')
	{
		for (p++; *p; p++)
		{
			if (*p == '"' && *++p != '"')
				return out->len > 0 ? p : NULL;
			appendStringInfoChar(out, *p);
		}
		return NULL;
	}
	while (*p && *p != '.' && *p != '[' && *p != ']' && *p != '"')
		appendStringInfoChar(out, *p++);
	return out->len > 0 ? p : NULL;
}

/* "[12]" */
static const char *
parse_index(const char *p, int *index)
{
	int64		value = 0;
	const char *digits = ++p;

	for (; *p >= '0' && *p <= '9' && value <= PG_INT32_MAX; p++)
		value = value * 10 + (*p - '0');
	if (p == digits || *p != ']' || value > PG_INT32_MAX)
		return NULL;
	*index = (int) value;
	return p + 1;
}

/* NULL if the text is not a path. */
LtfdwField *
ltfdw_field_parse(const char *path)
{
	LtfdwField *field = palloc0(sizeof(LtfdwField));
	const char *p = path;

	field->path = pstrdup(path);
	for (;;)
	{
		LtfdwStep  *step = add_step(field);
		StringInfoData name;

		step->index = -1;
		if (*p == '[' && field->nsteps > 1)
			p = parse_index(p, &step->index);
		else
		{
			initStringInfo(&name);
			p = parse_name(p, &name);
			step->name = ltfdw_text_to_ltdb(name.data, name.len);
		}
		if (p == NULL)
			return NULL;
		if (*p == '\0')
			return field;
		if (*p == '.')
			p++;
		else if (*p != '[')
			return NULL;
	}
}
