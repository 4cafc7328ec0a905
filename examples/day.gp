# Panels over the hours of a day. Set before: last, the time of the last row, and
# low and high of the flows.
midnight = strptime('%Y-%m-%d', last[1:10])
end = strptime('%Y-%m-%d %H:%M:%S', last)
set xdata time
set timefmt '%Y-%m-%d %H:%M:%S'
hours = (end - midnight) / 3600 - 9
set xrange [midnight + 9 * 3600:hours > 0.1 ? end : midnight + 9.1 * 3600]
# so that their labels don't touch
between_tics = hours > 7.5 ? 7200 : hours > 3 ? 3600 : hours > 1 ? 1800 : 600
drawn = hours > 0.5 ? 'lines' : 'linespoints pt 7 ps 0.4'
end_x = right_of_lines + 8
room = 0.08 * (high - low)
low = low - room
high = high + room

# The index above, without its hours, and what is bought net below, with them
index_panel(from, to, min, max) = panel(from, to) . sprintf("; index_low = %.2f; index_high = %.2f;", \
    min - 0.1 * (max - min) - 1, max + 0.1 * (max - min) + 1) \
    . "set yrange [index_low:index_high]; eval y_tics(index_low, index_high); set xtics between_tics scale 0 format ''; eval caption('코스피 지수 KOSPI')"
flow_panel(from) = panel(from, height - 62) . "; set yrange [low:high]; eval y_tics(low, high);" \
    . "set xtics between_tics scale 0 format '%H:%M' textcolor rgb grey font ',12'; set xzeroaxis lc rgb '#888888' lt 1;" \
    . "eval caption('누적 순매수 net buying'); eval sides(top)"
