eval heading('누구의 프로그램 매매인가, 코스피', 'Program trading on KOSPI by investor: net buying, 억원 (100 million won) · ' . moment)
stats data using 3:4 nooutput
eval lying_bars(STATS_records, longer(longer(STATS_min_x, STATS_max_x), longer(STATS_min_y, STATS_max_y)))
name(n) = strcol(1) . '  ' . strcol(2)
light(x) = x < 0 ? sold_light : bought_light
set lmargin 34
set tmargin 6.5
set label '위: 비차익 non-arbitrage (above, dark)   아래: 차익 arbitrage (below, light)' at graph 0, graph 1 offset 0, 0.8 textcolor rgb '#444444'
plot data using (0):0:($4 < 0 ? $4 : 0):($4 < 0 ? 0 : $4):($0 - 0.36):0:(sign_colour($4)):ytic(name(1)) \
        with boxxyerror lc rgb variable notitle, \
    data using (0):0:($3 < 0 ? $3 : 0):($3 < 0 ? 0 : $3):0:($0 + 0.36):(light($3)) with boxxyerror lc rgb variable notitle, \
    data using ($4 < 0 ? NaN : $4):($0 - 0.18):(signed($4)) with labels left offset 0.6, 0 notitle, \
    data using ($4 < 0 ? $4 : NaN):($0 - 0.18):(signed($4)) with labels right offset -0.6, 0 notitle, \
    data using ($3 < 0 ? NaN : $3):($0 + 0.18):(signed($3)) with labels left offset 0.6, 0 notitle, \
    data using ($3 < 0 ? $3 : NaN):($0 + 0.18):(signed($3)) with labels right offset -0.6, 0 notitle
