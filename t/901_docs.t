# The pages are true: each ```sql block of README and doc runs as it stands, in
# the page's order, on a server of the page's own, and says nothing but what the
# ```text block right after it shows. There "…" stands for what varies, and a
# ```csv block is the file that the SQL after it reads. Of Liquibase's changesets
# in ```xml the SQL runs, its rollback, and the SQL again.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use HTTP::Tiny;
use JSON::PP ();
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my @pages = map { s{^\Q$top\E/}{}r } sort glob("$top/README*.md"), sort glob("$top/doc/*.md");
my $has_cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my $partman = `pg_config --sharedir` =~ s/\n//r . '/extension/pg_partman.control';
my $has_partman = -f $partman && slurp_file($partman) =~ /^default_version = '4\./m;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $files = PostgreSQL::Test::Utils::tempdir();
my %secret = (app_key => $simulator->app_key, app_secret => $simulator->app_secret);

append_to_file("$files/$_", "$secret{$_}\n") foreach keys %secret;
chdir $files or die "$files: $!";

# The blocks of a page: a hash each of its line, its SQL, and what it is to say.
sub blocks
{
	my ($page) = @_;
	my @lines = split /\n/, Encode::decode('UTF-8', slurp_file("$top/$page"));
	my (@blocks, $csv, $fence, $text, $begin);

	foreach my $i (0 .. $#lines)
	{
		if (!defined $fence)
		{
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
			push @blocks, { line => $begin, sql => $text, csv => $csv };
			$csv = undef;
		}
		elsif ($fence eq 'text' && @blocks && !$blocks[-1]{complete})
		{
			$blocks[-1]{says} = $text;
		}
		elsif ($fence eq 'xml')
		{
			my ($do, $undo) = map { $text =~ m{<$_>(.*?)</$_>}s } qw(sql rollback);

			push @blocks, { line => $begin, sql => "$do;\n$undo$do;\n" };
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

# Where KIS is, where the keys lie, what is typed, and what Grafana makes of its macro.
sub substitute
{
	my ($sql) = @_;

	$sql =~ s{(CREATE SERVER \w+ FOREIGN DATA WRAPPER market_investor_fdw)(?=;)}{"$1 OPTIONS (base_url '" . $simulator->url . "')"}e;
	$sql =~ s{/var/lib/postgresql/kis}{$files}g;
	$sql =~ s{\\prompt '[^']*' (\w+)}{\\set $1 '$secret{$1}'}g;
	$sql =~ s{\$__timeFilter\((\w+)\)}{$1 BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'}g;
	return $sql;
}

# A server whose store is a year old and has the figures of half past ten; or,
# for a page that begins at the beginning, one with nothing in it.
sub server_of_page
{
	my ($name, $bare) = @_;
	my $node = new_node($name, env => $clock->env, start => 0, conf => "timezone = 'Asia/Seoul'");

	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = 'market_investor_fdw, pg_cron'\ncron.database_name = 'postgres'")
	  if $has_cron;
	$simulator->reset;
	$clock->set('2025-06-02 10:30:00');
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron') if $has_cron;
	$node->safe_psql('postgres', 'CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman') if $has_partman;
	if (!$bare)
	{
		setup($node, 'postgres', $simulator, cache_ttl => undef, calendar => undef, requests_per_second => undef);
		$node->safe_psql('postgres', 'SELECT kis_comment_tables(); SELECT create_market_investor_trend()');
	}
	$clock->set('2026-07-10 10:30:00');
	keep_token();
	$node->safe_psql('postgres', 'SELECT create_market_investor_trend(); SELECT collect_market_investor_trend()')
	  unless $bare;
	return $node;
}

# A token where another program keeps it.
sub keep_token
{
	my $reply = HTTP::Tiny->new(proxy => undef, http_proxy => undef)->post($simulator->url . '/oauth2/tokenP', {
		headers => { 'content-type' => 'application/json; charset=utf-8' },
		content => JSON::PP::encode_json({ grant_type => 'client_credentials',
			appkey => $secret{app_key}, appsecret => $secret{app_secret} }) });

	unlink "$files/token.json";
	append_to_file("$files/token.json", $reply->{content});
	return;
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

sub run_block
{
	my ($node, $name, $block) = @_;
	my ($output, $messages) = ('', '');
	my ($first) = $block->{sql} =~ /^\s*(?!--)(\S.*)$/m;

	if (defined $block->{csv})
	{
		my ($file) = $block->{sql} =~ /FROM '([\w.]+\.csv)'/ or die "$name: reads no csv file";
		append_to_file("$files/$file", Encode::encode('UTF-8', $block->{csv}));
	}
	# another way to the mapping that is there
	$node->safe_psql('postgres', 'DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER kis')
	  if $block->{sql} =~ /^(?:\\if .*)?CREATE USER MAPPING FOR CURRENT_USER SERVER kis/m;
	$node->psql('postgres', Encode::encode('UTF-8', substitute($block->{sql})),
		stdout => \$output, stderr => \$messages, on_error_stop => 0,
		extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off', '-v', 'SHOW_CONTEXT=never', '-v', 'settings=1' ]);
	$_ = Encode::decode('UTF-8', $_) foreach $output, $messages;
	ok(defined $block->{says} ? says($block->{says}, $output, $messages) : $messages eq '',
		Encode::encode('UTF-8', "$name, line $block->{line}: $first"))
	  or diag(Encode::encode('UTF-8',
		  $messages . (defined $block->{says} ? "$output\nbut the page shows\n$block->{says}" : '')));
	return;
}

foreach my $page (@pages)
{
	my @blocks = blocks($page) or next;
	my ($first) = grep { $blocks[$_]{sql} =~ /CREATE EXTENSION market_investor_fdw/ } 0 .. $#blocks;
	my $node = server_of_page($page =~ s/\W/_/gr, defined $first);

	# what a page shows before it begins at the beginning is where it leads
	unshift @blocks, splice @blocks, $first, 1 if $first;
	foreach my $block (@blocks)
	{
		SKIP:
		{
			skip "$page, line $block->{line}: pg_cron is not installed", 1
			  if !$has_cron && $block->{sql} =~ /\bcron\./;
			skip "$page, line $block->{line}: pg_partman 4 is not installed", 1
			  if !$has_partman && $block->{sql} =~ /\bpartman\./;
			run_block($node, $page, $block);
		}
	}
	$node->stop;
}
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');

# Each message that the sources have is explained
my $explained = Encode::decode('UTF-8', slurp_file("$top/doc/errors.md"));

foreach my $file (map { s{^\Q$top\E/}{}r } sort glob "$top/src/*/*.c")
{
	my $source = Encode::decode('UTF-8', slurp_file("$top/$file"));
	my @messages = $source =~ /\berrmsg(?:_plural)?\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)/g;

	# what KIS calls fail with stands in a table
	push @messages, $source =~ /\{KIS_ERROR_\w+, ERRCODE_\w+,\s*("[^"]*"),/g;
	foreach my $message (@messages)
	{
		$message = join '', $message =~ /"((?:\\.|[^"\\])*)"/g;
		$message =~ s/\\"/"/g;
		$message =~ s/%(?:0\d)?[a-z]/…/g;
	}
	my @missing = grep { $_ ne '…' && index($explained, "`$_`") < 0 } @messages;
	is_deeply([ map { Encode::encode('UTF-8', $_) } @missing ], [], "doc/errors.md explains the messages of $file")
	  if @messages;
}

# Both READMEs say the same, as far as can be seen: SQL without its comments,
# every name, every page
my %readme = map { $_ => Encode::decode('UTF-8', slurp_file("$top/$_")) } qw(README.md README.ko.md);
my @sql = map { [ map { $_->{sql} =~ s/^ *--.*\n//gmr =~ s/^ +//gmr } blocks($_) ] } qw(README.md README.ko.md);
is_deeply($sql[1], $sql[0], 'README.ko.md has the SQL of README.md');

my @names = $readme{'README.md'} =~ s/^ *```.*?^ *```//gmsr =~ /`([^`\s]+)`/g;
push @names, grep { !/^#|^README/ } $readme{'README.md'} =~ /\]\(([^)\s]+)\)/g;
is_deeply([ grep { index($readme{'README.ko.md'}, $_) < 0 } @names ], [], 'and its names and links');

# Links lead somewhere
sub anchors
{
	my ($path) = @_;

	return map { lc($_) =~ s/[^\w -]//gr =~ s/ /-/gr } Encode::decode('UTF-8', slurp_file($path)) =~ /^#+ (.*)$/gm;
}

foreach my $page (@pages)
{
	my ($directory) = "$top/$page" =~ m{^(.*)/};
	my @dead;

	foreach my $link (Encode::decode('UTF-8', slurp_file("$top/$page")) =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($file, $anchor) = split /#/, $link;
		my $path = $file ne '' ? "$directory/$file" : "$top/$page";

		push @dead, $link
		  if !-e $path || (defined $anchor && !grep { $_ eq $anchor } anchors($path));
	}
	is_deeply([ map { Encode::encode('UTF-8', $_) } @dead ], [], "$page: no dead link");
}

done_testing();
