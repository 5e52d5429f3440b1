package report

import (
	"fmt"
	"io"
	"strconv"
)

// layout of the table: the name, then figures to the right.
const layout = "%-46s %10s %10s %7s %6s %6s  %-11s %-6s %s\n"

// Head prints the table's head line.
func Head(w io.Writer) {
	fmt.Fprintf(w, layout, "row", "ours", "raw", "ratio", "bar", "spread", "unit", "", "raw is")
}

// Print prints one row as a line of the table; against says what raw is.
func (r Row) Print(w io.Writer, against string) {
	bar := "–"
	switch {
	case r.Bar != 0 && r.Better == Lower:
		bar = "≤" + short(r.Bar)
	case r.Bar != 0:
		bar = "≥" + short(r.Bar)
	}
	fmt.Fprintf(w, layout, r.Name, figure(r.Ours), figure(r.Raw), strconv.FormatFloat(r.Ratio, 'f', 2, 64),
		bar, strconv.FormatFloat(100*r.Spread, 'f', 0, 64)+"%", r.Unit, r.Verdict(), against)
}

func short(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// figure keeps what is significant: 54,321 or 12.3 or 0.456.
func figure(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int64(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
