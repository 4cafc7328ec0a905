# What the pictures share. examples/draw sets before: data, svg, name, source (the call
# of KIS) and simulated (the figures are a simulator's).
#
# Where bars lie, x and y are pixels from the upper left corner, so that nothing
# depends on how wide a font is.
set encoding utf8
set datafile separator tab
width = 640

# Korea's colours: red is bought or up, blue is sold or down
bought = 0xc8373b
sold = 0x2f62b5
bought_light = 0xe9a19d
sold_light = 0x96b4e2
sign_colour(x) = x < 0 ? sold : bought
text_colour(x) = abs(x) < 0.5 ? 0x666666 : sign_colour(x)
light_colour(x) = x < 0 ? sold_light : bought_light
# of investors, none of them red or blue
foreign = '#7b3294'
individual = '#b86e00'
institution = '#1a7a4c'
dark = '#222222'
grey = '#666666'

minus = '−'
group(x) = (x < 0 ? minus : '') . (abs(x) < 999.5 ? sprintf('%.0f', abs(x)) : \
    sprintf('%.0f,%03.0f', floor((abs(x) + 0.5) / 1000), floor(abs(x) + 0.5) - 1000 * floor((abs(x) + 0.5) / 1000)))
signed(x) = (abs(x) < 0.5 ? '' : x > 0 ? '+' : '') . (abs(x) < 0.5 ? '0' : group(x))
# An index has two decimals
level(x) = group(floor(x)) . sprintf('.%02d', floor(100 * (x - floor(x)) + 0.5))
# The step of tics some 45 pixels from each other
step(range) = (s_tics = (bottom - top) / 45.0, s_power = 10 ** floor(log10(range / s_tics)), s_times = range / s_tics / s_power, \
    s_power * (s_times < 1.5 ? 1 : s_times < 3.5 ? 2 : s_times < 7.5 ? 5 : 10))
# Tics with groups of digits on y, over what is to be plotted: eval y_tics(min, max)
y_tics(min, max) = sprintf("unset ytics; set ytics () nomirror scale 0 textcolor rgb grey font ',12'; do for [i = %d:%d] { set ytics add (group(i * %g) i * %g) }", \
    ceil(min / step(max - min)), floor(max / step(max - min)), step(max - min), step(max - min))

at_x(x) = x / real(width)
at_y(y) = 1 - y / real(height)
say(n, text, size, x, y, where, colour) = sprintf( \
    "set label %d \"{/=%d %s}\" at screen at_x(%g), at_y(%g) %s front textcolor rgb '%s'", n, size, text, x, y, where, colour)

# canvas(rows): a picture so high, empty
canvas(h) = sprintf("height = %d; set terminal svg size width, height name '%s' font 'sans-serif,13' background '#ffffff'; set output svg;", h, name) \
    . "unset key; unset border; set tics scale 0 textcolor rgb grey; unset xtics; unset ytics; set style fill solid 1.0 noborder"

# heading(korean, english, day, moment): the title with the trading day, and when it
# was collected; below the picture, where its figures are from. moment is of the
# day itself, or begins with a later day's date.
collected(day, moment) = moment[1:10] eq day ? moment[12:16] : moment
heading(korean, english, day, moment) = say(101, '{/:Bold ' . korean . '}', 19, 16, 28, 'left', dark) . ';' \
    . say(102, '거래일 ' . day . (moment eq '' ? '' : ' · ' . collected(day, moment) . ' 수집') . ' · 단위 억원', 13, 16, 51, 'left', dark) . ';' \
    . say(103, english . ', ' . day . (moment eq '' ? '' : ', collected ' . collected(day, moment) . ' Seoul') . ', 100 million won', \
        11, 16, 69, 'left', grey) . ';' \
    . say(104, (simulated ? '가상 데이터, KIS의 수치가 아님 · ' : '출처: ') . 'KIS Open API ' . source . ' via market\\_investor\\_fdw', \
        11, 16, height - 14, 'left', grey) . ';' \
    . (simulated ? say(105, '{/:Bold 가상 데이터}', 15, width - 16, 27, 'right', '#b00000') . ';' \
        . say(106, 'SIMULATED', 11, width - 16, 45, 'right', '#b00000') : '')
unheading = 'do for [n = 101:112] { unset label n }'

# ---- bars that lie, a row below the other, in pixels

top_of_rows = 112
# rows(height of one, how many): the picture's height
height_of_rows(high, count) = top_of_rows + high * count + 36
bars(high, count) = canvas(height_of_rows(high, count)) . sprintf("; row = %d;", high) \
    . "set lmargin at screen 0; set rmargin at screen 1; set tmargin at screen 1; set bmargin at screen 0;" \
    . "set xrange [0:width]; set yrange [height:0]"
middle(n) = top_of_rows + row * (n + 0.5)
longer(x, y) = abs(x) > abs(y) ? abs(x) : abs(y) > 1 ? abs(y) : 1
# Zero lies so that the longest to both sides have room between left and right
zero_of(left, right, min, max) = left + (right - left) * (min < 0 ? -min : 0) / ((max > 0 ? max : 0) - (min < 0 ? min : 0) + 1e-9)
scale_of(left, right, min, max) = (right - left) / ((max > 0 ? max : 0) - (min < 0 ? min : 0) + 1e-9)
legend(left, right) = say(107, '◀ 순매도 sold', 12, left, top_of_rows - 14, 'left', '#2f62b5') . ';' \
    . say(108, '순매수 bought ▶', 12, right, top_of_rows - 14, 'right', '#c8373b')
# The catalogue's 연기금 has other funds in it, as on the exchange's screens
shown(name) = name eq '연기금' ? '연기금 등' : name

# ---- lines over the day or the days

left_of_lines = 76
right_of_lines = 496
panel(from, to) = sprintf("set lmargin at screen at_x(left_of_lines); set rmargin at screen at_x(right_of_lines);" \
    . "set tmargin at screen at_y(%g); set bmargin at screen at_y(%g); set grid lc rgb '#e4e4e4' lt 1 lw 1; top = %g; bottom = %g", from, to, from, to)
# What stands above a panel: which it is of, and of flows which side is which
caption(text) = say(107, text, 12, left_of_lines, top - 9, 'left', dark)
sides(top) = say(108, '▲ 순매수 bought', 12, right_of_lines - 112, top - 9, 'right', '#c8373b') . ';' \
    . say(109, '▼ 순매도 sold', 12, right_of_lines, top - 9, 'right', '#2f62b5')
# How far down a value of a panel is
down(value, min, max) = bottom - (bottom - top) * (value - min) / (max - min)
# The places of three labels, which don't touch: that of y among y, b and c
gap = 36
smallest(a, b, c) = a < b ? (a < c ? a : c) : (b < c ? b : c)
largest(a, b, c) = a > b ? (a > c ? a : c) : (b > c ? b : c)
between(a, b, c) = a + b + c - smallest(a, b, c) - largest(a, b, c)
apart(y, b, c) = y == smallest(y, b, c) ? (y < between(y, b, c) - gap ? y : between(y, b, c) - gap) : \
    y == largest(y, b, c) ? (y > between(y, b, c) + gap ? y : between(y, b, c) + gap) : y
# The end of a line: its name and value
end_label(n, korean, english, value, x, y, colour) = say(n, '{/:Bold ' . korean . ' ' . value . '}', 13, x, y - 7, 'left', colour) . ';' \
    . say(n + 1, english, 11, x, y + 9, 'left', colour)
