seconds(n) = timecolumn(n, '%Y-%m-%d %H:%M:%S')
low = 0
high = 1
indexed = 0
stats data using (indexed = indexed + (strcol(5) ne ''), last = strcol(1), last_foreign = $2, last_individual = $3, last_institution = $4, \
    low = smallest(low, $2, smallest(low, $3, $4)), high = largest(high, $2, largest(high, $3, $4)), 0) nooutput
if (indexed) { stats data using (last_level = $5) nooutput }
load examples . '/day.gp'

eval canvas(indexed ? 580 : 460)
eval heading('장중 투자자별 순매수, 코스피', 'Net buying through the day, KOSPI', last[1:10], last[1:16])
set multiplot
if (indexed) {
    eval index_panel(106, 216, STATS_min, STATS_max)
    eval end_label(111, '코스피', 'KOSPI', level(last_level), end_x, down(last_level, index_low, index_high), dark)
    plot data using (seconds(1)):5 with @drawn lw 2 lc rgb dark
    eval unheading
}
eval flow_panel(indexed ? 260 : 106)
f = down(last_foreign, low, high)
p = down(last_individual, low, high) + 0.001
i = down(last_institution, low, high) + 0.002
eval end_label(111, '외국인', 'Foreigners', signed(last_foreign), end_x, apart(f, p, i), foreign)
eval end_label(113, '개인', 'Individuals', signed(last_individual), end_x, apart(p, f, i), individual)
eval end_label(115, '기관계', 'Institutions', signed(last_institution), end_x, apart(i, f, p), institution)
plot data using (seconds(1)):2 with @drawn lw 2.5 lc rgb foreign, \
    data using (seconds(1)):3 with @drawn lw 2.5 lc rgb individual, \
    data using (seconds(1)):4 with @drawn lw 2.5 lc rgb institution
unset multiplot
