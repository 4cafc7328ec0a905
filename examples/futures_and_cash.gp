stats data using (day = strcol(5), moment = strcol(6), $3) nooutput
title = '현물과 선물의 순매수'
title_en = 'Net buying of cash and futures'
one = 3
one_name = '현물 cash, KOSPI'
other = 4
other_name = '선물 KOSPI 200 futures'
load examples . '/two_panels.gp'
