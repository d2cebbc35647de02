# 200_tls.pl
#	wss://: whom a session trusts, whom ltdbd lets in, what is said when they do
#	not come together, and who may name the files.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IO::Socket::INET;
use IO::Socket::IP;
use LtdbCerts;
use LtdbFaults;
use LtdbSession;
use LtdbTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $other_dir = PostgreSQL::Test::Utils::tempdir();
my $ca = LtdbCerts->new($dir);
my $other_ca = LtdbCerts->new($other_dir);

$ca->issue('good', 'DNS:localhost,IP:127.0.0.1');
$ca->issue('elsewhere', 'DNS:elsewhere.example,IP:127.0.0.2');
$ca->issue('nameless', '');
$ca->issue('expired', 'DNS:localhost', '20200101000000Z', '20210101000000Z');
$ca->issue('future', 'DNS:localhost', '20490101000000Z', '20491231000000Z');
$ca->issue('revoked', 'DNS:localhost');
$ca->issue('client', '');
$ca->revoke('revoked');
$other_ca->issue('client', '');

# ltdbds with each certificate, by name.
my %ltdb = map {
	$_ => LtdbTest->new(arguments => [ '--tls-cert', $ca->cert($_), '--tls-key', $ca->key($_) ])
} qw(good elsewhere nameless expired future revoked);
$ltdb{strict} = LtdbTest->new(
	arguments => [
		'--tls-cert', $ca->cert('good'), '--tls-key', $ca->key('good'), '--tls-client-ca', $ca->cert('ca')
	]);

# One that does not speak TLS, one that says nothing, one that hangs up.
$ltdb{plain} = LtdbTest->new;
my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
$ltdb{silent} = { port => $silent->sockport };

# OpenSSL's own server, which speaks no WebSocket: whoever gets a web page from
# it has come through TLS.
my @children;
END { local $?; kill 'KILL', @children; }

sub start_web_server
{
	my ($address, @arguments) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $pid = fork() // die "fork: $!";

	if ($pid == 0)
	{
		@children = ();
		open(STDOUT, '>', '/dev/null');
		open(STDERR, '>&', STDOUT);
		exec('openssl', 's_server', '-accept', "$address:$port", '-www', @arguments) or POSIX::_exit(99);
	}
	push @children, $pid;
	for (1 .. 200)
	{
		last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) || $address ne '127.0.0.1';
		sleep 0.01;
	}
	return { port => $port };
}

# One of yesterday, one that goes by the name it is asked for, one that has an
# address only.
$ltdb{old} = start_web_server('127.0.0.1', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0',
	'-cert', $ca->cert('good'), '-key', $ca->key('good'));
$ltdb{named} = start_web_server('127.0.0.1', '-cert', $ca->cert('elsewhere'), '-key', $ca->key('elsewhere'),
	'-servername', 'localhost', '-cert2', $ca->cert('good'), '-key2', $ca->key('good'));
$ca->issue('six', 'IP:::1');
$ltdb{six} = start_web_server('[::1]', '-cert', $ca->cert('six'), '-key', $ca->key('six'));

# PostgreSQL uses OpenSSL as well, and this session comes to it by TLS.
my $node = start_node("listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '" . $ca->cert('good')
	  . "'\nssl_key_file = '" . $ca->key('good') . "'\n");
{
	package TlsNode;
	sub connstr { return 'host=127.0.0.1 sslmode=require dbname=postgres port=' . $_[0]{node}->port }
}
my $session = LtdbSession->new(bless { node => $node }, 'TlsNode');
is($session->query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), 't', 'PostgreSQL itself is reached by TLS');

$session->query(
	"CREATE SERVER ltdb FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'wss://localhost', connect_timeout '2');
	 CREATE USER MAPPING FOR CURRENT_USER SERVER ltdb OPTIONS (api_key " . quoted($LtdbdWire::KEY) . ");
	 CREATE FOREIGN TABLE metrics (key text, ts bigint, data text) SERVER ltdb");

# Sets the options of the foreign server to just these.
sub set_options
{
	my (%option) = @_;
	my %present = map { split /=/, $_, 2 }
	  split /\n/, $session->query("SELECT unnest(srvoptions) FROM pg_foreign_server WHERE srvname = 'ltdb'");
	my @changes;

	$option{connect_timeout} = '2';
	push @changes, "DROP $_" for grep { !defined $option{$_} } sort keys %present;
	push @changes, (exists $present{$_} ? 'SET ' : 'ADD ') . "$_ " . quoted($option{$_}) for sort keys %option;
	$session->query('ALTER SERVER ltdb OPTIONS (' . join(', ', @changes) . ')');
	return;
}

my %trust = (sslrootcert => $ca->cert('ca'));
my %identity = (sslcert => $ca->cert('client'), sslkey => $ca->key('client'));

# ---- what works ----

for my $case (
	[ 'a name',                     'good', 'localhost', {%trust} ],
	[ 'an address',                 'good', '127.0.0.1', {%trust} ],
	[ 'verify-ca with a wrong name', 'elsewhere', 'localhost', { %trust, sslmode => 'verify-ca' } ],
	[ 'require with a wrong name',  'elsewhere', 'localhost', { %trust, sslmode => 'require' } ],
	[ 'no-verify with a wrong name', 'elsewhere', 'localhost', { sslmode => 'no-verify' } ],
	[ 'no-verify with an expired certificate', 'expired', 'localhost', { sslmode => 'no-verify' } ],
	[ 'a list of revoked certificates', 'good', 'localhost', { %trust, sslcrl => $ca->crl } ],
	[ 'a client certificate', 'strict', 'localhost', { %trust, %identity } ],
	[ 'a client certificate that nobody asks for', 'good', 'localhost', { %trust, %identity } ])
{
	my ($name, $server, $host, $options) = @$case;

	set_options(url => "wss://$host:$ltdb{$server}{port}", %$options);
	is($session->error("INSERT INTO metrics SELECT 'k', n, repeat('x', 1000) FROM generate_series(1, 3000) n"),
		'', "$name: writing");
	is($session->query('SELECT count(*), sum(ts), sum(length(data)) FROM metrics'),
		'3000|4501500|3000000', "$name: reading");
}

# A restart is not noticed, as without TLS.
set_options(url => "wss://localhost:$ltdb{good}{port}", %trust);
is($session->query('SELECT count(*) FROM metrics'), '3000', 'connected');
$ltdb{good}->restart;
is($session->query('SELECT count(*) FROM metrics'), '0', 'a restart is not noticed');

# ---- what does not, and what is said about it ----

my $cert = qr/server certificate is not accepted/;
for my $case (
	[ 'no root certificate', 'good', 'localhost', {}, qr/$cert: .*issuer certificate/ ],
	[ 'an unknown authority', 'good', 'localhost', { sslrootcert => $other_ca->cert('ca') }, qr/$cert: / ],
	[ 'an unknown authority, verify-ca', 'good', 'localhost', { sslmode => 'verify-ca' }, qr/$cert: / ],
	[ 'an unknown authority, require', 'good', 'localhost', { sslmode => 'require' }, qr/$cert: / ],
	[ 'a wrong name', 'elsewhere', 'localhost', {%trust},
		qr/server certificate for "elsewhere.example" does not match host "localhost"/ ],
	[ 'a wrong address', 'elsewhere', '127.0.0.1', {%trust},
		qr/server certificate for "elsewhere.example" does not match host "127.0.0.1"/ ],
	[ 'a certificate without names', 'nameless', 'localhost', {%trust},
		qr/server certificate for "nameless" does not match host "localhost"/ ],
	[ 'an expired certificate', 'expired', 'localhost', {%trust}, qr/$cert: certificate has expired/ ],
	[ 'one from the future', 'future', 'localhost', {%trust}, qr/$cert: certificate is not yet valid/ ],
	[ 'one from the future, require', 'future', 'localhost', { %trust, sslmode => 'require' }, qr/$cert: / ],
	[ 'a revoked certificate', 'revoked', 'localhost', { %trust, sslcrl => $ca->crl }, qr/$cert: certificate revoked/ ],
	[ 'a revoked certificate, verify-ca', 'revoked', 'localhost',
		{ %trust, sslcrl => $ca->crl, sslmode => 'verify-ca' }, qr/$cert: certificate revoked/ ],
	[ 'no client certificate', 'strict', 'localhost', {%trust}, qr/server ended the TLS connection: .*certificate/ ],
	[ 'a client certificate of another authority', 'strict', 'localhost',
		{ %trust, sslcert => $other_ca->cert('client'), sslkey => $other_ca->key('client') },
		qr/server ended the TLS connection: / ],
	[ 'TLS 1.1', 'old', '127.0.0.1', {%trust}, qr/(TLS error: |server ended the TLS connection: ).*protocol/ ],
	[ 'TLS 1.1, no-verify', 'old', '127.0.0.1', { sslmode => 'no-verify' },
		qr/(TLS error: |server ended the TLS connection: ).*protocol/ ],
	[ 'a server name', 'named', 'localhost', {%trust}, qr/HTTP status 200/ ],
	[ 'no server name for an address', 'named', '127.0.0.1', {%trust}, qr/certificate for "elsewhere.example"/ ],
	[ 'no TLS', 'plain', '127.0.0.1', {%trust}, qr/server does not speak TLS on this port/ ],
	[ 'silence', 'silent', '127.0.0.1', {%trust}, qr/could not connect to server .* within 2000 ms/ ],
	[ 'no file', 'good', 'localhost', { sslrootcert => "$dir/nothing" },
		qr/could not access root certificate file "\Q$dir\E\/nothing": No such file/ ],
	[ 'a directory', 'good', 'localhost', { sslrootcert => $dir }, qr/root certificate file .* is not a regular file/ ],
	[ 'a file of something else', 'good', 'localhost', { sslrootcert => "$dir/ca.conf" },
		qr/could not load root certificate file .*ca\.conf/ ],
	[ 'a key of another certificate', 'strict', 'localhost',
		{ %trust, sslcert => $ca->cert('client'), sslkey => $ca->key('good') },
		qr/could not load private key file .*: .*mismatch/ ])
{
	my ($name, $server, $host, $options, $expected) = @$case;

	set_options(url => "wss://$host:$ltdb{$server}{port}", %$options);
	my $error;
	my $took = seconds { $error = $session->error('SELECT count(*) FROM metrics') };
	like($error, qr/ERROR:  08001: LTDB server "ltdb": .*$expected/, "$name is an error");
	cmp_ok($took, '<', 3, '... in time');
}

SKIP:
{
	skip 'no IPv6 here', 2 unless IO::Socket::IP->new(PeerAddr => '::1', PeerPort => $ltdb{six}{port});
	set_options(url => "wss://[::1]:$ltdb{six}{port}", %trust);
	like($session->error('SELECT count(*) FROM metrics'), qr/HTTP status 200/, 'an IPv6 address is verified');
	set_options(url => "wss://[::1]:$ltdb{six}{port}");
	like($session->error('SELECT count(*) FROM metrics'), qr/$cert/, '... or not');
}

# A key that others can read is not used.
chmod 0644, $ca->key('client');
set_options(url => "wss://localhost:$ltdb{strict}{port}", %trust, %identity);
like($session->error('SELECT count(*) FROM metrics'),
	qr/ERROR:  08001: .*private key file .* has group or world access/, 'a key that others can read is an error');
chmod 0600, $ca->key('client');
is($session->query('SELECT count(*) FROM metrics'), '3000', '... until they cannot');

# The server becomes another one while the session has a connection.
$ltdb{good}{arguments} = [ '--tls-cert', $ca->cert('elsewhere'), '--tls-key', $ca->key('elsewhere') ];
set_options(url => "wss://localhost:$ltdb{good}{port}", %trust);
is($session->query('SELECT count(*) FROM metrics'), '0', 'connected');
$ltdb{good}->restart;
like($session->error('SELECT count(*) FROM metrics'),
	qr/ERROR:  08006: .*server certificate for "elsewhere.example" does not match/,
	'reconnecting, too, looks at the certificate');

# ---- faults below TLS ----

my $proxy = LtdbFaults->new($ltdb{revoked}{port});
set_options(url => "wss://localhost:$proxy->{port}", %trust, request_timeout => '1');
$session->query("INSERT INTO metrics SELECT 'k' || n % 3, n, 'value ' || n FROM generate_series(1, 100000) n");
my $all = 'SELECT count(*), count(DISTINCT ts), sum(ts), sum(length(data)) FROM metrics';
my $everything = '100000|100000|5000050000|1088895';
my $lost = qr/ERROR:  0800[16]: LTDB server "ltdb": /;

# Answers of more than is read at once.
$session->query("CREATE FOREIGN TABLE big (key text, ts bigint, data text) SERVER ltdb;
	INSERT INTO big SELECT 'k', n, repeat(chr(96 + n), 3000000 + n) FROM generate_series(1, 9) n");
is($session->query("SELECT count(*), sum(length(data)), bool_and(data = repeat(chr(96 + ts::int), 3000000 + ts::int)) FROM big"),
	'9|27000045|t', 'long answers');

for my $case (
	[ 'cut at random', { cut => 1, random => [ 10_000, 1_000_000 ] }, $all, $everything ],
	[ 'slow', { delay_ms => 5 }, $all, $everything ],
	[ 'byte by byte', { trickle => 1 }, "SELECT data FROM metrics WHERE key = 'k1' AND ts = 1", 'value 1' ],
	[ 'cut in the TLS handshake', { cut => 500 }, $all, $lost ],
	[ 'stalls in the TLS handshake', { stall => 500 }, $all, $lost ],
	[ 'stalls in an answer', { stall => 20_000 }, $all, $lost ],
	[ 'reset, in an answer', { cut => 20_000, reset => 1 }, "$all; SELECT 1", $lost ])
{
	my ($fault, $options, $sql, $expected) = @$case;

	$session->query('ALTER SERVER ltdb OPTIONS (SET connect_timeout ' . quoted($options->{trickle} ? 20 : 2) . ')');
	$proxy->set(%$options);
	if (ref $expected)
	{
		like($session->error($sql), $expected, "$fault: an error");
	}
	else
	{
		is($session->query($sql), $expected, "$fault: the right rows");
	}
	$proxy->set;
	is($session->query($all), $everything, '... and afterwards');
}

# ---- nothing is left behind ----

my $backend = $session->backend;
set_options(url => "wss://localhost:$ltdb{elsewhere}{port}", %trust);
$session->error('SELECT count(*) FROM metrics') for 1 .. 5;
my $before = open_files($backend);
$session->error('SELECT count(*) FROM metrics') for 1 .. 5;
is(open_files($backend), $before, 'failed attempts leave no file open');

# ---- who may name files, and what makes sense ----

$session->query(
	"CREATE ROLE alice; CREATE ROLE reader; GRANT pg_read_server_files TO reader;
	 GRANT USAGE ON FOREIGN DATA WRAPPER ltdb_fdw TO alice, reader");
for my $option (qw(sslrootcert sslcrl))
{
	my $create = "CREATE SERVER %s FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url 'wss://localhost', $option '/etc/passwd')";

	like($session->error('SET ROLE alice; ' . sprintf($create, 's')),
		qr/ERROR:  42501: permission denied to set option "$option"/, "$option is not for everybody");
	is($session->error('SET ROLE reader; ' . sprintf($create, "s_$option")), '', '... but for pg_read_server_files');
	$session->query('RESET ROLE');
}
like($session->error("SET ROLE alice; CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw
		OPTIONS (url 'wss://localhost', sslcert '/x', sslkey '/y')"),
	qr/ERROR:  42501: /, 'neither are certificate and key');
like($session->error("RESET ROLE; ALTER SERVER s_sslcrl OWNER TO alice;
		SET ROLE alice; ALTER SERVER s_sslcrl OPTIONS (SET url 'wss://elsewhere.example')"),
	qr/ERROR:  42501: permission denied to set option "sslcrl"/, "... nor may anybody use another's elsewhere");
is($session->error("SET ROLE alice; CREATE SERVER s FOREIGN DATA WRAPPER ltdb_fdw
		OPTIONS (url 'wss://localhost', sslmode 'verify-full')"), '', 'sslmode is');
$session->query('RESET ROLE');

$session->quit;
$node->stop;

# ---- ltdbd's command line ----

for my $case (
	[ 2, 'go together', '--tls-cert', $ca->cert('good') ],
	[ 2, 'go together', '--tls-key', $ca->key('good') ],
	[ 2, 'wants --tls-cert', '--tls-client-ca', $ca->cert('ca') ],
	[ 1, 'cannot read .*/nothing', '--tls-cert', "$dir/nothing", '--tls-key', $ca->key('good') ],
	[ 1, 'not with this certificate and key', '--tls-cert', $ca->cert('good'), '--tls-key', $ca->key('client') ])
{
	my ($status, $words, @arguments) = @$case;
	local $ENV{LTDB_SECRET_KEY} = $LtdbdWire::KEY;
	IPC::Run::run([ LtdbdWire::ltdbd_path(), '--port', 0, @arguments ], '>', \my $out, '2>', \my $err);
	is($? >> 8, $status, "ltdbd does not start with @arguments[0 .. $#arguments - 1]");
	like($err, qr/$words/, '... and says why');
}
done_testing();
