# 180_model.pl
#	Random transactions on foreign tables and on local tables with the same
#	rows: whatever a statement shows, and whatever is left, must be the same.
#
# A kind of statement is a row of one of the tables below.  Each transaction is
# run by one of two sessions; the other one looks at the tables when it is over,
# and sometimes while it is going on.  A run that fails says how to repeat it:
# LTDB_TEST_SEED is the seed of its first round, LTDB_TEST_ROUNDS their number.
#
# What a server or a backend that goes away leaves is the subject of
# 170_commit.pl and 171_commit_killed.pl.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use LtdbSession;
use LtdbTest;
use Test::More;

my $ROUNDS = $ENV{LTDB_TEST_ROUNDS} || 80;
my $SECONDS = 60; # of a slow machine
my $TRANSACTIONS = 10;

# ---- the tables: f_NAME is foreign, l_NAME is local ----

# Of each: its server, its collection if that has another name, its columns if
# they are not the usual ones, its options.
my %tables = (
	a => { server => 'one', options => q(fetch_size '3', batch_size '2') },
	b => { server => 'one' },
	c => { server => 'two', collection => 'b', options => q(async_capable 'false') },
	field => { server => 'two', columns => q(ts bigint, data text OPTIONS (field 'o.v'), key text) },
	now => { server => 'one', options => q(write_mode 'immediate'), immediate => 1 });
$tables{$_}{collection} //= $_ for keys %tables;
my @at_commit = grep { !$tables{$_}{immediate} } sort keys %tables;
my @all = sort keys %tables;

# An INSERT into a local table replaces, too, and there are functions like ours.
my $local_side = q{
	CREATE TABLE tables (name text PRIMARY KEY, server text, collection text, UNIQUE (server, collection));
	CREATE TABLE l_pairs (server text, collection text, key text, value text, PRIMARY KEY (server, collection, key));
	CREATE FUNCTION replace_pair() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		DELETE FROM l_pairs WHERE (server, collection, key) = (NEW.server, NEW.collection, NEW.key);
		RETURN NEW;
	END $$;
	CREATE TRIGGER replace_ BEFORE INSERT ON l_pairs FOR EACH ROW EXECUTE FUNCTION replace_pair();
	CREATE TABLE k (key text, n int);
	INSERT INTO k VALUES ('a', 1), ('a', 2), ('c', 4), ('ä', 0), (NULL, 3);
	CREATE TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	CREATE FUNCTION replace_() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE format('DELETE FROM %I WHERE key = $1 AND ts = $2', TG_TABLE_NAME) USING NEW.key, NEW.ts;
		RETURN NEW;
	END $$;
	CREATE FUNCTION local_kv_set(text, text, text, text) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO l_pairs VALUES ($1, $2, $3, $4) ON CONFLICT (server, collection, key) DO UPDATE SET value = EXCLUDED.value $$;
	CREATE FUNCTION local_kv_delete(text, text, text) RETURNS void LANGUAGE sql AS
	$$ DELETE FROM l_pairs WHERE server = $1 AND collection = $2 AND key = $3 $$;
	CREATE FUNCTION local_kv_get(text, text, text) RETURNS text LANGUAGE sql STABLE AS
	$$ SELECT value FROM l_pairs WHERE server = $1 AND collection = $2 AND key = $3 $$;
	CREATE FUNCTION local_kv_keys(text, text) RETURNS SETOF text LANGUAGE sql STABLE AS
	$$ SELECT key FROM l_pairs WHERE server = $1 AND collection = $2 $$;
	CREATE FUNCTION local_kv_all(text, text) RETURNS TABLE (key text, value text) LANGUAGE sql STABLE AS
	$$ SELECT key, value FROM l_pairs WHERE server = $1 AND collection = $2 $$;
	CREATE FUNCTION local_latest(server_ text, collection_ text, at timestamptz DEFAULT 'infinity') RETURNS TABLE (key text, ts timestamptz) LANGUAGE plpgsql AS $$
	BEGIN
		RETURN QUERY EXECUTE format('SELECT key, max(to_timestamp(ts)) FROM %I WHERE to_timestamp(ts) <= $1 GROUP BY key',
			(SELECT 'l_' || name FROM tables WHERE server = server_ AND collection = collection_)) USING at;
	END $$;
	CREATE FUNCTION local_delete_key(text, text, key text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN EXECUTE format('DELETE FROM %I WHERE key = $1', (SELECT 'l_' || name FROM tables WHERE server = $1 AND collection = $2)) USING key; END $$;

	CREATE FUNCTION local_delete_collection(text, text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE format('DELETE FROM %I', (SELECT 'l_' || name FROM tables WHERE server = $1 AND collection = $2));
		DELETE FROM l_pairs WHERE server = $1 AND collection = $2;
	END $$;

	CREATE FUNCTION differences(VARIADIC names text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		name_ text;
		place record;
		there text;
		here text;
	BEGIN
		FOREACH name_ IN ARRAY names LOOP
			EXECUTE format('SELECT string_agg((key, ts, data)::text, '' '' ORDER BY key COLLATE "C", ts) FROM %I', 'f_' || name_) INTO there;
			EXECUTE format('SELECT string_agg((key, ts, data)::text, '' '' ORDER BY key COLLATE "C", ts) FROM %I', 'l_' || name_) INTO here;
			IF there IS DISTINCT FROM here THEN
				RETURN NEXT format(E'%s is     %s\n%s should %s', name_, there, name_, here);
			END IF;
			SELECT * INTO place FROM tables WHERE name = name_;
			there := string_agg(p::text, ' ' ORDER BY key COLLATE "C") FROM ltdb_kv_all(place.server, place.collection) p;
			here := string_agg((key, value)::text, ' ' ORDER BY key COLLATE "C") FROM l_pairs WHERE server = place.server AND collection = place.collection;
			IF there IS DISTINCT FROM here THEN
				RETURN NEXT format(E'pairs of %s are    %s\npairs of %s should %s', name_, there, name_, here);
			END IF;
		END LOOP;
	END $$;
};

# ---- what is random in a statement ----

sub one_of
{
	return $_[ rand @_ ];
}

sub a_number
{
	my ($from, $to) = @_;

	return $from + int rand($to - $from + 1);
}

# {name} in a statement; {name1}, {name2} are others of the kind.  In one
# statement a name has one value, which is the same on both sides.  In a crowded
# round most statements meet the same few records.
my $crowded;
my %random = (
	key => sub { quoted($crowded ? one_of(qw(a a a ä)) : one_of(qw(a a b c ä), q(z'z))) },
	ts => sub { $crowded ? a_number(-1, 3) : rand() < 0.05 ? one_of(-2147483648, 0, 2147483647) : a_number(-3, 14) },
	data => sub { quoted(a_number(0, 999)) },
	n => sub { a_number(1, 6) },
	direction => sub { one_of('ASC', 'DESC') },
	order => sub { 'key' . one_of('', ' DESC') . ', ts' . one_of('', ' DESC') },
	row => sub { '(' . join(', ', map { random($_) } qw(key ts data)) . ')' },
	rows => sub { join(', ', map { random('row') } 1 .. a_number(2, 9)) },
	lines => sub { join('', map { join("\t", one_of('a' .. 'd'), a_number(1, 9), a_number(0, 99)) . "\n" } 1 .. a_number(1, 6)) },
	where => sub {
		my $key = one_of('true', 'key = ' . random('key'), 'key IN (' . random('key') . ', ' . random('key') . ')', q(key > 'a'));
		my $ts = one_of('true', 'ts ' . one_of(qw(< >= = <>)) . ' ' . random('ts'), 'ts BETWEEN 2 AND ' . random('ts'));

		return "($key" . one_of(' AND ', ' AND ', ' OR ') . $ts . one_of('', '', q( AND data LIKE '%5%')) . ')';
	},
	write => sub { block_statement() },
	raise => sub { one_of('', '', 'PERFORM 1 / 0;') });

sub random
{
	my ($name) = @_;
	my ($kind) = $name =~ /^(.*?)\d*$/;

	return ($random{$kind} // die "no {$name} is known")->();
}

# ---- the statements ----

# How often, the statement, and what is to be known of it: the statement for the
# local tables if it differs in more than {t} and {u}, tables, and {f}, which
# stands for "ltdb" there and for "local" here.

my @writes = (
	[ 8, 'INSERT INTO {t} (key, ts, data) VALUES {row}' ],
	[ 5, 'INSERT INTO {t} (key, ts, data) VALUES {rows}' ],
	[ 2, 'INSERT INTO {t} (key, ts, data) VALUES ({key}, {ts}, {data}), ({key}, {ts1}, {data1}), ({key}, {ts}, {data2})' ],
	[ 2, 'INSERT INTO {t} (key, ts, data) SELECT key, ts + {n}, data FROM {t} WHERE {where} AND ts < 100' ],
	[ 2, q(INSERT INTO {t} (key, ts, data) SELECT key, ts, left(data, 4) || '+' FROM generate_series(1, 3) s, LATERAL (SELECT * FROM {t} WHERE s > 0 AND {where} OFFSET 0) x) ],
	[ 2, 'INSERT INTO {t} (key, ts, data) SELECT key, ts, data || {data} FROM {u} WHERE {where}' ],
	[ 2, 'INSERT INTO {t} (data, key, ts) SELECT x.data, {key}, y.ts FROM {t} x JOIN {t} y ON x.key = y.key AND x.ts = y.ts WHERE x.key = {key1} AND y.ts > {ts}' ],
	[ 1, 'EXECUTE put_{t}({key}, {ts}, {data})', block => 0 ],
	[ 1, "COPY {t} (key, ts, data) FROM stdin;\n{lines}\\.", block => 0 ],
	[ 4, 'UPDATE {t} SET data = {data} WHERE {where}' ],
	[ 3, q(UPDATE {t} SET data = data || '.' WHERE {where} AND length(data) < 6) ],
	[ 2, 'UPDATE {t} SET data = {data} FROM k WHERE k.key = {t}.key AND {t}.ts >= k.n' ],
	[ 2, 'UPDATE {t} SET data = u.data FROM {u} u WHERE u.key = {t}.key AND u.ts = {t}.ts' ],
	moves(3, 'ts = ts + {n}', 'ts < 100'),
	moves(2, 'ts = -ts', 'ts BETWEEN -20 AND 20'),
	moves(2, 'key = {key}', 'key = {key1}'),
	moves(2, q(key = CASE key WHEN 'a' THEN 'b' ELSE 'a' END, data = data || key), q(key IN ('a', 'b') AND length(data) < 6)),
	moves(1, 'key = {key}, ts = ts - 1', 'key = {key1} AND ts > 0'),
	[ 6, 'DELETE FROM {t} WHERE {where}' ],
	[ 1, 'DELETE FROM {t}' ],
	[ 2, 'DELETE FROM {t} USING k WHERE k.key = {t}.key AND k.n <> {t}.ts', immediate => 0 ],
	[ 2, 'DELETE FROM {t} WHERE (key, ts) IN (SELECT key, ts FROM {u} WHERE {where})' ],
	[ 1, 'TRUNCATE {t}', local => 'DELETE FROM {t}', uncounted => 1, block => 0, cursors => 0, truncates => 1 ],
	[ 1, 'TRUNCATE {t}, {u}', local => 'DELETE FROM {t}; DELETE FROM {u}', uncounted => 1, block => 0, cursors => 0, truncates => 1 ],
	[ 2, 'SELECT {f}_delete_key({collection}, {key})', immediate => 0 ],
	[ 1, 'SELECT {f}_delete_collection({collection})', immediate => 0 ],
	[ 2, 'DELETE FROM {t} WHERE key = {key}' ],
	[ 1, 'WITH d AS (DELETE FROM {t} WHERE key = {key}) INSERT INTO {t} (key, ts, data) VALUES ({key}, {ts}, {data})',
		local => 'DELETE FROM {t} WHERE key = {key}; INSERT INTO {t} (key, ts, data) VALUES ({key}, {ts}, {data})', immediate => 0 ],
	[ 3, 'SELECT {f}_kv_set({collection}, {key}, {data})', immediate => 0 ],
	[ 1, 'SELECT {f}_kv_delete({collection}, {key})', immediate => 0 ],
	[ 3, 'INSERT INTO {t}_kv VALUES ({key}, {data}), ({key1}, {data1})' ],
	[ 1, q(INSERT INTO {t}_kv SELECT key || 'x', value FROM {u}_kv WHERE key <> {key} AND length(key) < 3) ],
	[ 2, q(UPDATE {t}_kv SET value = value || '.' WHERE key = {key} AND length(value) < 6) ],
	[ 1, q(UPDATE {t}_kv SET value = value || '.' WHERE key >= {key} AND length(value) < 6) ],
	[ 1, 'DELETE FROM {t}_kv WHERE key = {key}' ],
	[ 1, 'DELETE FROM {t}_kv WHERE key > {key}' ],
	[ 1, 'DELETE FROM {t}_kv' ],
	[ 1, 'SELECT {f}_kv_set({collection}, {key}, {data}), {f}_kv_set({collection}, {key1}, {data1}), {f}_kv_delete({collection}, {key2})', immediate => 0 ],
);

# An UPDATE that moves records: all at once, replacing what is there.
sub moves
{
	my ($weight, $set, $where) = @_;
	my %new = (key => 'key', ts => 'ts', data => 'data', map { split / = /, $_, 2 } split /, (?=\w+ = )/, $set);

	return map {
		[
			$weight,
			"UPDATE {t} SET $set WHERE $where AND {where}$$_[0]",
			local => "WITH moved AS MATERIALIZED (DELETE FROM {t} WHERE $where AND {where} RETURNING *) "
			  . "INSERT INTO {t} (key, ts, data) SELECT $new{key}, $new{ts}, $new{data} FROM moved ORDER BY 1, 2$$_[0]",
			%{ $$_[1] }
		]
	} ([ '', {} ], [ ' RETURNING key, ts, data', { block => 0, sorted => 1 } ]);
}

# Statements that show something: in an order, unless it is to be sorted.
my @reads = (
	[ 3, 'SELECT key, ts, data FROM {t} WHERE {where} ORDER BY {order}' ],
	[ 3, 'SELECT key, ts, data FROM {t} WHERE {where} ORDER BY {order} LIMIT {n}' ],
	[ 2, 'SELECT ts, data FROM {t} WHERE key = {key} ORDER BY ts {direction} LIMIT {n} OFFSET {n1}' ],
	[ 2, 'SELECT key, ts, data FROM {t} WHERE {where} ORDER BY ts {direction}, key LIMIT {n}' ],
	[ 2, 'SELECT DISTINCT ON (key) key, ts, data FROM {t} WHERE {where} ORDER BY key, ts {direction}' ],
	[ 2, 'SELECT DISTINCT key FROM {t} WHERE ts >= {ts} ORDER BY key' ],
	[ 2, 'SELECT key, max(ts) FROM {t} GROUP BY key ORDER BY key' ],
	[ 2, 'SELECT max(ts), min(ts) FROM {t} WHERE {where}' ],
	[ 2, 'SELECT count(*) FROM {t} WHERE {where}' ],
	[ 2, 'SELECT k.n, x.ts, x.data FROM k JOIN {t} x ON x.key = k.key AND x.ts > k.n ORDER BY 1, 2, 3' ],
	[ 1, 'SELECT k.n, x.* FROM k LEFT JOIN LATERAL (SELECT ts, data FROM {t} WHERE key = k.key ORDER BY ts {direction} LIMIT {n}) x ON true ORDER BY 1, 2' ],
	[ 2, 'SELECT x.key, x.ts, x.data, y.data FROM {t} x JOIN {u} y ON x.key = y.key AND x.ts = y.ts ORDER BY 1, 2' ],
	[ 1, 'SELECT x.key, x.ts FROM {t} x WHERE NOT EXISTS (SELECT FROM {u} y WHERE x.key = y.key AND x.ts = y.ts) ORDER BY 1, 2' ],
	[ 1, 'SELECT key, ts, data FROM {t} UNION ALL SELECT key, ts, data FROM {u} WHERE {where}', sorted => 1 ],
	[ 1, 'SELECT key, ts, lag(data) OVER (PARTITION BY key ORDER BY ts) FROM {t} WHERE {where} ORDER BY key, ts' ],
	[ 2, 'EXECUTE get_{t}({key}, {ts})' ],
	[ 2, 'INSERT INTO {t} (key, ts, data) VALUES {rows} RETURNING key, data, ts' ],
	[ 2, 'UPDATE {t} SET data = {data} WHERE {where} RETURNING key, ts, data', sorted => 1 ],
	[ 2, 'DELETE FROM {t} WHERE {where} RETURNING key, ts, data', sorted => 1 ],
	[ 1, 'WITH w AS (INSERT INTO {t} (key, ts, data) VALUES {rows} RETURNING 1) SELECT (SELECT count(*) FROM w), count(*) FROM {t}' ],
	[ 1, 'WITH w AS (DELETE FROM {t} WHERE {where} RETURNING key, ts, data) INSERT INTO {u} (key, ts, data) SELECT key, ts, data FROM w' ],
	[ 1, 'SELECT key, ts FROM {f}_latest({collection})', sorted => 1 ],
	[ 1, 'SELECT key, ts FROM {f}_latest({collection}, at => to_timestamp({n}))', sorted => 1 ],
	[ 1, 'SELECT key, ts, {f}_delete_collection({collection}) FROM {t} WHERE {where}', sorted => 1, immediate => 0 ],
	[ 2, 'SELECT {f}_kv_get({collection}, {key})' ],
	[ 1, 'SELECT p FROM {f}_kv_all({collection}) p', sorted => 1 ],
	[ 1, 'SELECT key, value FROM {t}_kv', sorted => 1 ],
	[ 1, 'SELECT key, value FROM {t}_kv WHERE key IN ({key}, {key1}) ORDER BY key DESC' ],
	[ 1, 'SELECT x.key, x.ts, p.value FROM {t} x JOIN {t}_kv p ON p.key = x.key ORDER BY 1, 2' ],
	[ 1, 'SELECT count(*), min(key), max(value) FROM {t}_kv' ],
	[ 1, 'SELECT k FROM {f}_kv_keys({collection}) k', sorted => 1 ],
);

# Statements that are undone in part, or fail: within a transaction, the rest
# of it goes on.
my @undone = (
	[ 4, 'DO $do$ BEGIN {write}; BEGIN {write1}; {write2}; {raise} EXCEPTION WHEN division_by_zero THEN {write3}; END; {write4}; END $do$' ],
	[ 3, 'DO $do$ BEGIN BEGIN {write}; BEGIN {write1}; {raise1} EXCEPTION WHEN division_by_zero THEN NULL; END; {write2}; {raise} EXCEPTION WHEN division_by_zero THEN NULL; END; END $do$' ],
	[ 2, 'DO $do$ BEGIN FOR i IN 1..{n} LOOP BEGIN INSERT INTO {t} (key, ts, data) VALUES ({key}, i, {data}); PERFORM 1 / (i % 2); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $do$' ],
	[ 2, 'DO $do$ BEGIN DELETE FROM {t} WHERE key = {key}; INSERT INTO {t} (key, ts, data) VALUES ({key}, {ts}, {data}); DELETE FROM {t} WHERE key = {key}; {write}; END $do$' ],
	[ 2, 'DO $do$ BEGIN DELETE FROM {t} WHERE key = {key}; {write}; INSERT INTO {t} (key, ts, data) VALUES ({key}, {ts}, {data}); PERFORM {f}_delete_collection({collection}); {write1}; END $do$' ],
	[ 1, 'INSERT INTO {t} (key, ts, data) SELECT {key}, s, 1 / (s - {n}) FROM generate_series(1, 7) s', state => '22012' ],
	[ 1, 'UPDATE {t} SET data = 1 / (ts - {n}), ts = ts + 1000 WHERE ts BETWEEN 0 AND 9', state => '22012', may_succeed => 1 ],
	[ 1, 'INSERT INTO {t} (key, ts, data) VALUES {row}, ({key}, NULL, {data})', state => '23502' ],
);

# Of weighted rows one that may be used: conditions are names of which the
# value in a row, if it has one, must be true.
sub choose
{
	my ($rows, @conditions) = @_;
	my @usable = grep {
		my (undef, undef, %about) = @$_;
		!grep { !($about{$_} // 1) } @conditions
	} @$rows;
	my $sum = 0;

	$sum += $$_[0] for @usable;
	my $at = rand $sum;
	for my $row (@usable)
	{
		return $row if ($at -= $$row[0]) < 0;
	}
	return $usable[-1];
}

# A statement made of a row: what it is there and here, and its tables.
sub make_statement
{
	my ($row, @candidates) = @_;
	my (undef, $template, %about) = @$row;
	my ($t, @others) = sort { $$a[0] <=> $$b[0] } map { [ rand, $_ ] } @candidates;
	my ($u) = grep { !$tables{ $$_[1] }{immediate} } @others;
	my %value = (t => $$t[1], u => $$u[1], collection => "'$tables{$$t[1]}{server}', '$tables{$$t[1]}{collection}'");
	my %touched = ($value{t} => 1, $value{u} => 1);
	my %sql;

	for my $side (qw(foreign local))
	{
		my $text = $side eq 'local' && $about{local} ? $about{local} : $template;
		my $prefix = $side eq 'local' ? 'l_' : 'f_';

		$text =~ s{\{(\w+)\}}{
			my $name = $1;

			if ($name eq 't' || $name eq 'u') { $prefix . $value{$name} }
			elsif ($name eq 'f') { $side eq 'local' ? 'local' : 'ltdb' }
			else
			{
				my $known = $value{$name} //= random($name);

				$touched{$_} = 1 for ref $known ? @{ $$known{touched} } : ();
				ref $known ? $$known{$side} : $known
			}
		}ge;
		$sql{$side} = $text;
	}
	return { %sql, touched => [ sort keys %touched ], about => \%about };
}

# A statement within a PL/pgSQL block.
sub block_statement
{
	my $statement = make_statement(choose(\@writes, 'block'), @at_commit);

	s/^SELECT/PERFORM/ for @$statement{qw(foreign local)};
	return $statement;
}

# ---- transactions ----

# A transaction as a list of steps, each { foreign, local } or { both }.
sub make_transaction
{
	my @steps;
	my @savepoints;
	my @cursors;
	my %held;
	my $made = 0;
	my $add = sub { push @steps, { both => $_[0] } };
	my $statement = sub {
		push @steps, make_statement(choose(@_), @at_commit);
	};

	if (rand() < 0.3)
	{
		push @steps, make_statement(choose(one_of(\@writes, \@writes, \@reads), 'immediate'), @all) for 1 .. 3;
		$statement->(\@undone) if rand() < 0.3;
		return @steps;
	}
	$add->('BEGIN');
	for (1 .. a_number(2, 16))
	{
		my $what = rand;

		if ($what < 0.45) { $statement->(\@writes, @cursors ? 'cursors' : ()) }
		elsif ($what < 0.65) { $statement->(\@reads) }
		elsif ($what < 0.72)
		{
			my $step = make_statement(choose(\@undone), @at_commit);

			# it fails on both sides, the second time as if there was no first
			$step->{between} = 'ROLLBACK TO e' if $step->{about}{state};
			push @steps, $step->{between} ? ({ both => 'SAVEPOINT e' }, $step, { both => 'ROLLBACK TO e' }) : $step;
		}
		elsif ($what < 0.82)
		{
			push @savepoints, ++$made;
			$add->("SAVEPOINT s$made");
		}
		elsif ($what < 0.88 && @savepoints)
		{
			splice @savepoints, 1 + rand @savepoints;
			$add->("ROLLBACK TO s$savepoints[-1]");
			@cursors = grep { $_ < $savepoints[-1] } @cursors;
		}
		elsif ($what < 0.91 && @savepoints)
		{
			my ($released) = splice @savepoints, rand @savepoints;
			$add->("RELEASE s$released");
		}
		elsif ($what < 0.955 && @cursors < 4)
		{
			push @cursors, ++$made;
			my $query = make_statement(choose([ grep { $$_[1] =~ /^SELECT.*ORDER BY/ } @reads ]), @at_commit);
			$held{$made} = rand() < 0.3;
			push @steps, declare($made, $query, $held{$made} ? 'WITH HOLD' : '');
		}
		elsif (@cursors) { push @steps, fetch(one_of(@cursors), a_number(1, 4)) }
	}
	push @steps, fetch($_, 'ALL') for grep { !$held{$_} && rand() < 0.8 } @cursors;
	if (rand() < 0.06)
	{
		$add->('INSERT INTO once VALUES (1), (1)');
		push @steps, { both => 'COMMIT', state => '23505' };
	}
	elsif (rand() < 0.06)
	{
		push @steps, { both => 'SELECT 1 / 0', state => '22012' }, { both => one_of('COMMIT', 'ROLLBACK') };
	}
	elsif (rand() < 0.25) { $add->('ROLLBACK') }
	else
	{
		$add->('COMMIT');
		for my $cursor (grep { $held{$_} } @cursors)
		{
			push @steps, fetch($cursor, 'ALL');
			$add->("CLOSE f$cursor");
			$add->("CLOSE l$cursor");
		}
	}
	return @steps;
}

sub declare
{
	my ($number, $query, $hold) = @_;

	return {
		foreign => "DECLARE f$number NO SCROLL CURSOR $hold FOR $query->{foreign}",
		local => "DECLARE l$number NO SCROLL CURSOR $hold FOR $query->{local}",
		touched => [] };
}

sub fetch
{
	my ($number, $count) = @_;

	return { foreign => "FETCH $count FROM f$number", local => "FETCH $count FROM l$number", touched => [] };
}

# ---- running them ----

# Runs steps, all of them in one go; says what is wrong, if anything, and at
# which step.
sub run_steps
{
	my ($session, @steps) = @_;
	my $script = '';
	my $number = 0;

	for my $step (@steps)
	{
		for my $side (qw(both foreign local))
		{
			next unless defined $step->{$side};
			$script .= "$step->{between};\n" if $side eq 'local' && $step->{between};
			$script .= "\\echo '=$number $side'\n" . terminated($step->{$side});
			$script .= $step->{about}{uncounted} ? "\\echo :SQLSTATE\n" : "\\echo :SQLSTATE :ROW_COUNT\n";
		}
		$script .= "\\echo '=$number differences'\nSELECT differences(" . names(@{ $step->{touched} }) . ");\n"
		  if $step->{touched} && @{ $step->{touched} } && !$step->{about}{state};
		$number++;
	}
	$session->start($script);
	my ($out, $err) = $session->finish;
	my %shown = $out =~ /^=(\d+ \w+)\n(.*?)(?=^=\d|\z)/msg;

	for my $at (0 .. $#steps)
	{
		my $problem = problem($steps[$at], { map { $_ => $shown{"$at $_"} } qw(both foreign local differences) });

		return (terminated($steps[$at]{both} // "$steps[$at]{foreign};\n-- local:\n$steps[$at]{local}") . "$problem\n$err", $at)
		  if $problem;
	}
	return ('', undef);
}

# What is wrong with what a step has shown.
sub problem
{
	my ($step, $shown) = @_;
	my $state = $step->{state} // $step->{about}{state} // '00000';
	my ($there, $here) = @$shown{qw(foreign local)};
	my ($got) = ($shown->{both} // $there // '') =~ /^([0-9A-Z]{5})(?: \d+)?\s*\z/m;

	return "differences:\n$shown->{differences}" if $shown->{differences};
	return 'it did not run' if !defined $got;
	return "SQLSTATE $got" if $got ne $state && !($got eq '00000' && $step->{about}{may_succeed});
	return '' if exists $step->{both};
	($there, $here) = map { join "\n", $step->{about}{sorted} ? sort split /\n/, $_ : split /\n/, $_ } $there, $here;
	return $there eq $here ? '' : "the foreign table shows\n$there\nthe local one\n$here";
}

sub names
{
	return join ', ', map { "'$_'" } @_;
}

# The end of a COPY ends the statement.
sub terminated
{
	my ($sql) = @_;

	return $sql . ($sql =~ /\\\.$/ ? "\n" : ";\n");
}

# The SQL of steps, for a person to repeat: what was done to the foreign tables.
sub script_of
{
	return join '', map { terminated($_->{both} // $_->{foreign}) } @_;
}

# Begins and ends with empty tables, so that what it did is all that is needed
# to repeat it.
sub run_round
{
	my (@sessions) = @_;
	my @trace;
	my $steps = 0;

	$crowded = rand() < 0.5;
	for (1 .. $TRANSACTIONS)
	{
		my ($session, $other) = rand() < 0.5 ? @sessions : reverse @sessions;
		my @todo = make_transaction();
		my $truncates = grep { $_->{about}{truncates} } @todo;
		my @parts = ([@todo]);

		# what is not committed must not be seen; a TRUNCATE locks
		@parts = ([ splice @todo, 0, rand @todo ], [@todo]) if !$truncates && rand() < 0.4;
		for my $part (@parts)
		{
			my ($problem, $at) = run_steps($session, @$part);

			push @trace, script_of(@$part[ 0 .. $at // $#$part ]);
			$problem ||= $other->query('SELECT differences(' . names(@all) . ')') =~ s/^(?=.)/the other session sees differences:\n/r;
			return (0, "$problem\nwhat was done:\n" . join('-- ' . '-' x 20 . "\n", @trace)) if $problem;
			$steps += @$part;
		}
	}
	$sessions[0]->query(join ';', map { ("DELETE FROM f_$_", "DELETE FROM l_$_") } @all);
	$sessions[0]->query('SELECT ltdb_kv_delete(server, collection, key) FROM l_pairs; DELETE FROM l_pairs');
	return ($steps, '');
}

# ---- here we go ----

my @servers = (LtdbTest->new, LtdbTest->new);
my $node = start_node();
my @sessions = (LtdbSession->new($node), LtdbSession->new($node));

create_server($sessions[0], 'one', $servers[0], q(batch_size '5'));
create_server($sessions[0], 'two', $servers[1]);
$sessions[0]->query($local_side);
for my $name (@all)
{
	my $place = $tables{$name};
	my $columns = $place->{columns} // 'key text, ts bigint, data text';
	my $options = join ', ', "collection '$place->{collection}'", $place->{options} // ();
	my $mode = $place->{immediate} ? 'immediate' : 'commit';

	$sessions[0]->query(qq{
		INSERT INTO tables VALUES ('$name', '$place->{server}', '$place->{collection}');
		CREATE FOREIGN TABLE f_$name ($columns) SERVER $place->{server} OPTIONS ($options);
		CREATE FOREIGN TABLE f_${name}_kv (key text, value text) SERVER $place->{server}
			OPTIONS (kind 'kv', collection '$place->{collection}', write_mode '$mode');
		CREATE VIEW l_${name}_kv AS SELECT key, value, server, collection FROM l_pairs
			WHERE server = '$place->{server}' AND collection = '$place->{collection}';
		ALTER VIEW l_${name}_kv ALTER server SET DEFAULT '$place->{server}';
		ALTER VIEW l_${name}_kv ALTER collection SET DEFAULT '$place->{collection}';
		CREATE TABLE l_$name (key text NOT NULL, ts bigint NOT NULL, data text, PRIMARY KEY (key, ts));
		CREATE TRIGGER replace_ BEFORE INSERT ON l_$name FOR EACH ROW EXECUTE FUNCTION replace_()});
}
for my $session (@sessions)
{
	$session->query('SET client_min_messages = error');
	for my $table (map { ("f_$_", "l_$_") } @all)
	{
		$session->query(qq{
			PREPARE get_$table(text, bigint) AS SELECT ts, data FROM $table WHERE key = \$1 AND ts >= \$2 ORDER BY ts;
			PREPARE put_$table(text, bigint, text) AS INSERT INTO $table (key, ts, data) VALUES (\$1, \$2, \$3)});
	}
}

my $seed = $ENV{LTDB_TEST_SEED} || a_number(1, 1_000_000_000);
my $total = 0;
my $done = 0;
my $began = time;

note("LTDB_TEST_SEED=$seed");
for my $round (0 .. $ROUNDS - 1)
{
	srand($seed + $round);
	my ($steps, $problem) = eval { run_round(@sessions) };

	if ($problem ||= $@)
	{
		fail('round ' . ($round + 1) . ' of random transactions');
		diag('repeat it with LTDB_TEST_SEED=' . ($seed + $round) . " LTDB_TEST_ROUNDS=1\n$problem");
		last;
	}
	$total += $steps;
	last if ++$done == $ROUNDS || time - $began > $SECONDS;
}
cmp_ok($total, '>=', 5 * $done * $TRANSACTIONS, "the same rows after each of $total steps");

done_testing();
