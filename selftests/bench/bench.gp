# SPDX-License-Identifier: GPL-2.0
# gnuplot -e 'dat="native.dat"; out="native.svg"; what="native"' bench.gp: medians along each axis.

set terminal svg size 1300,1700 background "white"
set output out
set key outside above horizontal noenhanced
set grid
subjects = "none limit:append limit:direct set_range set_range+restore kmod checked uffd sigsegv"
points(axis, subject) = sprintf("< grep '^%s ' '%s' | grep -F '\" %s '", axis, dat, subject)
here(axis) = system("for s in ".subjects."; do grep -q \"^".axis." .*\\\" $s \" '".dat."' && echo $s; done; true")
set multiplot layout 4,2 title what noenhanced
set logscale y
set style data linespoints

set title "Ranges a page: above the line faster than set\\_range"
set xlabel "ranges of 16 bytes a page, 4 pages"
set ylabel "rate by that of set\\_range"
set logscale x 2
plot for [s in here("ranges")] points("ranges", s) using (real(strcol(2))):5 title s noenhanced, \
     1 with lines dashtype 2 linecolor "black" title "break-even"

set title "Bytes a range"
set xlabel "bytes a range, 4 ranges in 4 pages"
set ylabel "transactions/s"
plot for [s in here("bytes")] points("bytes", s) using (real(strcol(2))):4 title s noenhanced

set title "Pages a transaction"
set xlabel "pages, a range of 16 bytes in each"
set logscale x 10
plot for [s in here("pages")] points("pages", s) using (real(strcol(2))):4 title s noenhanced

set title "Size of the region"
set xlabel "MiB, of which 256 pages are in use"
set logscale x 2
plot for [s in here("region")] points("region", s) using (real(strcol(2))):4 title s noenhanced

set title "Threads"
set xlabel "threads on one region"
plot for [s in here("threads")] points("threads", s) using (real(strcol(2))):4 title s noenhanced

set title "Durable commits, ranges a page"
set xlabel "ranges of 16 bytes a page, 4 pages"
plot for [s in here("flush")] points("flush", s) using (real(strcol(2))):4 title s noenhanced

unset logscale x
set style data histograms
set style fill solid 0.7 border
set xlabel ""
set title "Locality"
plot for [s in here("locality")] points("locality", s) using 4:xtic(2) title s noenhanced

set title "Applications"
set xtics rotate by 20 right noenhanced
plot for [s in here("application")] points("application", s) using 4:xtic(2) title s noenhanced
