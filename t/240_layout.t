# Upgrade of the library under a running server: where it was not preloaded, new
# sessions have the new one. Another layout of the shared memory is a block of
# its own, which the other library never reads. A preloaded library stays until
# the server is restarted.
use strict;
use warnings;

use File::Copy ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($directory) = run_command([ 'pg_config', '--pkglibdir' ]);
my $installed = "$directory/market_investor_fdw.so";
my ($number) = slurp_file("$FindBin::RealBin/../src/shared/block.h") =~ /^#define KIS_LAYOUT\s+(\d+)/m;

plan skip_all => "installs another library, and $directory can't be written" unless -w $directory;

# What is built already, but for the two files that know the layout's number.
sub build_another
{
	my $top = "$FindBin::RealBin/..";
	my $place = PostgreSQL::Test::Utils::tempdir . '/src';
	# A make of ours, not a part of the one that has started this
	local %ENV = %ENV;
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};

	system_or_bail('sh', '-c', q{mkdir "$1" && cd "$0" && tar -cf - --exclude=./tmp_check . | tar -C "$1" -xf -}, $top, $place);
	unlink "$place/src/shared/block.o", "$place/src/shared/stat.o", "$place/market_investor_fdw.so";
	system_or_bail('make', '-s', 'with_llvm=no', '-C', $place, 'market_investor_fdw.so', 'COPT=-Werror -DKIS_LAYOUT=77 ' . ($ENV{COPT} // ''));
	return "$place/market_investor_fdw.so";
}

# As install does: the file that a server has loaded stays what it is.
sub install
{
	my ($library) = @_;

	File::Copy::copy($library, "$installed.new") && rename("$installed.new", $installed)
	  or die "could not install $library: $!";
	return;
}

my $another = build_another();
my $kept = PostgreSQL::Test::Utils::tempdir . '/market_investor_fdw.so';
my $simulator = KisTest::Simulator->new(config => { token_min_interval => 0 });

File::Copy::copy($installed, $kept) or die "could not copy $installed: $!";
END
{
	my $status = $?;
	install($kept) if defined $kept && -e $kept;
	$? = $status;
}

# Who asks this twice within cache_ttl gets the same moment.
my $ask = q{SELECT collected_at FROM kis_market_trend WHERE market_code = 'KSP'};
my $stat = q{SELECT calls, cache_hits, tokens_issued FROM kis_stat};

sub layout
{
	my ($session) = @_;

	return $session->query_safe(q{SELECT detail FROM kis_check('kis') WHERE step = 'shared memory'}) =~ /^layout (\d+)/ ? $1 : '';
}

sub requests { return join ' ', map { $simulator->calls($_) } qw(token data) }

# ---- not preloaded

SKIP:
{
	my $node = new_node('bare', conf => "shared_preload_libraries = ''");

	skip 'PostgreSQL 15 and 16 have the library preloaded', 16 if $node->pg_version < 17;
	setup($node, 'postgres', $simulator, cache_ttl => '1h');

	my $old = $node->session;
	my $at = $old->query_safe($ask);
	is($old->query_safe($stat), '1|0|1', 'a session with the old library');
	is(requests(), '1 1', 'a token and a call');

	install($another);
	is($old->query_safe($ask), $at, 'it has its reply in its block after the upgrade');
	my $new = $node->session;
	is($new->query_safe('SELECT count(*) FROM kis_stat'), '0', 'a new session has a block with nothing in it');
	isnt($new->query_safe($ask), $at, 'and not the reply of the old one');
	is(requests(), '2 2', 'it has a token and a call of its own');
	my $at_new = $new->query_safe($ask);
	my $second = $node->session;
	is($second->query_safe($ask), $at_new, 'another new session shares its block');
	is($second->query_safe($stat), '1|2|1', 'which kis_stat shows alone');
	is($old->query_safe($ask), $at, 'the old session still has its own reply');
	is($old->query_safe($stat), '1|2|1', 'and its own kis_stat');
	is(requests(), '2 2', 'nobody has called again');

	$simulator->kill_token;
	$new->query_safe(q{SELECT collected_at FROM kis_market_trend WHERE market_code = 'KSQ'});
	$old->query_safe(q{SELECT collected_at FROM kis_market_trend WHERE market_code = 'KSQ'});
	is($old->query_safe('SELECT tokens_issued FROM kis_stat') . $new->query_safe('SELECT tokens_issued FROM kis_stat'),
		'22', 'a token that ends is issued anew on both sides');
	is(layout($old) . ' ' . layout($new), "$number 77", 'kis_check says which layout each has');

	install($kept);
	my $back = $node->session;
	is($back->query_safe($ask), $at, 'the old library installed again finds its block');
	$_->quit foreach $old, $new, $second, $back;
	unlike(slurp_log($node), qr/was terminated by signal|PANIC|TRAP/, 'no session has crashed');
	is($node->safe_psql('postgres', $ask), $at, 'and the block is there for later ones');
	$node->stop;
}

# ---- preloaded

my $node = new_node('preloaded', conf => "shared_preload_libraries = 'market_investor_fdw'");
$simulator->reset;
setup($node, 'postgres', $simulator, cache_ttl => '1h');
my $old = $node->session;
my $at = $old->query_safe($ask);

SKIP:
{
	skip 'from 17 on PostgreSQL does not list the memory', 1 unless $node->pg_version < 17;
	is($old->query_safe(qq{SELECT name = format('market_investor_fdw layout $number, %s bytes', size) FROM pg_shmem_allocations WHERE name LIKE 'market_investor_fdw%'}),
		't', 'preloaded: the block has its layout and size in its name');
}

install($another);
my $new = $node->session;
is($new->query_safe($ask), $at, 'preloaded: a new session has the library that the server began with');
is(requests(), '1 1', 'so nobody asks again');
is(layout($new), $number, 'it has its layout');
$_->quit foreach $old, $new;
$node->restart;
$new = $node->session;
is(layout($new), '77', 'after a restart it is the new one');
isnt($new->query_safe($ask), $at, 'with a block with nothing in it');
$new->quit;
unlike(slurp_log($node), qr/was terminated by signal|PANIC|TRAP/, 'no session has crashed');

done_testing();
