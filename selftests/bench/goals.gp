# SPDX-License-Identifier: GPL-2.0
# gnuplot -e 'dat="goals.dat"; out="goals.svg"' goals.gp: the medians as bars.

set terminal svg size 1200,900 background "white"
set output out
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.7 border
set grid ytics
set yrange [0:*]
set key above
rows(name, subject, column) = sprintf("< grep '^\"%s\"' '%s' | grep '\"%s\"'", name, dat, subject)
set multiplot layout 2,2

set title "Durable commits"
set ylabel "transactions/s"
set xlabel "threads"
plot rows("durable", "append+fdatasync", 4) using 4:xtic(2) title "append, fdatasync", \
     rows("durable", "O_DIRECT|O_DSYNC", 4) using 4 title "append, O\\_DIRECT and O\\_DSYNC", \
     rows("durable", "rvm", 4) using 4 title "RVM"

set title "Commits without flush"
plot rows("no_flush", "undo+redo copies", 4) using 4:xtic(2) title "copies in memory", \
     rows("no_flush", "rvm", 4) using 4 title "RVM", \
     rows("no_flush", "rvm no_restore", 4) using 4 title "RVM, no\\_restore"

set title "Latency of a commit"
set ylabel "us"
set xlabel ""
set logscale y
set yrange [*:*]
set xtics rotate by 15 right
plot sprintf("< grep '^\"latency' '%s'", dat) using ($6/1000):xtic(stringcolumn(1)[9:].", ".stringcolumn(3)) title "p50", \
     "" using ($7/1000) title "p99", "" using ($8/1000) title "p99.9"

unset logscale y
set xtics norotate
set yrange [0:*]
set title "Recovery"
set ylabel "MB/s"
plot sprintf("< grep '^\"recovery' '%s'", dat) using ($4/1e6):xtic(3) title ""
