package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/term"
)

// action is what a line of a chat asks for.
type action int

const (
	actionSend action = iota
	actionClose
	actionTake
	actionQuit
)

// outgoing is a line that is not done yet.
type outgoing struct {
	action action
	text   string // the message, or the reason
	key    string // makes it take effect once, however often it is sent
}

// lineOf reads a line; ok is false for an empty one.
func lineOf(line string) (o outgoing, ok bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	o = outgoing{text: line, key: uuid.NewString()}
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case strings.TrimSpace(line) == "":
		return o, false, nil
	case strings.HasPrefix(line, "//"):
		o.text = line[1:]
	case word == "/close":
		o.action, o.text = actionClose, strings.TrimSpace(rest)
	case word == "/take":
		o.action = actionTake
	case word == "/quit":
		o.action = actionQuit
	case strings.HasPrefix(line, "/"):
		return o, false, fmt.Errorf("%s is no command: there are /close, /take and /quit; begin a message that begins with a slash with two", printable(word))
	}
	return o, true, nil
}

// terminalLine is how many bytes of a line a terminal passes on (n_tty of Linux, in
// canonical mode). It drops what is behind them, and does not say so.
const terminalLine = 4095

// whole says whether a line is what was written.
func whole(line string, typed bool) error {
	switch {
	case typed && len(strings.TrimRight(line, "\r\n")) >= terminalLine:
		return errors.New("a terminal passes on no more than 4,095 bytes of a line, so this one may have lost its end: pipe the text instead, admitone chat < file")
	case !utf8.ValidString(line):
		return errors.New("the line is not valid UTF-8: convert it first, for instance with iconv")
	}
	return nil
}

// isTerminal says whether a stream is one, where its lines are typed or pasted.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readInput hands over each line, until the input or ctx ends.
func readInput(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}
