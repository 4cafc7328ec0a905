eval heading('코스피 업종별 외국인 순매수', 'Net buying of foreigners by sector, KOSPI: 억원 (100 million won) · ' . moment)
stats data using 4 nooutput
widest = longer(STATS_min, STATS_max)
name(n) = strcol(2) . '  ' . strcol(3)
# The more, the deeper the colour
share(x) = 0.35 + 0.65 * abs(x) / widest
mixed(c, x) = int(255 - (255 - c) * share(x))
heat(x) = x < 0 ? 65536 * mixed(0x2f, x) + 256 * mixed(0x62, x) + mixed(0xb5, x) : \
    65536 * mixed(0xc8, x) + 256 * mixed(0x37, x) + mixed(0x3b, x)
eval lying_bars(STATS_records, widest)
set lmargin 46
plot data using (0):0:($4 < 0 ? $4 : 0):($4 < 0 ? 0 : $4):($0 - 0.38):($0 + 0.38):(heat($4)):ytic(name(1)) \
        with boxxyerror lc rgb variable notitle, \
    data using ($4 < 0 ? NaN : $4):0:(signed($4)) with labels left offset 0.6, 0 notitle, \
    data using ($4 < 0 ? $4 : NaN):0:(signed($4)) with labels right offset -0.6, 0 notitle
