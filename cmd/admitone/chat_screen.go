package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// screen shows a chat. What others wrote cannot move the cursor, change colours or look
// like another's line. Safe for concurrent use.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	notes io.Writer // for what is no part of the conversation
	json  bool
	me    string
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
		_, _ = fmt.Fprintf(s.out, "%s  %s\n", head, printable(strings.TrimSuffix(line, "\r")))
		head = margin
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
