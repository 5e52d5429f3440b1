package main

import (
	"unicode"

	"github.com/rivo/uniseg"
)

// wrap cuts printable text into lines of at most so many columns of a terminal, so that
// the terminal itself never does.
func wrap(text string, columns int) (lines []string) {
	begin, used := 0, 0
	for at, r := range text {
		n := cellsOf(r)
		if used+n > columns && used > 0 {
			lines = append(lines, text[begin:at])
			begin, used = at, 0
		}
		used += n
	}
	return append(lines, text[begin:])
}

// cellsOf is how many columns a character takes at most. Characters that some terminals
// show as one count apart: what is too narrow is wrapped early, and does no harm.
func cellsOf(r rune) int {
	switch {
	case r == '\ufe0f': // asks for the wide form of the one before
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	return max(1, uniseg.StringWidth(string(r)))
}
