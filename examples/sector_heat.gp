stats data using (day = strcol(6), moment = strcol(7), $4) nooutput
min = STATS_min
max = STATS_max
eval bars(34, STATS_records)
eval heading('코스피 업종별 외국인 순매수', 'Net buying of foreigners by sector, KOSPI', day, moment)
left = 206
right = 540
eval legend(left, right)
zero = zero_of(left, right, min, max)
scale = scale_of(left, right, min, max)
set arrow from zero, top_of_rows to zero, height - 36 nohead lc rgb '#888888'
plot data using (zero):(middle($0)):(zero):(zero + scale * $4):(middle($0) - 0.34 * row):(middle($0) + 0.34 * row):(sign_colour($4)) \
        with boxxyerror lc rgb variable, \
    data using (16):(middle($0) - 7):2 with labels left font ',14' noenhanced textcolor rgb dark, \
    data using (16):(middle($0) + 8):3 with labels left font ',10' noenhanced textcolor rgb grey, \
    data using (width - 16):(middle($0)):(signed($4)):(text_colour($4)) with labels right font ',14' textcolor rgb variable
