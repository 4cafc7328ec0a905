# What the pictures share. examples/draw sets before: data, png, height, moment
# (the trading day, and when it was collected, in Seoul) and simulated (the figures are a simulator's).
set encoding utf8
set terminal pngcairo size 960, height font 'NanumGothic,12' background '#ffffff'
set output png
set datafile separator tab

# Korea's colours: red is bought or up, blue is sold or down
bought = 0xc8373b
sold = 0x2f62b5
bought_light = 0xf0b3b0
sold_light = 0xaec6ec
sign_colour(x) = x < 0 ? sold : bought
# of investors, none of them red or blue
foreign = '#7b3294'
individual = '#d98200'
institution = '#1a7a4c'

minus = '−'
group(x) = (x < 0 ? minus : '') . (abs(x) < 999.5 ? sprintf('%.0f', abs(x)) : \
    sprintf('%.0f,%03.0f', floor((abs(x) + 0.5) / 1000), floor(abs(x) + 0.5) - 1000 * floor((abs(x) + 0.5) / 1000)))
signed(x) = (x > 0 ? '+' : '') . group(x)
# The step of some six tics over a range
step(range) = (s_power = 10 ** floor(log10(range / 6)), s_times = range / 6 / s_power, \
    s_power * (s_times < 1.5 ? 1 : s_times < 3.5 ? 2 : s_times < 7.5 ? 5 : 10))
# Tics with groups of digits on y, over what is to be plotted: eval y_tics(min, max)
y_tics(min, max) = sprintf("unset ytics; set ytics () nomirror scale 0 textcolor rgb '#444444'; do for [i = %d:%d] { set ytics add (group(i * %g) i * %g) }", \
    floor(min / step(max - min)), ceil(max / step(max - min)), step(max - min), step(max - min))

set border 0
set tics scale 0 textcolor rgb '#444444'
set grid lc rgb '#e4e4e4' lt 1 lw 1
set key at graph 0, graph 1 left bottom horizontal Left reverse samplen 2 width -5 font ',12'
set style fill solid 1.0 noborder
set lmargin 10
set rmargin 13
set tmargin 6.5
set bmargin 4

# heading(korean, english): the title and what it is of
heading(korean, english) = sprintf( \
    "set label 101 \"{/:Bold=17 %s}\" at screen 0.02, screen 1 offset 0, -1.3 left front;" . \
    "set label 102 \"{/=12 %s}\" at screen 0.02, screen 1 offset 0, -2.7 left front textcolor rgb '#555555'", \
    korean, english)
if (simulated) {
    set label 103 "{/:Bold=12 모의 데이터 · SIMULATED DATA}" at screen 0.98, screen 1 offset 0, -1.3 right front textcolor rgb '#b00000'
    set label 104 "{/:Bold=88 SIMULATED}" at screen 0.53, screen 0.42 center rotate by 20 front textcolor rgb '#e8808080'
}

# Which side of zero is which: beside the line, or below bars that lie
sides_of_line = "set xzeroaxis lc rgb '#888888' lt 1;" . \
    "set label 105 '{/=11 ▲ 순매수 bought}' at graph 1, first 0 offset 0.5, 0.6 textcolor rgb bought;" . \
    "set label 106 '{/=11 ▼ 순매도 sold}' at graph 1, first 0 offset 0.5, -0.6 textcolor rgb sold"
sides_of_bars = "set arrow 101 from 0, graph 0 to 0, graph 1 nohead lc rgb '#888888';" . \
    "set label 105 '{/=12 순매수 bought ▶}' at first 0, graph 0 offset 1, -1 left textcolor rgb bought;" . \
    "set label 106 '{/=12 ◀ 순매도 sold}' at first 0, graph 0 offset -1, -1 right textcolor rgb sold"

# The longer of two bars, and at least so long that it can be drawn
longer(x, y) = abs(x) > abs(y) ? abs(x) : abs(y) > 1 ? abs(y) : 1
# lying_bars(rows, widest): room for bars that lie one below the other
lying_bars(rows, widest) = sprintf('set yrange [%d - 0.4:-0.6]; set xrange [-%g:%g];', rows, 1.3 * widest, 1.3 * widest) . \
    "set rmargin 2; set tmargin 5; set bmargin 3; set format x ''; set grid x noy; set ytics noenhanced;" . sides_of_bars
