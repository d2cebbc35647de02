# seeds.pl FOLDER
#	What the fuzz targets begin with, made of the fixtures and samples of the
#	C tests.
#
# Copyright (c) 2026, ltdb_fdw contributors

use strict;
use warnings;

use FindBin;
use Encode ();
use JSON::PP;

my ($folder) = @ARGV;
my $tests = "$FindBin::Bin/../t";
my $json = JSON::PP->new->utf8->canonical;
my %count;

# In the order of LTDB_REQ_...
my @types = qw(api-key insert query-user query collections delete-record delete-multiple-records
  delete-user delete-collection set-value get-value remove-value get-all-keys get-all-values);
my %number = map { $types[$_] => $_ } 0 .. $#types;

sub seed
{
	my ($target, $bytes) = @_;

	mkdir $_ for $folder, "$folder/$target";
	my $path = sprintf('%s/%s/%03d', $folder, $target, ++$count{$target});
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close $file;
	return;
}

sub content
{
	my ($path) = @_;

	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	return <$file>;
}

# A message in pieces of at most 60 bytes; the replies are read after each.
sub in_pieces
{
	my ($message) = @_;
	my @pieces = $message =~ /(.{1,60})/gs;

	return join('', map { chr(length($pieces[$_]) | 0x40 | ($_ == $#pieces ? 0x80 : 0)) . $pieces[$_] } 0 .. $#pieces);
}

# ---- requests and answers ----

my $talk = $json->decode(content("$tests/fixtures/conversation.json"));
my @requests;
for my $exchange (@{ $talk->{exchanges} })
{
	my ($request, $answer) = @$exchange{qw(request answer)};

	if (defined $request)
	{
		my $text = ref $request ? $json->encode($request) : $request;
		utf8::encode($text) if !ref $request && utf8::is_utf8($text);
		seed('reader', $text);
		seed('reader', Encode::encode('UTF-8', $request->{data})) if ref $request && ($request->{data} // '') =~ /^\{/;
		push @requests, $text unless $text =~ /\n/;
		seed('dispatch', $text);
	}
	if (ref $request && ref $answer)
	{
		my $number = $number{ $request->{type} } // next;
		seed('decode', pack('CCC', $number, 7, 5) . $json->encode($answer));
		for my $id (1 .. 7)
		{
			seed('receive', in_pieces($json->encode({ %$answer, id => "$id" }))) if keys %$answer > 1 || $id == 7;
		}
	}
}
seed('dispatch', join("\n", splice(@requests, 0, 12))) while @requests;

my %constant = map { ("LTDB_REQ_" . (uc $_->[0]) => $number{ $_->[1] }) } (
	[ insert => 'insert' ], [ fetch => 'query-user' ], [ latest => 'query' ], [ collections => 'collections' ],
	[ list_values => 'get-all-values' ], [ get_value => 'get-value' ]);
@constant{qw(FETCH LATEST)} = @constant{qw(LTDB_REQ_FETCH LTDB_REQ_LATEST)};
my %escape = (n => "\n", t => "\t", r => "\r");
for my $line (split /\n/, content("$tests/samples.h"))
{
	my ($type, $literal) = $line =~ /^\t\{(\w+), "((?:[^"\\]|\\.)*)"/ or next;
	my $text = $literal =~ s/\\(x[0-9a-f]{2}|.)/length $1 > 1 ? chr(hex(substr($1, 1))) : $escape{$1} \/\/ $1/ger;
	my $number = $constant{$type} // die "samples.h has a type that is not known here: $type";
	seed('decode', pack('CCC', $number, 3, 1) . $text);
	seed('receive', in_pieces($text));
	seed('reader', $text);
}

# ---- frames ----

seed('frames', $_)
  for "\x81\x02ok\x81\x00", "\x01\x01a\x89\x01p\x00\x01b\x8A\x00\x80\x01c", "\x88\x05\x03\xE8bye",
  "\x82\x7E" . pack('n', 300) . 'x' x 300 . "\x81\x01y", "\x81\x7F" . pack('Q>', 70_000) . 'z' x 3_000,
  "\x81\x82mask\x00\x00", "\xC1\x01x", "\x80\x01x", "\x09\x01x", "\x83\x01x";

# ---- urls ----

seed('url', $_)
  for 'ws://localhost', 'ws://127.0.0.1:8080', 'wss://ltdb.example.org:443/path?query', 'ws://[::1]:65535/',
  'ws://user:secret@host', 'WS://h?x', 'ws://h:0', 'ws://[::1', 'http://h', 'ws://h#f', "ws://h/\x01";
