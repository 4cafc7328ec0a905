seconds(n) = timecolumn(n, '%Y-%m-%d %H:%M:%S')
low = 0
high = 1
stats data using (last = strcol(1), last_foreign = $2, low = (low < $2 ? low : $2), high = (high > $2 ? high : $2), 0) nooutput
stats data using (last_level = $3) nooutput
load examples . '/day.gp'

eval canvas(530)
eval heading('외국인 순매수와 코스피 지수', 'Foreigners against the index, KOSPI', last[1:10], last[1:16])
set multiplot
eval index_panel(106, 250, STATS_min, STATS_max)
eval end_label(111, '코스피', 'KOSPI', level(last_level), end_x, down(last_level, index_low, index_high), dark)
plot data using (seconds(1)):3 with @drawn lw 2 lc rgb dark
eval unheading
eval flow_panel(294)
eval end_label(111, '외국인', 'Foreigners', signed(last_foreign), end_x, down(last_foreign, low, high), last_foreign < 0 ? '#2f62b5' : '#c8373b')
plot data using (seconds(1)):2 with filledcurves above y=0 lc rgb bought_light, \
    data using (seconds(1)):2 with filledcurves below y=0 lc rgb sold_light, \
    data using (seconds(1)):2 with @drawn lw 2 lc rgb dark
unset multiplot
