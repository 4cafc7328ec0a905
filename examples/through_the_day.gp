set timefmt '%Y-%m-%d %H:%M:%S'
seconds(n) = timecolumn(n, '%Y-%m-%d %H:%M:%S')
last = ''
low = 0
high = 1
last_foreign = last_individual = last_institution = 0
stats data using (last = strcol(1), last_foreign = $2, last_individual = $3, last_institution = $4, \
    low = (low < $2 ? low : $2), low = (low < $3 ? low : $3), low = (low < $4 ? low : $4), \
    high = (high > $2 ? high : $2), high = (high > $3 ? high : $3), high = (high > $4 ? high : $4), 0) nooutput
eval heading('장중 투자자별 순매수, 코스피 ' . last[1:10], \
    'Net buying through the day, KOSPI: 억원 (100 million won) since the open, to ' . last[12:16])
day = strptime('%Y-%m-%d', last[1:10])
set xdata time
set format x '%H:%M'
closed = strptime('%H:%M', last[12:16]) > 15.75 * 3600
set xtics closed ? 3600 : 1800
set xrange [day + 9 * 3600:day + (closed ? 20 : 15.75) * 3600]
eval y_tics(low, high)
set yrange [low - 0.08 * (high - low):high + 0.08 * (high - low)]
eval sides_of_line
plot data using (seconds(1)):2 with lines lw 3 lc rgb foreign title '외국인 Foreigners ' . signed(last_foreign), \
    data using (seconds(1)):3 with lines lw 3 lc rgb individual title '개인 Individuals ' . signed(last_individual), \
    data using (seconds(1)):4 with lines lw 2 lc rgb institution title '기관 Institutions ' . signed(last_institution)
