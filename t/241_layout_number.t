# A library never reads a block of shared memory of another layout: so whatever
# the block holds can't change without its number. Raise KIS_LAYOUT of
# src/shared/block.h with what is noted here.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use Test::More;

my ($layout, $digest) = (5, '41a2631e2435719f');
my $top = "$FindBin::RealBin/..";

sub slurp
{
	my ($file) = @_;

	open(my $in, '<:raw', $file) or die "can't read $file: $!";
	local $/;
	return <$in>;
}

# By name, without comments and blanks: constants, and types with what they consist of.
sub definitions
{
	my ($text) = @_;
	my %definition;

	$text =~ s{/\*.*?\*/}{}gs;
	$text =~ s/[ \t]+/ /g;
	$definition{$1} = $2 while $text =~ /^#define (KIS_\w+) (.+?) *$/gm;
	$definition{$2} = $1 while $text =~ /^typedef (?:struct|enum) \w+\s*(\{[^}]*\}) (\w+);/gm;
	s/\s+/ /g foreach values %definition;
	return \%definition;
}

# A name's definition, and those of all names in it; each once.
sub closure
{
	my ($definition, $name, $seen) = @_;
	my $text = $definition->{$name};

	return '' if !defined $text || $seen->{$name}++;
	return join("\n", "$name $text", map { closure($definition, $_, $seen) } $text =~ /\w+/g);
}

# The members of each call in their order: a reply in the block has a value for each.
sub members
{
	my ($tsv) = @_;
	my ($head, @rows) = map { [ split /\t/ ] } split /\n/, $tsv;
	my @wanted = grep { $head->[$_] =~ /_field$|^in_daily$/ } 0 .. $#$head;

	return map { join ' ', @{$_}[@wanted] } @rows;
}

sub block
{
	my ($headers, @lists) = @_;
	my $definition = definitions($headers);
	my $seen = {};

	return join "\n", (map { closure($definition, $_, $seen) } qw(KisShared KisReply)), map { members($_) } @lists;
}

my $headers = join '', map { slurp($_) } sort glob("$top/include/*.h"), glob("$top/src/*/*.h");
my @lists = map { slurp("$top/catalog/$_.tsv") } qw(calendar daily fields index program);
my $block = block($headers, @lists);

# ---- what the note tells apart

foreach my $name (qw(KisShared KisAccount KisRate KisInFlight KisActivity KisCause KisBackfillProgress KisError KisErrorClass KisCallArgs KisReply KisRow KisValue KisValueKind KIS_REPLY_SLOTS KIS_TOKEN_LEN))
{
	ok($block =~ /^$name \S/m, "$name is a part of the block");
}

sub changed
{
	my ($from, $to) = @_;
	my $other = $headers;

	$other =~ s/$from/$to/ or die "no $from";
	return block($other, @lists) ne $block;
}

ok(changed(qr/\bproven;/, 'proven, later;'), 'a flag between others, which changes no size, is another block');
ok(changed(qr/last_success_at;\s+TimestampTz\s+last_error_at;/, 'last_error_at; TimestampTz last_success_at;'), 'members that change places are another');
ok(changed(qr/KIS_ERROR_DROPPED,/, 'KIS_ERROR_LATER, KIS_ERROR_DROPPED,'), 'a class of errors more is another');
ok(changed(qr/#define KIS_TOKEN_SLOTS\s+\d+/, '#define KIS_TOKEN_SLOTS 65'), 'a slot more is another');
ok(!changed(qr/The session whose call or token request/, 'Who does something'), 'a comment is not');
ok(!changed(qr/extern void kis_unlock\(void\)/, 'extern void kis_release(void)'), 'nor is a function');
ok(block($headers, $lists[0], $lists[1] =~ s/^(5\t.*\n)(6\t.*\n)/$2$1/mr, @lists[ 2 .. $#lists ]) ne $block, 'members of a reply that change places are another');
ok(block($headers, $lists[0] =~ s/Calendar day/A day/r, @lists[ 1 .. $#lists ]) eq $block, 'a comment of a member is not');

# ---- the note

my ($number) = $headers =~ /^#define KIS_LAYOUT\s+(\d+)/m;

is("$number " . substr(sha256_hex($block), 0, 16), "$layout $digest", 'the number is of the block as it is')
  or diag('what sessions share has changed: raise KIS_LAYOUT of src/shared/block.h, and note it here');
done_testing();
