"""The report: lines on the screen, and RESULTS.md."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass

HEAD = """# What it reaches

Written by `bench/run`, which installs what it needs, builds, measures all of it side by side
in one run on one machine, and leaves nothing but this file. Figures are medians of several
runs in which the compared programs take turns (of runs of many calls: of each run's median
call); a ratio is the median of the runs' own ratios.
Only ratios mean something on another machine, and even they depend on how loaded it is.

"""


@dataclass
class Line:
    """A work, ours and what it is compared with."""

    work: str
    ours: str
    beside: str
    theirs: str
    ratio: float
    bar: float          # None: no bar, for information
    direction: str      # '<=' or '>='
    note: str

    def holds(self):
        return self.ratio <= self.bar if self.direction == '<=' else self.ratio >= self.bar

    def verdict(self):
        if self.bar is None:
            return ''
        return 'yes' if self.holds() else '**no**'

    def limit(self):
        if self.bar is None:
            return ''
        return '%s %g' % ('at most' if self.direction == '<=' else 'at least', self.bar)

    def text(self):
        bar = '' if self.bar is None else ' (%s: %s)' % (self.limit(), self.verdict().strip('*'))
        return '%s: %s; %s: %s; ratio %.3g%s' % (
            self.work, self.ours, self.beside, self.theirs, self.ratio, bar)


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def machine():
    """What was measured on, as 'name: value' pairs."""
    with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
        models = [line.split(':', 1)[1].strip() for line in file if line.startswith('model name')]
    with open('/proc/meminfo', encoding='ascii') as file:
        memory = int(file.readline().split()[1]) // 1024
    yield 'processor', '%s, %d of it' % (models[0] if models else platform.machine(),
                                         os.cpu_count())
    yield 'memory', '%d MB' % memory
    yield 'system', 'Linux %s' % platform.release()


def versions(bench):
    yield 'PostgreSQL', bench.sql('SHOW server_version')
    yield 'market_investor_fdw', bench.sql("SELECT extversion FROM pg_extension"
                                           " WHERE extname = 'market_investor_fdw'")
    yield 'curl', ' '.join(output('curl', '--version').split()[1:4])
    yield 'Python', platform.python_version()
    for module in ('requests', 'psycopg2'):
        yield module, __import__(module).__version__


def write(name, lines, bench, load_before):
    with open(name, 'w', encoding='utf-8') as file:
        file.write(HEAD)
        file.write('| work | ours | compared with | theirs | ratio | bar | holds |\n')
        file.write('|---|---|---|---|---|---|---|\n')
        notes = []
        for line in lines:
            mark = ''
            if line.note:
                notes.append(line.note)
                mark = ' (%d)' % len(notes)
            file.write('| %s%s | %s | %s | %s | %.3g | %s | %s |\n' % (
                line.work, mark, line.ours, line.beside, line.theirs, line.ratio,
                line.limit(), line.verdict()))
        file.write('\n')
        for number, note in enumerate(notes, 1):
            file.write('%d. %s\n' % (number, note))
        file.write('\nOn %s, load %.2f before and %.2f after:\n' % (
            time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()), load_before, os.getloadavg()[0]))
        for what, value in [*machine(), *versions(bench)]:
            file.write('- %s %s\n' % (what, value))
