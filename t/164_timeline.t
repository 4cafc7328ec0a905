# A year of days, looked at whenever it happens: no figure is stored under a wrong
# day, and none is lost that was looked at. KIS shows the day before or zeros or
# pre-market trade until the open, opens late, told or not, corrects figures in the
# evening; its calendar fails, is short or wrong, and the server's clock is wrong;
# two collectors take turns, or come at once.
#
# KIS_TEST_SEED=N: that year alone; KIS_TEST_LONG: ten years, others each time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Timeline;
use Test::More;

use constant { HOUR => 3600, SESSION_START => 8.5 * 3600, OPEN => 9 * 3600, CLOSE => 15.5 * 3600 };

my @seeds = defined $ENV{KIS_TEST_SEED} ? $ENV{KIS_TEST_SEED} : $ENV{KIS_TEST_LONG} ? map { time + $_ } 0 .. 9 : 20261119;

# The day of the CSAT, and more of the kind than there are
my @late_opens = qw(2026-07-08 2026-09-10 2026-11-19 2027-02-24 2027-03-18 2027-04-14);

# The second pair has next to no trade: many of its days begin with zeros
my %pairs = ('KSP/0001' => 500_000, 'ELW/W000' => 12);

open my $tsv, '<', "$FindBin::RealBin/../catalog/fields.tsv" or die $!;
my @fields = map { (split /\t/)[1] } <$tsv>;
shift @fields;
close $tsv;
my @totals = grep { !/_ntby_/ } @fields;
my @nets = grep { /_ntby_/ } @fields;

sub clock_text
{
	my ($second) = @_;

	return sprintf '%02d:%02d:%02d', $second / 3600, $second / 60 % 60, $second % 60;
}

# Is each of the totals that were not zero at least what it was, and one of them there?
sub has_grown
{
	my ($figures, $since) = @_;

	return !(grep { $figures->{$_} < $since->{$_} } @totals) && grep { $since->{$_} != 0 } @totals;
}

sub differs
{
	my ($a, $b, @members) = @_;

	return scalar grep { $a->{$_} != $b->{$_} } @members;
}

sub is_zero { my ($figures) = @_; return !grep { $_ != 0 } values %$figures }

# What should be stored of a pair, by what was answered.
sub new_pair { return { snapshots => [], rows => {} } }

sub last_before
{
	my ($pair, $day) = @_;

	return (grep { $_->{day} lt $day } @{ $pair->{snapshots} })[-1];
}

sub after_close
{
	my ($snapshot) = @_;

	return $snapshot->{on} gt $snapshot->{day} || $snapshot->{second} >= CLOSE;
}

# The pair was stored after the session of that day, and shows nothing less now.
sub seen_to_the_end
{
	my ($pair, $timeline, $name, $day) = @_;
	my $last = $pair->{snapshots}[-1];

	return $last && $last->{day} eq $day && after_close($last) && $pair->{rows}{$day}
	  && has_grown($timeline->figures($name, $day, 24 * HOUR), $last->{figures});
}

# Notes what was accepted; complains of a wrong day, or a wrong outcome.
sub accept_answer
{
	my ($pair, $look, $shown, $answer) = @_;
	my $row = $pair->{rows}{ $answer->{day} };
	my $figures = $shown->{figures};

	return "of $shown->{day}" if defined $shown->{day} && $answer->{day} ne $shown->{day};
	return 'zeros of a closed day' if !defined $shown->{day} && $answer->{outcome} ne 'unchanged';
	return 'zeros before the session' if is_zero($figures) && $look->{is_open} && $look->{second} < $look->{start};
	my $outcome = !$row ? 'inserted' : differs($row, $figures, @nets) ? 'updated' : 'unchanged';
	return "not $outcome" if $answer->{outcome} ne $outcome && !$look->{both};
	$pair->{rows}{ $answer->{day} } = $figures;
	push @{ $pair->{snapshots} }, { day => $answer->{day}, figures => $figures, on => $look->{day}, second => $look->{second} }
	  if !@{ $pair->{snapshots} } || differs($pair->{snapshots}[-1]{figures}, $figures, @fields);
	return;
}

# Complains of figures that were left out without need.
sub judge_skip
{
	my ($pair, $look, $shown, $answer) = @_;
	my ($second, $start, $figures) = (@$look{qw(second start)}, $shown->{figures});
	my $last = last_before($pair, $look->{day});
	local $_ = $answer->{detail};

	return is_zero($figures) && $second < $start ? undef : 'not before the session' if /^all figures are zero before/;
	return is_zero($figures) ? undef : 'not zeros' if /^all figures are zero/;
	if (/^still the figures of (\S+):/)
	{
		return 'before the session' if $second < $start;
		return if $shown->{day} ne $look->{day};
		return if $last && $second < $start + 2 * HOUR && after_close($last) && has_grown($figures, $last->{figures});
		return 'they are not';
	}
	return $second >= $start && $second < $look->{open} ? undef : 'the exchange is open' if /^perhaps still/;
	if (/^KIS's calendar says that the exchange is closed/)
	{
		return 'it does not' if !$look->{said_closed};
		return 'not yet' if $second < SESSION_START;
		return differs($pair->{rows}{ $answer->{day} }, $figures, @nets) ? undef : 'they are the same';
	}
	return $look->{both} ? undef : 'not at once' if /^older than/;
	return 'why?';
}

# A look's answers of both pairs, or of none that could be asked: by pair.
sub answers
{
	my ($result) = @_;
	my %answers;

	foreach my $error (@{ $result->{errors} })
	{
		foreach my $line (split /\n/, $error->{detail})
		{
			my ($name, $detail) = $line =~ m{^(\S+/\S+): (.*)} or next;
			$answers{$name} = { outcome => 'failed', detail => $detail };
		}
		$answers{error} = "$error->{message}: $error->{detail}" if !%answers;
	}
	foreach my $line (split /\n/, $result->{output})
	{
		my ($name, $day, $outcome, $detail) = split /\|/, $line, 4;
		$answers{$name} = { day => $day, outcome => $outcome, detail => $detail };
	}
	return \%answers;
}

# The calendar fails, or ends too soon, for so many looks of a day.
sub spoil_calendar
{
	my ($simulator, $timeline, $day) = @_;

	if ($timeline->chance($day, 'how') < 0.5)
	{
		$simulator->fault({ match => { kind => 'holiday' }, fault => 'error', params => { msg_cd => 'EGW00206' } });
		return;
	}
	my $first = KisTest::Timeline::day_after($day, -14);
	my @days = map { KisTest::Timeline::day_after($first, $_) } 0 .. 1 + int(20 * $timeline->chance($day, 'rows'));
	$simulator->config(captured => { 'holiday:' . $first =~ s/-//gr => {
		rt_cd => '0', msg_cd => 'KIOK0500', msg1 => '', output => [ map { {
			bass_dt => s/-//gr, wday_dvsn_cd => '01', bzdy_yn => 'Y', tr_day_yn => 'Y', sttl_day_yn => 'Y',
			opnd_yn => $timeline->is_open($_) ? 'Y' : 'N' } } @days ] } });
	return;
}

sub run_year
{
	my ($seed) = @_;
	my $simulator = KisTest::Simulator->new;
	my $settings = $simulator->settings;
	my $timeline = KisTest::Timeline->new(
		seed => $seed, first => '2026-06-01', days => 365, pairs => \%pairs, fields => \@fields,
		holidays => $settings->{holidays}, yearly => $settings->{yearly_holidays}, late_opens => \@late_opens);
	my $clock = KisTest::Clock->new($simulator);
	my %stored = map { $_ => new_pair() } keys %pairs;
	my (%count, @complaints);

	$clock->set('2026-05-31 23:00:00');
	my $node = new_node("seed_$seed", env => $clock->env);
	setup($node, 'postgres', $simulator, calendar => 'kis', late_opens => join(', ', @late_opens), max_retries => 0);
	$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
	my @sessions = map { $node->session } 1 .. 2;
	my $collect = sprintf q{SELECT concat_ws('|', market_code || '/' || sector_code, trade_date, outcome, detail)
		FROM collect_market_investor_trend('{%s}')}, join ',', sort keys %pairs;

	my $look_at = sub {
		my ($look) = @_;
		my %shown = map { $_ => $timeline->shown($_, @$look{qw(day second)}) } keys %pairs;

		$clock->set("$look->{server_day} " . clock_text($look->{second}));
		$simulator->config(
			overrides => { map { my $figures = $shown{$_}{figures}; $_ => { map { $_ => "$figures->{$_}" } @fields } } keys %pairs },
			date_header => $look->{clock_off} ? -86400 : 0,
			holidays => [ @{ $settings->{holidays} }, $look->{wrongly_closed} ? $look->{day} : () ]);
		my @who = $look->{both} ? @sessions : $sessions[ $look->{number} % 2 ];
		$_->send($collect) foreach @who;
		foreach my $answers (map { answers($_->result) } @who)
		{
			my @wrong = $answers->{error} // ();
			foreach my $name (grep { m{/} } sort keys %pairs)
			{
				my $answer = $answers->{$name} or next;
				my $wrong;
				if ($answer->{outcome} eq 'failed')
				{
					$wrong = $look->{clock_off} ? ($answer->{detail} =~ /the server's clock is/ ? undef : 'not for the clock') :
					  $look->{spoilt} ? undef : 'without need';
				}
				elsif ($answer->{outcome} eq 'skipped') { $wrong = judge_skip($stored{$name}, $look, $shown{$name}, $answer) }
				else { $wrong = accept_answer($stored{$name}, $look, $shown{$name}, $answer) }
				$count{ join ' ', $answer->{outcome}, ($answer->{detail} // '') =~ /^((?:\S+ ){2}\S+)/ }++;
				push @wrong, "$name: " . join(' ', grep { defined } @$answer{qw(outcome day detail)}) . ": $wrong" if defined $wrong;
			}
			push @complaints, map { "$look->{day} " . clock_text($look->{second}) . " $_" } @wrong;
		}
	};

	my $number = 0;
	foreach my $day ($timeline->days)
	{
		my $is_open = $timeline->is_open($day);
		my $before = $timeline->open_before($day);
		my $late = $is_open ? $timeline->late_by($day) : 0;
		my $all_seen = $is_open && !grep { !seen_to_the_end($stored{$_}, $timeline, $_, $before) } keys %pairs;
		my $fate = $timeline->chance($day, 'fate');
		my $wrongly_closed = $all_seen && $fate < 0.06;
		my $spoilt = $fate > 0.85 ? 1 + int(2 * $timeline->chance($day, 'spoilt')) : 0;
		my $of_day = 0;
		my $turns_over_late = $all_seen && !$wrongly_closed && $fate < 0.14;

		$timeline->turn_over_late($day, 3000 * $timeline->chance($day, 'late')) if $turns_over_late;
		next if $timeline->chance('week', int($number++ / 5), 'off') < 0.1;
		spoil_calendar($simulator, $timeline, $day) if $spoilt;
		foreach my $second ($timeline->looks($day, 5))
		{
			my $clock_off = $timeline->chance($day, $second, 'clock') < 0.02;
			if (++$of_day == $spoilt + 1 && $spoilt)
			{
				$simulator->fault;
				$simulator->config(captured => {});
			}
			if ($wrongly_closed && $of_day == 4)
			{
				$wrongly_closed = 0;
				$clock->set("$day " . clock_text($second));
				$simulator->config(holidays => $settings->{holidays});
				$sessions[0]->query_safe(q{SELECT count(*) FROM kis_check('kis')});
			}
			$count{looks}++;
			$look_at->({
				number => $count{looks}, day => $day, second => $second, is_open => $is_open,
				server_day => $clock_off ? KisTest::Timeline::day_after($day) : $day, clock_off => $clock_off,
				start => SESSION_START + $late, open => OPEN + $late,
				spoilt => $of_day <= $spoilt, wrongly_closed => $wrongly_closed, said_closed => !$is_open || $wrongly_closed,
				both => $timeline->chance($day, $second, 'both') < 0.2 });
		}
		$simulator->fault if $spoilt;
		$simulator->config(captured => {}) if $spoilt;
	}
	$_->quit foreach @sessions;

	is(join("\n", grep { defined } @complaints[ 0 .. 19 ]), '', "seed $seed: each look is stored under its day, or left out with reason");
	foreach my $name (sort keys %pairs)
	{
		my ($market, $sector) = split '/', $name;
		my $of_pair = "market_code = '$market' AND sector_code = '$sector'";
		my $pair = $stored{$name};

		is($node->safe_psql('postgres', qq{SELECT trade_date, foreign_sell_qty, foreign_net_qty, institution_buy_amount
			FROM market_investor_trend_snapshot WHERE $of_pair ORDER BY collected_at}),
			join("\n", map { join '|', $_->{day}, @{ $_->{figures} }{qw(frgn_seln_vol frgn_ntby_qty orgn_shnu_tr_pbmn)} } @{ $pair->{snapshots} }),
			"seed $seed: the snapshots of $name are what KIS showed");
		is($node->safe_psql('postgres', "SELECT trade_date, foreign_net_qty, individual_net_amount FROM market_investor_trend WHERE $of_pair ORDER BY trade_date"),
			join("\n", map { join '|', $_, @{ $pair->{rows}{$_} }{qw(frgn_ntby_qty prsn_ntby_tr_pbmn)} } sort keys %{ $pair->{rows} }),
			"seed $seed: so is the store");
	}
	is_deeply([ $simulator->problems ], [], 'all requests as KIS documents them');
	diag("seed $seed: " . join ', ', map { "$_: $count{$_}" } sort keys %count);
	$node->stop;
	$simulator->stop;
	return;
}

run_year($_) foreach @seeds;
done_testing();
