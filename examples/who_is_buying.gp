eval heading('코스피, 누가 사고 있나', 'Who is buying on KOSPI: net buying, 억원 (100 million won) · ' . moment)
stats data using 4 nooutput
widest = longer(STATS_min, STATS_max)
is_part(n) = strcol(n) eq 't'
name(n) = (is_part(3) ? '└ ' : '') . strcol(1) . '  ' . strcol(2)
colour(x, part) = part ? (x < 0 ? sold_light : bought_light) : sign_colour(x)
eval lying_bars(STATS_records, widest)
set lmargin 34
plot data using (0):0:($4 < 0 ? $4 : 0):($4 < 0 ? 0 : $4):($0 - 0.36):($0 + 0.36):(colour($4, is_part(3))):ytic(name(1)) \
        with boxxyerror lc rgb variable notitle, \
    data using ($4 < 0 ? NaN : $4):0:(signed($4)) with labels left offset 0.6, 0 notitle, \
    data using ($4 < 0 ? $4 : NaN):0:(signed($4)) with labels right offset -0.6, 0 notitle
