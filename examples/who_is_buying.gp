stats data using (day = strcol(5), moment = strcol(6), $4) nooutput
min = STATS_min
max = STATS_max
eval bars(38, STATS_records)
eval heading('코스피, 누가 사고 있나', 'Who is buying on KOSPI: net buying', day, moment)
left = 176
right = 540
eval legend(left, right)
zero = zero_of(left, right, min, max)
scale = scale_of(left, right, min, max)
set arrow from zero, top_of_rows to zero, height - 36 nohead lc rgb '#888888'
is_part(n) = strcol(n) eq 't'
indent(n) = is_part(n) ? 30 : 16
colour(x, part) = part ? light_colour(x) : sign_colour(x)
plot data using (zero):(middle($0)):(zero):(zero + scale * $4):(middle($0) - 0.32 * row):(middle($0) + 0.32 * row):(colour($4, is_part(3))) \
        with boxxyerror lc rgb variable, \
    data using (indent(3)):(middle($0) - 7):(shown(strcol(1))) with labels left font ',14' noenhanced textcolor rgb dark, \
    data using (indent(3)):(middle($0) + 9):2 with labels left font ',10' noenhanced textcolor rgb grey, \
    data using (width - 16):(middle($0)):(signed($4)):(text_colour($4)) with labels right font ',14' textcolor rgb variable
