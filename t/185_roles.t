# Roles who may read the tables but must not see the key: what they are told
# without a user mapping, and the ways to let them read all the same.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my @keys = ($simulator->app_key, $simulator->app_secret);
my $keys = 'app_key ' . sql_literal($keys[0]) . ', app_secret ' . sql_literal($keys[1]);

setup($node, 'postgres', $simulator);

sub value
{
	my ($sql, %params) = @_;

	return $node->safe_psql('postgres', $sql, %params);
}

# Nothing but what a role's own session says
sub as_reader
{
	my ($sql) = @_;

	return run_sql($node, 'postgres', $sql, extra_params => [ '-U', 'reader' ]);
}

value(qq{
	SET log_statement = 'none';
	CREATE ROLE reader LOGIN; CREATE ROLE flows; CREATE ROLE files IN ROLE pg_read_server_files;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader, flows, files;
	GRANT USAGE ON FOREIGN SERVER kis TO flows, files;
	GRANT CREATE ON SCHEMA public TO flows;
	CREATE USER MAPPING FOR flows SERVER kis OPTIONS ($keys);});
my $query = "SELECT market_code, sector_code, foreign_net_qty IS NOT NULL FROM kis_market_trend WHERE market_code = 'KSP'";

# ---- no user mapping: what to grant ------------------------------------------

# The error of a query, as who runs it, for the mapping of whom
sub no_mapping
{
	my ($role, $hint, $name, $sql) = @_;
	my ($sqlstate, $message, $detail, $told) = sql_error($node, 'postgres', "SET ROLE $role; " . ($sql || $query));

	is("$sqlstate $message", qq{42704 user mapping not found for user "$role", server "kis"}, "no user mapping, $name");
	is($detail, '', 'no detail');
	is($told, $hint, 'what to do');
	return;
}

my $with_files = "OPTIONS (app_key_file '/path', app_secret_file '/path')";
my $ask = "Ask the owner of the server or a superuser for CREATE USER MAPPING FOR reader SERVER kis $with_files,"
  . ' for one FOR PUBLIC, or for a view or a SECURITY DEFINER function whose owner has a user mapping.';

no_mapping('reader', $ask, 'nor the right to make one');
no_mapping('files', "CREATE USER MAPPING FOR files SERVER kis $with_files;", 'which may be made with files');
value('GRANT USAGE ON FOREIGN SERVER kis TO reader');
my $own = "CREATE USER MAPPING FOR reader SERVER kis OPTIONS (app_key '...', app_secret '...');";
no_mapping('reader', $own, 'which may be made, but not with files');
is((sql_error($node, 'postgres', "SET ROLE reader; CREATE USER MAPPING FOR reader SERVER kis $with_files"))[0], '42501',
	'as PostgreSQL and we see it, too');
is(as_reader($own =~ s/\(.*\)/($keys)/r)->{stderr}, '', 'where the hint can be followed');
value('DROP USER MAPPING FOR reader SERVER kis; REVOKE USAGE ON FOREIGN SERVER kis FROM reader');
asks_nothing($simulator, 'and nothing has been asked');

# ---- through a view ----------------------------------------------------------

value(q{
	SET ROLE flows;
	CREATE VIEW board AS SELECT * FROM kis_market_trend;
	CREATE VIEW invoked WITH (security_invoker) AS SELECT * FROM kis_market_trend;
	GRANT SELECT ON board, invoked TO reader;});
is(as_reader($query =~ s/kis_market_trend/board/r)->{output}, 'KSP|0001|t', "a view brings the row by its owner's mapping");
is(($simulator->requests('trend'))[0]{headers}{appkey}, $keys[0], 'that is, with the key of that');
no_mapping('reader', $ask, 'as a view with security_invoker needs', $query =~ s/kis_market_trend/invoked/r);

# What a reader might look at for the key
$simulator->fault({ fault => 'error', match => { pair => 'KSQ/1001' }, params => { msg_cd => 'EGW00206', msg1 => 'no' } });
my $seen = as_reader(qq{
	\\deu+
	\\des+
	\\x
	SELECT * FROM pg_user_mappings;
	SELECT * FROM pg_user_mapping;
	SELECT * FROM information_schema.user_mapping_options;
	SELECT * FROM pg_foreign_server;
	SELECT * FROM pg_stat_activity;
	SELECT * FROM kis_stat;
	SELECT * FROM kis_activity;
	SELECT * FROM kis_check('kis');
	SET client_min_messages = debug5;
	EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT json) SELECT * FROM board WHERE market_code = 'KSP';
	SELECT * FROM board WHERE market_code = 'KSQ';});
my $text = "$seen->{output}\n$seen->{stderr}";

like($text, qr/EGW00206/, 'it sees how a call fails');
like($text, qr/^umoptions\|$/m, 'it sees the user mapping, without its options');
like($text, qr/permission denied for table pg_user_mapping$/m, 'not where they are kept');
is_deeply([ grep { index($text, $_) >= 0 } @keys ], [], 'and nowhere the key or the secret');
$simulator->fault;

# ---- through a function ------------------------------------------------------

value(q{
	SET ROLE flows;
	SELECT create_market_investor_trend();
	CREATE FUNCTION collect_flows() RETURNS TABLE (pair text, outcome text)
	LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
	AS $$ SELECT market_code || '/' || sector_code, outcome FROM collect_market_investor_trend('{KSP/0001,KSQ/1001}') $$;
	REVOKE ALL ON FUNCTION collect_flows() FROM PUBLIC;
	GRANT EXECUTE ON FUNCTION collect_flows() TO reader;
	GRANT SELECT ON market_investor_trend TO reader;});
is(as_reader('SELECT * FROM collect_flows()')->{output}, "KSP/0001|inserted\nKSQ/1001|inserted",
	"a SECURITY DEFINER function collects by its owner's mapping and rights");
is(as_reader('SELECT count(*) FROM market_investor_trend')->{output}, 2, 'and the role reads what is stored');
is(as_reader('SELECT * FROM collect_market_investor_trend()')->{errors}[0]{message}, 'permission denied for foreign server kis',
	'where it may not collect itself');

is(as_reader("SELECT detail FROM kis_check('kis') WHERE step = 'keys'")->{output},
	'permission denied for foreign server kis. Reading the tables takes a user mapping, and not this right.'
	  . ' To collect and to check: GRANT USAGE ON FOREIGN SERVER kis TO reader.', 'nor check, and is told what to do');

# ---- through a mapping for PUBLIC, or one of its own -------------------------

value("SET log_statement = 'none'; CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS ($keys)");
is(as_reader($query)->{output}, 'KSP|0001|t', 'a mapping for PUBLIC');
is(as_reader('SELECT count(*), count(umoptions) FROM pg_user_mappings')->{output}, '3|0', 'whose options are hidden, too');
value("SET log_statement = 'none'; DROP USER MAPPING FOR PUBLIC SERVER kis; CREATE USER MAPPING FOR reader SERVER kis OPTIONS ($keys)");
is(as_reader($query)->{output}, 'KSP|0001|t', 'a mapping of its own');
my $mine = "SELECT count(umoptions) FROM pg_user_mappings WHERE usename = 'reader'";
is(as_reader($mine)->{output}, 0, 'whose options are hidden even from itself');
value('GRANT USAGE ON FOREIGN SERVER kis TO reader');
is(as_reader($mine)->{output}, 1, 'as long as it has no USAGE on the server');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
