stats data using (day = strcol(6), moment = strcol(7), $4) nooutput
title = '누구의 프로그램 매매인가, 코스피'
title_en = 'Program trading on KOSPI: net buying'
one = 4
one_name = '비차익 non-arbitrage'
other = 3
other_name = '차익 arbitrage'
load examples . '/two_panels.gp'
