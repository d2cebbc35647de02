# 020_ltdbd.pl
#	ltdbd as its clients see it: requests, refusals, frames, durability,
#	fairness, the command line.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Temp qw(tempdir);
use JSON::PP;
use LtdbdWire qw(start_server stop_server kill_server ltdbd_path connect_to login);
use Test::More;
use Time::HiRes qw(time sleep);

my $KEY = $LtdbdWire::KEY;
my $server = start_server();

# A session that is opened anew after a refusal.
my $c = login($server);

# What a refused text leads to: messages until the close, then the code.
sub refusal
{
	my ($connection, $text) = @_;
	my @seen;

	$connection->send_text($text);
	while (defined(my $message = $connection->read_text))
	{
		push @seen, "[$message]";
	}
	return join(' ', @seen, $connection->{closed});
}

# The same for a request with this type and data, after a login of its own.
sub refused_request
{
	my ($type, $data) = @_;
	my $connection = login($server);

	return refusal($connection, $connection->request_text($type, $data));
}

# ---- the envelope ----

{
	my $nothing_then_close = '[] 1000';
	my %broken = (
		'not JSON' => '{"id":"1","type":"collections"',
		'an array' => '["id","type","data"]',
		'no id' => '{"type":"collections","data":"{}"}',
		'no type' => '{"id":"1","data":"{}"}',
		'no data' => '{"id":"1","type":"collections"}',
		'an empty id' => '{"id":"","type":"collections","data":"{}"}',
		'an empty type' => '{"id":"1","type":"","data":"{}"}',
		'empty data' => '{"id":"1","type":"collections","data":""}',
		'an id that is a number' => '{"id":1,"type":"collections","data":"{}"}',
		'data that is an object' => '{"id":"1","type":"collections","data":{}}',
		'invalid UTF-8' => qq({"id":"\xff","type":"collections","data":"{}"}),
		'something behind the object' => '{"id":"1","type":"collections","data":"{}"} x',
		'an empty message' => '',
	);
	is(refusal(login($server), $broken{$_}), $nothing_then_close, "envelope: $_")
	  for sort keys %broken;
	is(refusal(connect_to($server), 'x'), $nothing_then_close,
		'envelope: not JSON, before authentication');

	is(refused_request('no-such', {}), '[{"error":"Unknown message type"}] 1000',
		'an unknown type is answered without an id, then the connection closed');
	is(refused_request('collections', '{'), '1000', 'data that is not JSON');

	is_deeply($c->request('collections', {}), { collections => [] }, 'no collections');
	$c->send_text('{"data":"{}", "x":[1.5e3,{"y":null}], "type":"\u0063ollections", "id":"\ud83d\ude00\"\n"}');
	is($c->read_text, qq({"id":"\xf0\x9f\x98\x80\\"\\n","collections":[]}),
		'other members are passed over, escapes understood, the id comes back');
}

# ---- authentication ----

{
	my $new = connect_to($server);
	is_deeply($new->request('api-key', $KEY), {}, 'the right key is answered');
	is_deeply($new->request('collections', {}), { collections => [] }, '... and opens the door');

	for my $wrong ('x', $KEY . 'x', substr($KEY, 0, -1), "$KEY\0", 'x' x 5000)
	{
		my $other = connect_to($server);
		is(refusal($other, $other->request_text('api-key', $wrong)), '1000',
			'wrong key of ' . length($wrong) . ' characters');
	}
	for my $type ('collections', 'insert', 'no-such')
	{
		my $other = connect_to($server);
		is(refusal($other, $other->request_text($type, '{}')), '1000',
			"$type before authentication");
	}
	is(refused_request('api-key', 'x'), '1000', 'a wrong key after the right one');
}

# ---- insert and query-user ----

{
	is_deeply($c->insert('w', [ 'a', 10, 'ten' ], [ 'a', 5, 'five' ], [ 'b', 7, 'seven' ]), {},
		'insert of three records');
	is($c->fetch('w', 'a'), '5=five 10=ten', 'they come back by ts');
	$c->insert('w', [ 'a', 10, 'TEN' ]);
	is($c->fetch('w', 'a'), '5=five 10=TEN', 'the same key and ts: replaced');
	is_deeply($c->request('insert', []), {}, 'an empty array is answered');

	$c->insert('', [ '', 0, '' ], [ '', -2147483648, 'first' ], [ '', 2147483647, 'last' ]);
	is($c->latest(''), undef, 'query wants a collection');
	$c = login($server);
	$c->insert('w', [ 'e', 0, '' ], [ 'e', -2147483648, 'first' ], [ 'e', 2147483647, 'last' ]);
	is($c->fetch('w', 'e'), '-2147483648=first 0= 2147483647=last', 'empty data, all of 32 bits');
	is($c->fetch('w', 'e', from => -9_000_000_000_000_000_000, to => 9_000_000_000_000_000_000), '-2147483648=first 0= 2147483647=last',
		'64-bit bounds');
	is($c->fetch('w', 'e', from => 2147483648, to => 1 << 40), '', '... above every ts');
	is($c->collections, ' w', 'the empty collection name is one, too');

	$c->request('insert', [ { collection => 'w', key => 'n', ts => 1, data => $_ } ])
	  , is($c->fetch('w', 'n'), '1=', 'data that is no string counts as empty')
	  for 5, [ 1, { a => 2 } ], undef;
	$c->request('insert', [ { collection => 'w', key => 'n', ts => 2 } ]);
	is($c->fetch('w', 'n'), '1= 2=', '... and so does missing data');

	my $odd = qq(tab\t nul\0 del\x7f quote" back\\ slash/ \x{e9}\x{20ac}\x{1f600} \x01\x1f\r\n\b\f);
	$c->insert("odd/$odd", [ $odd, 1, $odd ]);
	is($c->fetch("odd/$odd", $odd), "1=$odd", 'any characters, NUL included');
	is($c->latest("odd/$odd"), "$odd:1=$odd", '... as a name of a member');
	$c->request('delete-collection', { collection => "odd/$odd" });

	my %bad = (
		'an object' => {},
		'an element that is a number' => [ { collection => 'w', key => 'x', ts => 1, data => '' }, 1 ],
		'ts 2147483648' => [ { collection => 'w', key => 'x', ts => 2147483648, data => '' } ],
		'ts -2147483649' => [ { collection => 'w', key => 'x', ts => -2147483649, data => '' } ],
		'a ts with a fraction' => '[{"collection":"w","key":"x","ts":1.0,"data":""}]',
		'a ts that is a string' => '[{"collection":"w","key":"x","ts":"1","data":""}]',
		'no ts' => [ { collection => 'w', key => 'x', data => '' } ],
		'a key that is a number' => '[{"collection":"w","key":1,"ts":1,"data":""}]',
		'the last of many being bad' => [
			(map { { collection => 'w', key => 'x', ts => $_, data => '' } } 1 .. 500),
			{ collection => 'w', key => 'x', ts => 1.5, data => '' } ],
	);
	is(refused_request('insert', $bad{$_}), '1000', "insert refused: $_") for sort keys %bad;
	is($c->fetch('w', 'x'), '', 'nothing of them was stored');
}

{
	$c->insert('p', map { [ 'k', $_, "d$_" ] } 1 .. 9);
	is($c->fetch('p', 'k', from => 3, to => 5), '3=d3 4=d4 5=d5', 'both bounds are inclusive');
	is($c->fetch('p', 'k', from => 3, to => 3), '3=d3', 'a single ts');
	is($c->fetch('p', 'k', limit => 2), '1=d1 2=d2', 'limit');
	is($c->fetch('p', 'k', reverse => JSON::PP::true, limit => 2), '9=d9 8=d8',
		'reverse, then limit');
	is($c->fetch('p', 'k', reverse => JSON::PP::true, from => 7),
		'9=d9 8=d8 7=d7', 'reverse with a bound');
	is($c->fetch('p', 'k', limit => $_, from => 8), '8=d8 9=d9', "limit $_ means all") for 0, -1;
	is($c->fetch('p', 'no'), '', 'an unknown key');
	is($c->fetch('no', 'k'), '', 'an unknown collection');

	my %good = (collection => 'p', key => 'k', from => 0, to => 10);
	my %bad = (
		'to 0' => { %good, from => -5, to => 0 },
		'from > to' => { %good, from => 11 },
		'empty key' => { %good, key => '' },
		'empty collection' => { %good, collection => '' },
		'no key' => { collection => 'p', from => 0, to => 10 },
		'no to' => { collection => 'p', key => 'k', from => 0 },
		'key is a number' => { %good, key => 1 },
		'an array' => [],
	);
	is(refused_request('query-user', $bad{$_}), '1000', "query-user refused: $_")
	  for sort keys %bad;
}

# ---- query ----

{
	$c->insert('q', [ 'a', -5, 'n' ], [ 'b', 10, 'x' ], [ 'b', 20, 'y' ], [ 'c', 30, 'z' ]);
	is($c->latest('q'), 'a:-5=n b:20=y c:30=z', 'the newest of each key');
	is($c->latest('q', ts => 19), 'a:-5=n b:10=x', '... at a time');
	is($c->latest('q', ts => 29, from => 11), 'b:20=y', '... and not older than from');
	is($c->latest('q', ts => 19, from => 11), '', '... which may leave none');
	is($c->latest('q', key => 'b'), 'b:20=y', 'of one key');
	is($c->latest('q', key => 'b', ts => 9), '', '... that has none yet');
	is($c->latest('no'), '', 'of an unknown collection');
	is(refused_request('query', { collection => 'q', ts => 0 }), '1000', 'query refused: ts 0');
	is(refused_request('query', { collection => '', ts => 1 }), '1000',
		'query refused: empty collection');
}

# ---- deletes ----

{
	my $names = sub { return { collection => 'd', @_ } };

	$c->insert('d', map { [ 'a', $_, '' ] } -1 .. 4);
	$c->insert('d', [ 'b', 1, '' ]);
	$c->request('set-value', $names->(key => 'k', value => 'v'));
	is_deeply($c->request('delete-record', $names->(key => 'a', ts => -1)), {},
		'delete of a record at a negative ts');
	is_deeply($c->request('delete-record', $names->(key => 'a', ts => $_)), {},
		"... of none, at $_") for 99, 1 << 40;
	is_deeply($c->request('delete-record', { collection => '', key => '', ts => 0 }), {},
		'... without names');
	is($c->fetch('d', 'a'), '0= 1= 2= 3= 4=', 'only that one is gone');

	is_deeply($c->request('delete-multiple-records',
			[ map { $names->(key => 'a', ts => $_) } 1, 3, 77 ]), {}, 'delete of several');
	is($c->fetch('d', 'a'), '0= 2= 4=', 'they are gone');
	for my $bad ({ ts => 0, key => 'a' }, { ts => -1, key => 'a' }, { ts => 2, key => '' },
		{ ts => 2, key => 'a', collection => '' })
	{
		is(refused_request('delete-multiple-records',
				[ $names->(key => 'a', ts => 2), $names->(%$bad) ]), '1000',
			'delete of several refused');
	}
	is($c->fetch('d', 'a'), '0= 2= 4=', '... before anything is deleted');

	$c->request('delete-record', $names->(key => 'b', ts => 1));
	is($c->latest('d'), 'a:4=', 'a key without records is not listed');
	$c->request('delete-record', $names->(key => 'a', ts => $_)) for 0, 2, 4;
	like($c->collections, qr/\bd\b/, 'a collection emptied record by record stays');
	is_deeply($c->request('get-value', $names->(key => 'k')), { value => 'v' }, '... with its pairs');
	$c->request('delete-user', $names->(key => 'a'));
	like($c->collections, qr/\bd\b/, 'a missing key takes nothing with it');

	$c->insert('d', [ 'a', 1, '' ], [ 'b', 1, '' ]);
	$c->request('delete-user', $names->(key => 'a'));
	is($c->latest('d'), 'b:1=', 'delete of a key');
	$c->request('delete-user', $names->(key => 'b'));
	unlike($c->collections, qr/\bd\b/, 'the last key takes the collection with it');
	is_deeply($c->request('get-value', $names->(key => 'k')), { value => '' }, '... and its pairs');

	$c->insert('d1', [ 'x', 1, '' ], [ 'y', 1, '' ]);
	$c->insert('d2', [ 'x', 1, '' ]);
	$c->request('set-value', { collection => $_, key => 'k', value => 'v' }) for 'd1', 'd2', 'd3';
	$c->request('delete-user', { key => 'x', collection => '' });
	is($c->latest('d1'), 'y:1=', 'delete of a key everywhere');
	like($c->collections, qr/\bd1\b/, '... keeps collections with records');
	unlike($c->collections, qr/\bd[23]\b/, '... drops those without, pairs or not');
	$c->insert('d2', [ 'y', 1, '' ]);
	$c->request('delete-user', { key => 'y' });
	unlike($c->collections, qr/\bd[12]\b/, '... also with the collection missing');

	$c->insert('d', [ 'a', 1, '' ]);
	$c->request('set-value', $names->(key => 'k', value => 'v'));
	is_deeply($c->request('delete-collection', { collection => 'd' }), {}, 'delete of a collection');
	is($c->fetch('d', 'a'), '', '... takes its records');
	is_deeply($c->request('get-all-keys', { collection => 'd' }), { keys => [] }, '... and pairs');
	is_deeply($c->request('delete-collection', { collection => 'd' }), {}, 'a missing one is fine');
	is(refused_request('delete-collection', { collection => '' }), '1000', 'an empty name is not');
	is(refused_request('delete-user', { collection => 'd' }), '1000', 'delete-user without a key');
}

# ---- key-value pairs ----

{
	my %pair = (collection => 'kv', key => 'k');

	is_deeply($c->request('get-value', {%pair}), { value => '' }, 'a missing pair');
	is_deeply($c->request('set-value', { %pair, value => "v\0\"" }), {}, 'set-value');
	is_deeply($c->request('get-value', {%pair}), { value => "v\0\"" }, 'get-value');
	$c->request('set-value', { %pair, value => 'w' });
	$c->request('set-value', { %pair, key => 'l', value => 'x' });
	$c->insert('kv', [ 'k', 1, 'record' ]);
	is_deeply($c->request('get-all-keys', { collection => 'kv' }), { keys => [ 'k', 'l' ] },
		'get-all-keys');
	is_deeply($c->request('get-all-values', { collection => 'kv' }),
		{ values => { k => 'w', l => 'x' } }, 'get-all-values');
	is_deeply($c->request('remove-value', {%pair}), {}, 'remove-value');
	is_deeply($c->request('remove-value', {%pair}), {}, '... of a missing one');
	is_deeply($c->request('get-value', {%pair}), { value => '' }, 'it is gone');
	is($c->fetch('kv', 'k'), '1=record', 'the record of the same name is not');
	$c->request('set-value', { collection => 'only', key => 'k', value => 'v' });
	like($c->collections, qr/\bonly\b/, 'a collection of pairs only is listed');

	is(refused_request('set-value', { %pair, value => 'v', @$_ }), '1000', "set-value refused: @$_")
	  for [ collection => '' ], [ key => '' ], [ value => '' ], [ value => 5 ];
}

# ---- frames, pipelining, order ----

{
	my @ids = map { $c->send_request('collections', {}) } 1 .. 200;
	my @answered = map { $c->read_answer->{id} } @ids;
	is_deeply(\@answered, \@ids, '200 pipelined requests are answered in order');

	my $text = '';
	@ids = ();
	for my $i (1 .. 300)
	{
		$text .= LtdbdWire::frame(1, $c->request_text(insert =>
				[ { collection => 'o', key => 'k', ts => $i, data => 'x' } ]));
		push @ids, 'r' . $c->{id};
		$text .= LtdbdWire::frame(1, $c->request_text('query-user' =>
				{ collection => 'o', key => 'k', from => $i, to => $i }));
	}
	$c->write_bytes($text);
	my $seen = 0;
	for my $id (@ids)
	{
		$seen++ if $c->read_answer->{id} eq $id && @{ $c->read_answer->{records} } == 1;
	}
	is($seen, 300, 'a read behind a write in the same pipeline sees it');

	my $request = $c->request_text('query-user', { collection => 'p', key => 'k', from => 1, to => 1 });
	my $half = int(length($request) / 2);
	$c->write_bytes(LtdbdWire::frame(1, substr($request, 0, $half), 0)
		  . LtdbdWire::frame(9, 'ping')
		  . LtdbdWire::frame(0, substr($request, $half), 1));
	is($c->read_answer->{records}[0]{data}, 'd1', 'a request in two frames, with a ping in between');

	my $slow = connect_to($server);
	$slow->write_bytes($_)
	  for split //, LtdbdWire::frame(1, $slow->request_text('api-key', $KEY))
	  . LtdbdWire::frame(1, $slow->request_text('collections', {}));
	is_deeply($slow->read_answer, { id => 'r1' }, 'a client that writes byte by byte');
	ok($slow->read_answer->{collections}, '... is answered');

	my $refused = login($server);
	$refused->send_request('collections', {});
	is(refusal($refused, $refused->request_text('delete-collection', { collection => '' }))
		  =~ s/"collections":\[.*?\]/.../r, '[{"id":"r2",...}] 1000',
		'answers before a refusal are still sent');

	$refused = login($server);
	$refused->write_bytes(LtdbdWire::frame(2, $refused->request_text('collections', {})));
	is($refused->read_text // $refused->{closed}, 1003, 'a binary message is refused');
}

# ---- long answers ----

my $BIG = 60_000;
{
	my $data = 'y' x 400;
	for my $part (0 .. 29)
	{
		$c->send_request('insert', '[' . join(',', map {
					my $ts = $part * 2000 + $_;
					qq({"collection":"big","key":"k","ts":$ts,"data":"$data"})
				} 1 .. 2000) . ']');
	}
	$c->read_answer for 0 .. 29;

	$c->send_request('query-user', { collection => 'big', key => 'k', from => 0, to => $BIG });
	my $text = $c->read_text;
	ok($text eq qq({"id":"r$c->{id}","records":[)
		  . join(',', map { qq({"ts":$_,"data":"$data"}) } 1 .. $BIG) . ']}',
		'all records of a long answer, in order') or diag(substr($text, 0, 200));
	cmp_ok($c->{frames}, '>', 50, "... in many frames ($c->{frames})");
	my $answer = $c->request('query-user', { collection => 'big', key => 'k', from => 0, to => $BIG,
			reverse => JSON::PP::true, limit => 5000 });
	is(join(' ', map { $_->{ts} } @{ $answer->{records} }[ 0, 2500, 4999 ]) . ' '
		  . @{ $answer->{records} }, '60000 57500 55001 5000', 'long, reverse and limited');

	my @pairs = map { sprintf('%05d', $_) } 1 .. 9000;
	$c->send_request('set-value', { collection => 'many', key => $_, value => "v$_" }) for @pairs;
	$c->read_answer for @pairs;
	is_deeply($c->request('get-all-keys', { collection => 'many' })->{keys}, \@pairs,
		'more pairs than one piece of an answer has');
	is(scalar(keys %{ $c->request('get-all-values', { collection => 'many' })->{values} }), 9000,
		'... with their values');
	$c->insert('keys', map { [ "k$_", $_ > 8500 ? 100 : 1, '' ] } @pairs);
	is(scalar(split / /, $c->latest('keys')), 9000, 'more keys than one piece of an answer has');
	is(scalar(split / /, $c->latest('keys', from => 50)), 500,
		'... the first of which have nothing to show');
}

{
	my $before_kb = LtdbdWire::resident_kb($server);
	my $lazy = login($server, receive_buffer => 4096);
	my @ids = map { $lazy->send_request('query-user',
			{ collection => 'big', key => 'k', from => 0, to => $BIG }) } 1 .. 5;
	my $worst = 0;
	for my $i (1 .. 100)
	{
		my $begin = time;
		$c->fetch('p', 'k', from => $i, to => $i);
		$c->insert('p', [ 'w', $i, '' ]) if $i % 10 == 0;
		my $elapsed = time - $begin;
		$worst = $elapsed if $elapsed > $worst;
	}
	cmp_ok($worst, '<', 2, 'a reader that does not read keeps nobody waiting');

	cmp_ok(LtdbdWire::resident_kb($server) - $before_kb, '<', 30_000,
		'its answers, 125 MB, do not pile up in memory');

	my $records = 0;
	for my $id (@ids)
	{
		my $text = $lazy->read_text;
		$records += () = $text =~ /\{"ts":\d+,/g if $text =~ /^\{"id":"$id"/;
	}
	is($records, 5 * $BIG, '... and it gets all of them when it does read');
}

{
	my $reader = login($server, receive_buffer => 4096);
	$reader->send_request('query-user', { collection => 'big', key => 'k', from => 0, to => $BIG });
	$reader->fill;
	$c->request('delete-collection', { collection => 'big' });
	my $text = $reader->read_text;
	my @ts = $text =~ /\{"ts":(\d+),/g;
	cmp_ok(scalar(@ts), '<', $BIG, 'a collection deleted under a long answer cuts it short');
	is($ts[-1], scalar(@ts), '... at a record');
	like($text, qr/"\}\]\}\z/, '... and the answer is still whole');
}

# ---- limits ----

{
	my $small = start_server('--max-message-size', 2000);
	my $connection = login($small);
	is_deeply($connection->insert('w', [ 'a', 1, 'x' x 1700 ]), {}, 'a message below the limit');
	$connection->send_request('insert', 'x' x 3000);
	is($connection->read_text // $connection->{closed}, 1009, 'one above it');
	$connection = login($small);
	$connection->write_bytes(LtdbdWire::frame(1, 'x' x 1500, 0) . LtdbdWire::frame(0, 'x' x 1500));
	is($connection->read_text // $connection->{closed}, 1009, '... also if in two frames');
	$connection = login($small);
	$connection->write_bytes(LtdbdWire::frame(1, $connection->request_text(insert =>
				[ { collection => 'w', key => 'b', ts => 1, data => '' } ]))
		  . LtdbdWire::frame(1, 'x' x 3000));
	is_deeply([ $connection->read_text, $connection->read_text // $connection->{closed} ],
		[ '{"id":"r2"}', 1009 ], '... after the answers to those before it');
	is(login($small)->fetch('w', 'a'), '1=' . 'x' x 1700, 'others are served as before');
	is(stop_server($small), 0, 'it stops in order');

	$connection = connect_to($server);
	$connection->send_text('x' x 100_000);
	is($connection->read_text // $connection->{closed}, 1009,
		'strangers have a limit of their own');

	my @crowd = map { login($server) } 1 .. 300;
	is(scalar(grep { $_->request('collections', {}) } @crowd), 300, '300 connections at once');
}

# ---- durability ----

{
	my $dir = tempdir(CLEANUP => 1) . '/new';
	my $durable = start_server('--data', $dir);
	my $connection = login($durable);

	ok(-f "$dir/ltdb.sqlite", 'the data directory is created');
	$connection->insert('w', map { [ 'a', $_, "d$_" ] } 1 .. 5);
	$connection->request('delete-record', { collection => 'w', key => 'a', ts => 3 });
	$connection->request('set-value', { collection => 'w', key => 'k', value => 'v' });
	$connection->insert('gone', [ 'a', 1, '' ]);
	$connection->request('delete-collection', { collection => 'gone' });
	kill_server($durable);

	$durable = start_server('--data', $dir);
	$connection = login($durable);
	is($connection->fetch('w', 'a'), '1=d1 2=d2 4=d4 5=d5', 'writes and deletes survive kill -9');
	is_deeply($connection->request('get-value', { collection => 'w', key => 'k' }), { value => 'v' },
		'... pairs, too');
	is($connection->collections, 'w', '... deleted collections stay deleted');

	my $said = `LTDB_SECRET_KEY=x @{[ ltdbd_path() ]} --port 0 --data $dir 2>&1`;
	is($? >> 8, 1, 'a second ltdbd on the same data does not start');
	like($said, qr/another program, perhaps another ltdbd, has it open/, '... and says why');

	is(stop_server($durable, 'INT'), 0, 'SIGINT stops it in order');
	$connection->read_text;
	is($connection->{closed}, 1001, '... and tells its clients');

	# A crash in the middle of a stream of writes: what was answered is there.
	$durable = start_server('--data', $dir);
	$connection = login($durable);
	my $sent = 0;
	$connection->send_request('insert', [ { collection => 's', key => 'k', ts => ++$sent, data => 'x' } ])
	  for 1 .. 3000;
	my $answered = 0;
	$answered++ while $answered < 500 && $connection->read_text;
	kill_server($durable);
	$durable = start_server('--data', $dir);
	my @stored = split / /, login($durable)->fetch('s', 'k');
	cmp_ok(scalar(@stored), '>=', $answered, 'every answered write of a stream survives kill -9');
	is($stored[-1], @stored . '=x', '... without gaps');
	is(stop_server($durable), 0, 'SIGTERM stops it in order');

	mkdir "$dir/other";
	open(my $file, '>', "$dir/other/ltdb.sqlite") or die "open: $!";
	print $file 'this is not a database, ' x 100;
	close $file;
	$said = `LTDB_SECRET_KEY=x @{[ ltdbd_path() ]} --port 0 --data $dir/other 2>&1`;
	is($? >> 8, 1, 'a file that is no database is refused');
	like($said, qr/cannot use the database .*not a database/, '... and it says why');
}

# ---- a full disk ----

{
	my $dir = tempdir(CLEANUP => 1);
	my $full = LtdbdWire::start_server_as(
		[ 'sh', '-c', 'ulimit -f 4096; exec "$@"', 'sh', ltdbd_path() ], '--data', $dir);
	my $other = login($full);
	my $connection = login($full);
	my $answered = 0;

	$answered++
	  while $answered < 200 && $connection->insert('w', [ 'a', $answered + 1, 'x' x 100_000 ]);
	cmp_ok($answered, '>', 2, 'writes succeed as long as there is room');
	cmp_ok($answered, '<', 200, '... and then no more');
	is($connection->{closed}, 1011, '... which the client learns by a close');
	is_deeply($other->request('collections', {}), { collections => ['w'] }, 'others are served');
	is(scalar(split / /, $other->fetch('w', 'a')), $answered, '... all that was answered');
	like(LtdbdWire::server_log($full), qr/(commit|request) failed: \S/, 'the log has the reason');
	kill_server($full);
	$full = start_server('--data', $dir);
	is(scalar(split / /, login($full)->fetch('w', 'a')), $answered, '... also after a crash');
	is_deeply(login($full)->insert('w', [ 'a', 1000, 'x' ]), {}, 'with room again it can be written');
	is(stop_server($full), 0, 'it stops in order');
}

# ---- the command line ----

sub run
{
	my ($environment, $arguments) = @_;
	my $path = ltdbd_path();
	my $said = `env -u LTDB_SECRET_KEY $environment $path $arguments 2>&1`;

	return ($? >> 8) . " $said";
}

like(run('', '--port 0'), qr/^2 .*no secret key/s, 'no key: refuses to start');
like(run('LTDB_SECRET_KEY=', '--port 0'), qr/^2 .*no secret key/s, 'an empty key likewise');
like(run('', '-s x --port 65536'), qr/^2 .*--port wants/s, 'a wrong port');
like(run('', '-s x --port x'), qr/^2 .*--port wants/s, 'a port that is no number');
like(run('', '-s x --nonsense'), qr/^2 .*nonsense/s, 'an unknown option');
like(run('', '-s x nonsense'), qr/^2 .*not options/s, 'an argument');
like(run('', '--version'), qr/^0 ltdbd \(ltdb_fdw\) 1\.0\n\z/, '--version');
like(run('', '--help'), qr/^0 .*--secret-key.*--data.*--port.*--listen.*--flush-interval/s, '--help');
like(run('', "-s x --port $server->{port}"), qr/^1 .*cannot listen/s, 'a port in use');
like(run('', '-s x --data /dev/null/x'), qr/^1 .*cannot create directory/s, 'an impossible directory');

{
	my $other = start_server('-s', 'shown key', '-f', '15');
	my $connection = connect_to($other);
	is_deeply($connection->request('api-key', 'shown key'), {}, 'the key of -s wins');
	open(my $command, '<', "/proc/$other->{pid}/cmdline") or die "cmdline: $!";
	unlike(join('', <$command>), qr/shown key/, '... and does not stand in the process list');
	unlike(LtdbdWire::server_log($other), qr/shown key/, '... nor in the log');
	like(LtdbdWire::server_log($other), qr/^\S+Z 127\.0\.0\.1:\d+ connected\n\S+Z \S+ authenticated$/m,
		'the log has a line for each event');
	for my $case ([ 'a client/1 (x)', ': a client\/1 \(x\)' ], [ "a\tb\x1b[1m\xff", ': a\?b\?\[1m\?' ], [ '', '' ], [ 'x' x 500, '' ])
	{
		my ($name, $shown) = @$case;
		my $lines = () = LtdbdWire::server_log($other) =~ /connected/g;
		connect_to($other, headers => "User-Agent: $name\r\n");
		my @arrivals;
		for (1 .. 500)
		{
			# the line comes when the handshake has been answered
			@arrivals = LtdbdWire::server_log($other) =~ / (connected.*)$/mg;
			last if @arrivals > $lines;
			sleep 0.01;
		}
		like($arrivals[$lines], qr/^connected$shown$/, '... which names clients that have a name');
	}
	kill 'HUP', $other->{pid};
	is_deeply($connection->request('collections', {}), { collections => [] }, 'SIGHUP is ignored');
	is(stop_server($other), 0, 'it stops in order');
}

{
	open(my $log, '+>>', undef) or die "temporary file: $!";
	my $closed = fork() // die "fork: $!";
	if ($closed == 0)
	{
		close STDOUT;
		open(STDERR, '>&', $log);
		$ENV{LTDB_SECRET_KEY} = 'x';
		exec(ltdbd_path(), '--port', 0) or POSIX::_exit(99);
	}
	for (1 .. 1000)
	{
		last if LtdbdWire::server_log({ log => $log }) =~ /started/;
		sleep(0.01);
	}
	is(waitpid($closed, POSIX::WNOHANG()), 0, 'a closed stdout does not keep it from running');
	kill 'TERM', $closed;
	waitpid($closed, 0);
	is($?, 0, '... nor from stopping');
}

is(stop_server($server), 0, 'the server of all these tests stops in order');
done_testing();
