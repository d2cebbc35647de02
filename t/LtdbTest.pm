# LtdbTest.pm
#	What a test of the extension begins with: an ltdbd that can be hurt, and a
#	PostgreSQL with the extension that knows it.
#
# Starting the process and reading its log is LtdbdWire.pm's business, talking
# to PostgreSQL that of LtdbSession.pm.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbTest;

use strict;
use warnings;

use Exporter qw(import);
use LtdbSession;
use LtdbdWire qw(start_server stop_server kill_server);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(start_node create_server quoted seconds open_files memory_peak);

# ---- ltdbd ----

# An ltdbd, in memory unless durable; it comes back on the port it had.
sub new
{
	my ($class, %option) = @_;
	my $self = bless { arguments => $option{arguments} // [] }, $class;

	push @{ $self->{arguments} }, '--data', PostgreSQL::Test::Utils::tempdir() if $option{durable};
	$self->start;
	return $self;
}

sub start
{
	my ($self) = @_;

	$self->{server} = start_server('--port', $self->{port} // 0, @{ $self->{arguments} });
	$self->{port} = $self->{server}{port};
	return;
}

sub kill
{
	my ($self) = @_;

	kill_server($self->{server});
	return;
}

sub stop
{
	my ($self) = @_;

	stop_server($self->{server});
	return;
}

sub restart
{
	my ($self) = @_;

	$self->kill;
	$self->start;
	return;
}

# It goes on to exist, but does nothing.
sub pause
{
	my ($self) = @_;

	CORE::kill 'STOP', $self->{server}{pid};
	return;
}

sub resume
{
	my ($self) = @_;

	CORE::kill 'CONT', $self->{server}{pid};
	return;
}

sub url
{
	my ($self) = @_;

	return "ws://127.0.0.1:$self->{port}";
}

# How many connections it has had, and has, since its last start.
sub connections
{
	my ($self) = @_;
	my $log = LtdbdWire::server_log($self->{server});
	my $opened = () = $log =~ / connected(?:: .*)?$/mg;
	my $closed = () = $log =~ / closed: /mg;

	return { opened => $opened, open => $opened - $closed };
}

# The server sees a connection end a little later than its client does.
sub await_open
{
	my ($self, $open) = @_;

	for (1 .. 500)
	{
		return 1 if $self->connections->{open} == $open;
		sleep(0.01);
	}
	return 0;
}

# ---- PostgreSQL ----

# A cluster with the extension; CONF is added to its configuration.
sub start_node
{
	my ($conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new('main');

	$node->init;
	$node->append_conf('postgresql.conf', "log_statement = none\ntimezone = 'UTC'\n" . ($conf // ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION ltdb_fdw');
	return $node;
}

# A foreign server for an ltdbd, and a mapping for the session's user.
sub create_server
{
	my ($session, $name, $ltdb, $options) = @_;
	my $more = $options ? ", $options" : '';

	$session->query("CREATE SERVER $name FOREIGN DATA WRAPPER ltdb_fdw OPTIONS (url '"
		  . $ltdb->url . "'$more)");
	$session->query("CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (api_key "
		  . quoted($LtdbdWire::KEY) . ')');
	return;
}

# A string as SQL writes it.
sub quoted
{
	my ($text) = @_;

	return q(') . $text =~ s/'/''/gr . q(');
}

# ---- measuring ----

# How long something takes.
sub seconds (&)
{
	my ($work) = @_;
	my $began = time;

	$work->();
	return time - $began;
}

sub open_files
{
	my ($pid) = @_;
	my @files = glob("/proc/$pid/fd/*");

	return scalar @files;
}

# The most memory that a process has had so far, in MiB.
sub memory_peak
{
	my ($pid) = @_;
	my ($kib) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB$/m;

	return $kib / 1024;
}

1;
