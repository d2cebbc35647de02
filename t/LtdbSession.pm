# LtdbSession.pm
#	A psql that stays open: statements that are waited for, and statements that
#	are only started, so that something can happen to them.
#
# PostgreSQL's own background psql does the first only, and changes with its
# versions.  Making the server that psql talks to is LtdbTest.pm's business.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbSession;

use strict;
use warnings;

use IPC::Run;
use Time::HiRes qw(time sleep);

# Nothing under test may take longer.
our $TIMEOUT = 120;

sub new
{
	my ($class, $node, $database) = @_;
	my $self = bless { in => '', out => '', err => '', count => 0 }, $class;

	$self->{run} = IPC::Run::start(
		[
			'psql', '--no-psqlrc', '--quiet', '--no-align', '--tuples-only',
			'--set', 'VERBOSITY=verbose', '--file', '-',
			'--dbname', $node->connstr($database // 'postgres')
		],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($TIMEOUT));
	return $self;
}

# Sends statements; finish() waits for their end.
sub start
{
	my ($self, $sql) = @_;

	$self->{mark} = 'end of statement ' . ++$self->{count};
	$self->{out} = '';
	$self->{err} = '';
	$self->{in} .= "$sql\n;\n\\echo '$self->{mark}'\n\\warn '$self->{mark}'\n";
	$self->{run}->pump_nb;
	return;
}

# What the started statements printed, and what they complained about.  A
# session that has ended, of itself or by force, is finished as well.
sub finish
{
	my ($self) = @_;
	my $mark = qr/$self->{mark}\n/;

	until ($self->{out} =~ $mark && $self->{err} =~ $mark)
	{
		next if eval { $self->{run}->pump };
		die $@ if $@ =~ /timeout/;
		last;
	}
	s/$mark// for $self->{out}, $self->{err};
	chomp($self->{out}, $self->{err});
	return ($self->{out}, $self->{err});
}

# The rows of statements that must not fail.
sub query
{
	my ($self, $sql) = @_;

	$self->start($sql);
	my ($out, $err) = $self->finish;
	die "$sql\nfailed: $err" if $err =~ /^\S* ?(ERROR|FATAL|PANIC)|server closed/m;
	return $out;
}

# What statements complain about: "... ERROR:  SQLSTATE: message ...".
sub error
{
	my ($self, $sql) = @_;

	$self->start($sql);
	return ($self->finish)[1];
}

# The process that serves this session.
sub backend
{
	my ($self) = @_;

	return $self->{backend} //= $self->query('SELECT pg_backend_pid()');
}

# What a person does with Ctrl-C.
sub interrupt
{
	my ($self) = @_;

	$self->{run}->signal('INT');
	return;
}

# Waits, as seen from this session, until another one waits for an LTDB server.
sub await_waiting
{
	my ($self, $other) = @_;
	my $backend = $other->{backend} // die 'ask for its backend first';
	my $deadline = time + $TIMEOUT;

	while ($self->query("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $backend")
		ne 'Extension')
	{
		die 'the session does not wait for its LTDB server' if time > $deadline;
		sleep(0.01);
	}
	return;
}

sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	$self->{run}->finish;
	return;
}

1;
