package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"golang.org/x/term"
)

// screen shows a chat. What others wrote cannot move the cursor, change colours or look
// like another's line. Safe for concurrent use.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	notes io.Writer // for what is no part of the conversation
	json  bool
	me    string
	// columns is how wide the terminal is; nil where out is none.
	columns func() int
}

// margin is as wide as a time.
const margin = "                   "

// note says what goes on.
func (s *screen) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.notes, "admitone: "+text)
}

// conversation says which one it is.
func (s *screen) conversation(id uuid.UUID) {
	s.note("conversation " + id.String() + " (--conversation resumes it)")
}

// pending shows a message that the stream does not have yet.
func (s *screen) pending(text string) {
	if !s.json {
		s.print(strings.Replace(margin, " ", "…", 1), "you: "+text)
	}
}

// update shows what has happened.
func (s *screen) update(u api.Update) {
	if !s.json {
		s.print(u.At.Local().Format(time.DateTime), s.tell(u))
		return
	}
	line, err := json.Marshal(u)
	if err != nil {
		s.note(err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintln(s.out, printable(string(line)))
}

func (s *screen) print(head, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.SplitSeq(text, "\n") {
		for _, part := range s.fit(printable(strings.TrimSuffix(line, "\r"))) {
			_, _ = fmt.Fprintf(s.out, "%s  %s\n", head, part)
			head = margin
		}
	}
}

// fit leaves no line for the terminal to wrap: what goes on at its edge could look like
// a line of another's.
func (s *screen) fit(line string) []string {
	if s.columns == nil {
		return []string{line}
	}
	return wrap(line, max(s.columns()-len(margin)-2, 2))
}

// columnsOfTerminal is nil where out is no terminal.
func columnsOfTerminal(out any) func() int {
	if !isTerminal(out) {
		return nil
	}
	return func() int {
		if columns, _, err := term.GetSize(int(out.(*os.File).Fd())); err == nil && columns > 0 {
			return columns
		}
		return 80
	}
}

func (s *screen) tell(u api.Update) string {
	because := ""
	if u.Reason != "" {
		because = ": " + u.Reason
	}
	switch u.Type {
	case "message_sent":
		return s.who(u.Message) + ": " + textIn(u.Message)
	case "opened":
		return "opened"
	case "handed_over":
		return "handed over to an agent" + because
	case "taken":
		if u.AgentID == s.me {
			return "you have taken it"
		}
		return "an agent has taken it"
	case "closed":
		return "closed" + because
	}
	return u.Type + because
}

func (s *screen) who(m *api.Message) string {
	if m.AuthorID == s.me && m.Author != "bot" {
		return "you"
	}
	return string(m.Author)
}

func textIn(m *api.Message) string {
	if m.Erased {
		return "(erased)"
	}
	return m.Text
}
