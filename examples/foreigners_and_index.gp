set timefmt '%Y-%m-%d %H:%M:%S'
seconds(n) = timecolumn(n, '%Y-%m-%d %H:%M:%S')
last = ''
low = 0
high = 1
last_foreign = last_level = 0
stats data using (last = strcol(1), last_foreign = $2, last_level = $3, \
    low = (low < $2 ? low : $2), high = (high > $2 ? high : $2), 0) nooutput
stats data using 3 nooutput
range = STATS_max > STATS_min ? STATS_max - STATS_min : 1
eval heading('외국인 순매수와 코스피 지수 ' . last[1:10], \
    'Foreigners against the index, KOSPI: 억원 (100 million won) since the open, to ' . last[12:16])
day = strptime('%Y-%m-%d', last[1:10])
set xdata time
set format x '%H:%M'
closed = strptime('%H:%M', last[12:16]) > 15.75 * 3600
set xtics 3600
set xrange [day + 9 * 3600:day + (closed ? 20 : 15.75) * 3600]
eval y_tics(low, high)
set yrange [low - 0.08 * (high - low):high + 0.08 * (high - low)]
set y2range [STATS_min - 0.15 * range:STATS_max + 0.15 * range]
set y2tics step(range) format '%.1f'
eval sides_of_line
# beside the index's tics
set rmargin 20
set label 105 offset 7, 0.6
set label 106 offset 7, -0.6
plot data using (seconds(1)):2 with lines lw 3 lc rgb foreign title '외국인 Foreigners ' . signed(last_foreign), \
    data using (seconds(1)):3 axes x1y2 with lines lw 2 lc rgb '#333333' \
        title sprintf('코스피 지수 KOSPI, right %.2f', last_level)
