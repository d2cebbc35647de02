# LtdbCerts.pm
#	A certification authority for the length of a test.
#
# Made by the program openssl, with elliptic curves as that is quick.  What the
# certificates are good for is left to the tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

package LtdbCerts;

use strict;
use warnings;

use POSIX ();

# A new authority in a directory that exists.
sub new
{
	my ($class, $dir) = @_;
	my $self = bless { dir => $dir }, $class;

	_write("$dir/index.txt", '');
	_write("$dir/serial", "01\n");
	_write("$dir/crlnumber", "01\n");
	_write(
		"$dir/ca.conf", <<"CONF");
[ca]
default_ca = authority
[authority]
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/ca.crt
private_key = $dir/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = anything
copy_extensions = copy
[anything]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority_extensions]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
keyUsage = critical, keyCertSign, cRLSign
CONF
	$self->_openssl('req', '-x509', '-days', 30, '-subj', '/CN=test authority',
		'-extensions', 'authority_extensions', $self->_new_key('ca'), '-out', "$dir/ca.crt");
	return $self;
}

# A certificate for NAMES (such as DNS:localhost, IP:127.0.0.1), valid from and
# to the given times (YYYYMMDDHHMMSSZ) or now.
sub issue
{
	my ($self, $file, $names, @validity) = @_;
	my $dir = $self->{dir};

	$self->_openssl('req', '-new', '-subj', "/CN=$file",
		$names ? ('-addext', "subjectAltName=$names") : (),
		$self->_new_key($file), '-out', "$dir/$file.csr");
	$self->_openssl('ca', '-batch', '-notext',
		@validity ? ('-startdate', $validity[0], '-enddate', $validity[1]) : (),
		'-in', "$dir/$file.csr", '-out', "$dir/$file.crt");
	return;
}

# A list of those that were revoked so far.
sub revoke
{
	my ($self, @files) = @_;

	$self->_openssl('ca', '-revoke', $self->cert($_)) for @files;
	$self->_openssl('ca', '-gencrl', '-out', $self->crl);
	return;
}

sub cert
{
	my ($self, $file) = @_;

	return "$self->{dir}/$file.crt";
}

sub key
{
	my ($self, $file) = @_;

	return "$self->{dir}/$file.key";
}

sub crl
{
	my ($self) = @_;

	return "$self->{dir}/revoked.crl";
}

sub _new_key
{
	my ($self, $file) = @_;

	return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
		'-keyout', $self->key($file));
}

sub _openssl
{
	my ($self, @command) = @_;
	my $log = "$self->{dir}/openssl.log";
	my $pid = fork() // die "fork: $!";

	if ($pid == 0)
	{
		open(STDOUT, '>', $log) or POSIX::_exit(99);
		open(STDERR, '>&', STDOUT) or POSIX::_exit(99);
		exec('openssl', $command[0], '-config', "$self->{dir}/ca.conf", @command[ 1 .. $#command ])
		  or POSIX::_exit(99);
	}
	waitpid($pid, 0);
	return if $? == 0;
	open(my $in, '<', $log) or die "$log: $!";
	die "openssl @command: " . join('', <$in>);
}

sub _write
{
	my ($path, $text) = @_;

	open(my $out, '>', $path) or die "$path: $!";
	print $out $text;
	close($out) or die "$path: $!";
	return;
}

1;
