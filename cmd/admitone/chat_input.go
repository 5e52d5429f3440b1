package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
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
