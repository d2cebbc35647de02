/*-------------------------------------------------------------------------
 *
 * field.h
 *		Members of a record's data: paths to them, how they are found, and what
 *		values they are; for use through fdw.h.
 *
 * Copyright (c) 2026, ltdb_fdw contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef LTFDW_FIELD_H
#define LTFDW_FIELD_H

/* A step on the path to a field: a member's name, or an index into an array. */
typedef struct LtfdwStep
{
	ltdb_text	name;			/* UTF-8 */
	int			index;			/* -1 = a name */
} LtfdwStep;

/* A field of data that a column shows: field.c, field_value.c. */
typedef struct LtfdwField
{
	char	   *path;			/* as the user wrote it */
	int			nsteps;
	LtfdwStep  *steps;
	Oid			type;			/* of the column, or of its array's elements */
	int32		typmod;
	bool		is_array;
	int16		len;			/* of the type */
	bool		byval;
	char		align;
	FmgrInfo	input;
	Oid			ioparam;
	FmgrInfo	to_json;
} LtfdwField;

/* So many members of data are looked at as the ones before were, */
#define LTFDW_SHAPE_MEMBERS 16

/* ... if they begin with no more than this. */
#define LTFDW_SHAPE_BYTES 32

/* What a member of data began with, colon and all, and which fields it led to. */
typedef struct LtfdwShapeMember
{
	char		begin[LTFDW_SHAPE_BYTES];
	int			len;			/* 0 = not known */
	uint64		fields;
} LtfdwShapeMember;

/* The outermost members of the data that was looked at last, in their order. */
typedef struct LtfdwShape
{
	LtfdwShapeMember members[LTFDW_SHAPE_MEMBERS];
} LtfdwShape;

/* in field_path.c */
extern LtfdwField *ltfdw_field_parse(const char *path);

/* in field.c */
extern bool ltfdw_fields_find(ltdb_text data, LtfdwField **fields, int nfields, ltdb_text *found,
							  LtfdwShape *shape);
extern bool ltfdw_json_elements(ltdb_text array, void (*element) (ltdb_text value, void *arg),
								void *arg);
extern bool ltfdw_json_members(ltdb_text object,
							   void (*member) (ltdb_text name, ltdb_text value, void *arg),
							   void *arg);
extern ltdb_text ltfdw_json_unescape(ltdb_text content);

/* in field_value.c */
extern bool ltfdw_field_allows_type(Oid type);
extern void ltfdw_field_prepare(LtfdwField *field, Oid type, int32 typmod);
extern bool ltfdw_field_to_datum(LtfdwField *field, ltdb_text value, Datum *result);

#endif							/* LTFDW_FIELD_H */
