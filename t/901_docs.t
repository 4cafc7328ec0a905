# The pages are true: each ```sql block of README and doc runs as it stands, in
# the page's order, on a server of the page's own, and says nothing but what the
# ```text block right after it shows. There "…" stands for what varies, and a
# ```csv block is the file that the SQL after it reads. Of Liquibase's changesets
# in ```xml the SQL runs, its rollback, and the SQL again. A page in Korean has
# the names and links of the English one, and runs where its SQL or its results,
# comments aside, are not the English page's.
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
use KisTest::Page qw(blocks run_block);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my @pages = map { s{^\Q$top\E/}{}r } sort glob("$top/*.md"), sort glob("$top/doc/*.md"), sort glob("$top/doc/dev/*.md");
my $has_cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';

# Figures move every ten minutes, so that those of a page's begin stand on it
my $simulator = KisTest::Simulator->new(config => { tick_seconds => 600 });
my $clock = KisTest::Clock->new($simulator);
my $files = PostgreSQL::Test::Utils::tempdir();
my %secret = (app_key => $simulator->app_key, app_secret => $simulator->app_secret);

append_to_file("$files/$_", "$secret{$_}\n") foreach keys %secret;
chdir $files or die "$files: $!";

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

# A server whose store is a year old and has the figures of 10:10, 10:20 and
# 10:30; or, for a page that begins at the beginning, one with nothing in it.
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
	if (!$bare)
	{
		setup($node, 'postgres', $simulator, cache_ttl => undef, calendar => undef, requests_per_second => undef);
		$node->safe_psql('postgres', 'SELECT kis_comment_tables(); SELECT create_market_investor_trend()');
	}
	foreach my $minute ($bare ? 30 : (10, 20, 30))
	{
		$clock->set("2026-07-10 10:$minute:00");
		$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (ADD cache_ttl '0');
			SELECT create_market_investor_trend(); SELECT collect_market_investor_trend();
			ALTER SERVER kis OPTIONS (DROP cache_ttl)})
		  unless $bare;
	}
	keep_token();
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

# Runs a block with what it takes beside it.
sub run_with_files
{
	my ($node, $page, $block) = @_;

	if (defined $block->{csv})
	{
		my ($file) = $block->{sql} =~ /FROM '([\w.]+\.csv)'/ or die "$page, line $block->{line}: reads no csv file";
		append_to_file("$files/$file", Encode::encode('UTF-8', $block->{csv}));
	}
	# another way to the mapping that is there
	$node->safe_psql('postgres', 'DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER kis')
	  if $block->{sql} =~ /^(?:\\if .*)?CREATE USER MAPPING FOR CURRENT_USER SERVER kis/m;
	run_block($node, $page, $block, substitute($block->{sql}));
	return;
}

# The English page of one in Korean
sub english_page
{
	my ($page) = @_;

	return $page =~ /^(.*)\.ko\.md$/ ? "$1.md" : undef;
}

# What a page runs and shows, without comments: they are in its language
sub what_runs
{
	my ($page) = @_;

	return [
		map {
			my $block = $_;
			[ map { ($block->{$_} // '') =~ s/(?:^| ) *-- .*$//gmr =~ s/^\s+//gmr } qw(csv sql says) ]
		} blocks($page) ];
}

foreach my $page (@pages)
{
	my @blocks = blocks($page) or next;
	my $english = english_page($page);

	if (defined $english && eq_array(what_runs($page), what_runs($english)))
	{
		pass("$page has the SQL and the results of $english");
		next;
	}

	# whose sections need engines and servers, so that each has a test of its own
	if ($page =~ m{^doc/scale\.(?:ko\.)?md$})
	{
		my @tests = grep { /scale\.md/ } map { slurp_file($_) } grep { $_ ne __FILE__ } glob "$top/t/*.t";

		foreach my $section (sort keys %{ { map { $_->{section} => 1 } @blocks } })
		{
			ok((grep { index($_, $section) >= 0 } @tests), "$page, $section: a test runs it");
		}
		next;
	}
	my ($first) = grep { $blocks[$_]{sql} =~ /CREATE EXTENSION market_investor_fdw/ } 0 .. $#blocks;
	my $node = server_of_page($page =~ s/\W/_/gr, defined $first);

	# what a page shows before it begins at the beginning is where it leads
	unshift @blocks, splice @blocks, $first, 1 if $first;
	foreach my $block (@blocks)
	{
		SKIP:
		{
			skip "$page, line $block->{line}: pg_cron is not installed", 1
			  if !$has_cron && $block->{sql} =~ /\bcron\.|schedule_market_investor_trend/;
			run_with_files($node, $page, $block);
		}
	}
	$node->stop;
}
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');

# Each message that the sources have is explained, in both languages
my %explained = map { $_ => Encode::decode('UTF-8', slurp_file("$top/$_")) } qw(doc/errors.md doc/errors.ko.md);

foreach my $file (map { s{^\Q$top\E/}{}r } sort(glob "$top/src/*/*.c"), glob "$top/*--*.sql")
{
	my $source = Encode::decode('UTF-8', slurp_file("$top/$file"));
	my @messages = $source =~ /\berrmsg(?:_plural)?\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)/g;

	# what KIS calls fail with stands in a table
	push @messages, $source =~ /\[KIS_ERROR_\w+\] = \{ERRCODE_\w+,\s*("[^"]*"),/g;
	foreach my $message (@messages)
	{
		$message = join '', $message =~ /"((?:\\.|[^"\\])*)"/g;
		$message =~ s/\\"/"/g;
		$message =~ s/%(?:0\d)?[a-z]/…/g;
	}
	push @messages, map { s/''/'/gr =~ s/%s/…/gr } $source =~ /MESSAGE = (?:pg_catalog\.format\()?'((?:[^']|'')*)'/g;
	@messages = grep { $_ ne '…' } @messages;
	foreach my $page (@messages ? sort keys %explained : ())
	{
		my @missing = grep { index($explained{$page}, "`$_`") < 0 } @messages;
		is_deeply([ map { Encode::encode('UTF-8', $_) } @missing ], [], "$page explains the messages of $file");
	}
}

# The Korean page also has what PostgreSQL says in Korean
my $text = qr/(?:"(?:\\.|[^"\\])*"\s*)+/;
my %korean = Encode::decode('UTF-8', slurp_file("$top/po/ko.po")) =~ /^msgid ($text)(?:msgid_plural $text)?msgstr(?:\[0\])? ($text)/gm;
my @untold;

while (my @message = each %korean)
{
	foreach (@message)
	{
		$_ = join '', /"((?:\\.|[^"\\])*)"/g;
		s/\\"/"/g;
		s/%(?:\d\$)?(?:0\d)?l*[a-z]/…/g;
	}
	push @untold, $message[1]
	  if $message[0] =~ /\w/ && index($explained{'doc/errors.ko.md'}, "`$message[0]`") >= 0
	  && index($explained{'doc/errors.ko.md'}, $message[1]) < 0;
}
is_deeply([ map { Encode::encode('UTF-8', $_) } sort @untold ], [], 'doc/errors.ko.md has the messages of po/ko.po');

# Both languages say the same, as far as can be seen: every name, every page.
# A link leads to a page in either language.
sub names_and_links
{
	my ($page) = @_;
	my $text = Encode::decode('UTF-8', slurp_file("$top/$page")) =~ s/^ *```.*?^ *```//gmsr;
	my %names = map { $_ => 1 } $text =~ /`([^`\s]+)`/g;
	my ($own) = $page =~ m{([^/]+?)(?:\.ko)?\.md$};

	$names{$_} = 1 foreach grep { !/^(?:\Q$own\E\.md)?$/ } map { s/#.*//r =~ s/\.ko\.md$/.md/r } $text =~ /\]\(([^)\s]+)\)/g;
	return \%names;
}

foreach my $page (grep { defined english_page($_) } @pages)
{
	my $english = names_and_links(english_page($page));
	my $korean = names_and_links($page);
	my @missing = sort grep { !$korean->{$_} } keys %$english;

	is_deeply([ map { Encode::encode('UTF-8', $_) } @missing ], [], "$page has the names and links of " . english_page($page));
}

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
