low = 0
high = 1
first = last = ''
last_close = last_foreign = last_individual = last_institution = 0
stats data using (first = (first eq '' ? strcol(1) : first), last = strcol(1), last_close = $2, \
    last_foreign = $3, last_individual = $4, last_institution = $5, \
    low = (low < $3 ? low : $3), low = (low < $4 ? low : $4), low = (low < $5 ? low : $5), \
    high = (high > $3 ? high : $3), high = (high > $4 ? high : $4), high = (high > $5 ? high : $5), 0) nooutput
days = STATS_records
stats data using 2 nooutput
range = STATS_max > STATS_min ? STATS_max - STATS_min : 1
eval heading('코스피 지수와 누적 순매수, 최근 ' . sprintf('%d', days) . '거래일', \
    'KOSPI and net buying added up since ' . first . ', 억원 (100 million won), to ' . last)
set multiplot
set xrange [-0.5:days - 0.5]
set bmargin 0
set tmargin 0

set origin 0, 0.60
set size 1, 0.24
set format x ''
set yrange [STATS_min - 0.15 * range:STATS_max + 0.15 * range]
set ytics step(2 * range) format '%.0f'
plot data using 0:2 with linespoints lw 2 pt 7 ps 0.6 lc rgb '#333333' title sprintf('코스피 지수 KOSPI %.2f', last_close)

# Once is enough
unset label 101
unset label 102
unset label 103
unset label 104
set origin 0, 0.09
set size 1, 0.42
eval y_tics(low, high)
set yrange [low - 0.08 * (high - low):high + 0.08 * (high - low)]
eval sides_of_line
plot data using 0:3:xtic(int($0) % 2 == (days - 1) % 2 ? strcol(1)[6:10] : '') with linespoints lw 3 pt 7 ps 0.6 lc rgb foreign \
        title '외국인 Foreigners ' . signed(last_foreign), \
    data using 0:4 with linespoints lw 3 pt 7 ps 0.6 lc rgb individual title '개인 Individuals ' . signed(last_individual), \
    data using 0:5 with linespoints lw 2 pt 7 ps 0.5 lc rgb institution title '기관 Institutions ' . signed(last_institution)
unset multiplot
