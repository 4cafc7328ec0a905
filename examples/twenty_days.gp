low = 0
high = 1
first = ''
stats data using (first = (first eq '' ? strcol(1) : first), last = strcol(1), last_foreign = $3, last_individual = $4, last_institution = $5, \
    low = smallest(low, $3, smallest(low, $4, $5)), high = largest(high, $3, largest(high, $4, $5)), 0) nooutput
stats data using (last_level = $2) nooutput
days = STATS_records
room = 0.08 * (high - low)
low = low - room
high = high + room

eval canvas(580)
eval heading(sprintf('코스피 지수와 누적 순매수, %d거래일', days), 'KOSPI and net buying added up', first . '–' . last, '')
set multiplot
set xrange [-0.5:days - 1]
end_x = right_of_lines + 8
eval panel(106, 216)
set grid noxtics
eval caption('코스피 지수 KOSPI')
index_low = STATS_min - 0.1 * (STATS_max - STATS_min) - 1
index_high = STATS_max + 0.1 * (STATS_max - STATS_min) + 1
set yrange [index_low:index_high]
eval y_tics(index_low, index_high)
eval end_label(111, '코스피', 'KOSPI', level(last_level), end_x, down(last_level, index_low, index_high), dark)
plot data using 0:2 with lines lw 2 lc rgb dark
eval unheading
eval panel(260, height - 62)
eval caption('누적 순매수 added up')
eval sides(top)
set yrange [low:high]
eval y_tics(low, high)
set grid noxtics
set xtics () scale 0 nomirror textcolor rgb grey font ',12'
set xzeroaxis lc rgb '#888888' lt 1
f = down(last_foreign, low, high)
p = down(last_individual, low, high) + 0.001
i = down(last_institution, low, high) + 0.002
eval end_label(111, '외국인', 'Foreigners', signed(last_foreign), end_x, apart(f, p, i), foreign)
eval end_label(113, '개인', 'Individuals', signed(last_individual), end_x, apart(p, f, i), individual)
eval end_label(115, '기관계', 'Institutions', signed(last_institution), end_x, apart(i, f, p), institution)
plot data using 0:3:xtic(int($0) % 3 == (days - 1) % 3 ? strcol(1)[6:10] : '') with lines lw 2.5 lc rgb foreign, \
    data using 0:4 with lines lw 2.5 lc rgb individual, \
    data using 0:5 with lines lw 2.5 lc rgb institution
unset multiplot
