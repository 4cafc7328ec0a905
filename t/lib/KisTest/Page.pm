# The SQL blocks of a page of ours, and whether one says what the page shows.
#
#	my $page = KisTest::Page->new('doc/scale.md', 'Logical replication',
#		nodes => { first => $publisher, second => $subscriber }, replace => { 'first.example' => $host });
#	$page->run(qr/CREATE PUBLICATION/);		# up to that block, and it
#	$page->run;								# the rest
package KisTest::Page;

use strict;
use warnings;
use utf8;

use Encode ();
use Exporter 'import';
use File::Basename ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT_OK = qw(blocks run_block sql_of_page too_wide);

my $top = File::Basename::dirname(__FILE__) . '/../../..';

# The blocks of a page: a hash each of its section, its line, its SQL, and what it is to say.
sub blocks
{
	my ($page) = @_;
	my @lines = split /\n/, Encode::decode('UTF-8', slurp_file("$top/$page"));
	my (@blocks, $csv, $fence, $text, $begin);
	my $section = '';

	foreach my $i (0 .. $#lines)
	{
		if (!defined $fence)
		{
			$section = $1 if $lines[$i] =~ /^## (.*)/;
			next unless $lines[$i] =~ /^ *```(\w*)/ || (@blocks && $lines[$i] =~ /\S/ && ($blocks[-1]{complete} = 1, 0));
			($fence, $text, $begin) = ($1, '', $i + 1);
			next;
		}
		if ($lines[$i] !~ /^ *```\s*$/)
		{
			$text .= "$lines[$i]\n";
			next;
		}
		if ($fence eq 'sql')
		{
			push @blocks, { section => $section, line => $begin, sql => $text, csv => $csv };
			$csv = undef;
		}
		elsif ($fence eq 'text' && @blocks && !$blocks[-1]{complete})
		{
			$blocks[-1]{says} = $text;
		}
		elsif ($fence eq 'xml')
		{
			my ($do, $undo) = map { $text =~ m{<$_>(.*?)</$_>}s } qw(sql rollback);

			push @blocks, { section => $section, line => $begin, sql => "$do;\n$undo$do;\n" };
		}
		elsif ($fence =~ /^(?:sh)?$/ && $text =~ /^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|CALL|SET|COMMENT)\s/m)
		{
			fail("$page, line $begin: SQL that nobody runs");
		}
		$csv = $text if $fence eq 'csv';
		$blocks[-1]{complete} = 1 if @blocks && $fence ne 'sql';
		undef $fence;
	}
	return @blocks;
}

# The blocks of SQL of a page in which each of the words stands, one after the other.
sub sql_of_page
{
	my ($page, @words) = @_;
	my @blocks = slurp_file("$top/$page") =~ /^\s*```sql\n(.*?)^\s*```/gms;

	return join '', map { my $word = $_; grep { /\Q$word\E/ } @blocks } @words;
}

# Lines that don't fit a terminal of 100 columns, where Korean takes two.
sub too_wide
{
	my ($text) = @_;
	my $wide = qr/[\p{East_Asian_Width: Wide}\p{East_Asian_Width: Fullwidth}]/;

	return [ map { Encode::encode('UTF-8', $_) } grep { length($_) + (() = /$wide/g) > 100 } split /\n/, $text ];
}

# Lines without what only lays them out. Versions differ in which side of a join's
# condition comes first.
sub plain_lines
{
	my ($text) = @_;

	return grep { /\S/ && !/^[-+ ]+$/ && !/^QUERY PLAN$|^\(\d+ rows?\)$|^Planning:$|^Buffers: |^LINE \d+: |^\^$/ }
	  map { s/\s+/ /gr =~ s/^ | $//gr =~ s/^psql:\S+ //r =~ s/rows=\d+\K\.00//r
	  =~ s/\((\w+\.\w+) = (\w+)\)/($2 = $1)/gr } split /\n/, $text;
}

# Does it say what the page shows? Messages come by another way than rows, so
# each is compared with its kind.
sub says
{
	my ($shown, $output, $messages) = @_;
	my $is_message = qr/^(?:ERROR|WARNING|NOTICE|DETAIL|HINT|CONTEXT): /;
	my @shown = plain_lines($shown);
	my @said = ((grep { !/$is_message/ } plain_lines($output)), plain_lines($messages));

	@shown = ((grep { !/$is_message/ } @shown), grep { /$is_message/ } @shown);
	return '' unless @shown == @said;
	foreach my $i (0 .. $#shown)
	{
		my $pattern = join '.*', map { quotemeta } split /…/, $shown[$i], -1;
		return '' unless $said[$i] =~ /^$pattern$/;
	}
	return 1;
}

# Runs a block, as this SQL, and compares what it says.
sub run_block
{
	my ($node, $page, $block, $sql) = @_;
	my ($output, $messages) = ('', '');
	my ($first) = $block->{sql} =~ /^\s*(?!--)(\S.*)$/m;

	$node->psql('postgres', Encode::encode('UTF-8', $sql),
		stdout => \$output, stderr => \$messages, on_error_stop => 0,
		extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off', '-v', 'SHOW_CONTEXT=never', '-v', 'settings=1' ]);
	$_ = Encode::decode('UTF-8', $_) foreach $output, $messages;
	ok(defined $block->{says} ? says($block->{says}, $output, $messages) : $messages eq '',
		Encode::encode('UTF-8', "$page, line $block->{line}: $first"))
	  or diag(Encode::encode('UTF-8',
		  $messages . (defined $block->{says} ? "$output\nbut the page shows\n$block->{says}" : '')));
	return;
}

# The blocks of a section. nodes: of a block that begins with "-- on the NAME
# server", else the only one. replace: texts of the page that differ here.
sub new
{
	my ($class, $page, $section, %opts) = @_;

	return bless {
		page => $page,
		blocks => [ grep { $_->{section} eq $section } blocks($page) ],
		replace => {},
		%opts }, $class;
}

# Runs its blocks from where the last run ended to the first that matches, or to the end.
sub run
{
	my ($self, $last) = @_;

	while (my $block = shift @{ $self->{blocks} })
	{
		my ($where) = $block->{sql} =~ /\A-- on the (\w+) server/;
		my $node = defined $where ? $self->{nodes}{$where} : (values %{ $self->{nodes} })[0];
		my $sql = $block->{sql};

		$sql =~ s/\Q$_\E/$self->{replace}{$_}/g foreach keys %{ $self->{replace} };
		run_block($node, $self->{page}, $block, $sql);
		return if defined $last && $block->{sql} =~ $last;
	}
	fail("$self->{page}: no block matches $last") if defined $last;
	return;
}

1;
