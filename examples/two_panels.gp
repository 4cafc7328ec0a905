# Bars in two panels beside each other, each to its own scale. Set before: one and
# other, the columns; their headings; day and moment by the data's last row.
stats data using one nooutput
min = STATS_min
max = STATS_max
count = STATS_records
stats data using other nooutput
eval bars(42, count)
eval heading(title, title_en, day, moment)
eval say(107, '{/:Bold ' . one_name . '}', 13, 150, top_of_rows - 14, 'left', dark)
eval say(108, '{/:Bold ' . other_name . '}', 13, 402, top_of_rows - 14, 'left', dark)
zero = zero_of(150, 306, min, max)
scale = scale_of(150, 306, min, max)
other_zero = zero_of(402, 552, STATS_min, STATS_max)
other_scale = scale_of(402, 552, STATS_min, STATS_max)
set arrow from zero, top_of_rows to zero, height - 36 nohead lc rgb '#888888'
set arrow from other_zero, top_of_rows to other_zero, height - 36 nohead lc rgb '#888888'
set arrow from 391, top_of_rows - 24 to 391, height - 36 nohead lc rgb '#dddddd'
plot data using (zero):(middle($0)):(zero):(zero + scale * column(one)):(middle($0) - 0.3 * row):(middle($0) + 0.3 * row):(sign_colour(column(one))) \
        with boxxyerror lc rgb variable, \
    data using (zero):(middle($0)):(other_zero):(other_zero + other_scale * column(other)):(middle($0) - 0.3 * row):(middle($0) + 0.3 * row):(sign_colour(column(other))) \
        with boxxyerror lc rgb variable, \
    data using (16):(middle($0) - 7):(shown(strcol(1))) with labels left font ',14' noenhanced textcolor rgb dark, \
    data using (16):(middle($0) + 9):2 with labels left font ',10' noenhanced textcolor rgb grey, \
    data using (382):(middle($0)):(signed(column(one))):(text_colour(column(one))) with labels right font ',13' textcolor rgb variable, \
    data using (width - 14):(middle($0)):(signed(column(other))):(text_colour(column(other))) with labels right font ',13' textcolor rgb variable
