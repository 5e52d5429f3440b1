package blackbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Speaker is a user who writes to support.
type Speaker struct {
	Account string
	Client  *Client
}

// InquiriesConfig says who writes, and how much.
type InquiriesConfig struct {
	Speakers []Speaker
	Messages int     // of each speaker; 0: until they are stopped
	Rate     float64 // messages a second of all together; 0: as many as there can be
	// Strict: the server is never away, so a request that fails is a fault, unless the
	// Bot's replies to earlier messages were faster each time that it was tried.
	Strict bool
}

// Inquiries is users who write to support, and a note of each message that was
// acknowledged. Every message has a key and is sent again until it is answered.
type Inquiries struct {
	tally
	cfg      InquiriesConfig
	limit    *rate.Limiter
	speakers []*speaker
}

// talkLength is how many messages a user writes before he opens another conversation.
const talkLength = 10

// phrases are what users write: the Bot has an answer to most, leaves some to an
// agent, and looks some up.
var phrases = []string{
	"hello", "where is my order?", "what is for sale under 30 euros?", "when does it expire?", "thank you",
	"why was my order refused?", "tell me about the moon", "what can you do?", "can I talk to a person?", "are you still there?",
}

// NewInquiries makes the load of cfg.
func NewInquiries(cfg InquiriesConfig) *Inquiries {
	l := &Inquiries{cfg: cfg, limit: limiter(cfg.Rate, len(cfg.Speakers))}
	for _, s := range cfg.Speakers {
		l.speakers = append(l.speakers, &speaker{Speaker: s, load: l, said: map[string]map[uint64]string{}})
	}
	return l
}

// Run has all speak until they are done or ctx ends. A message under way is brought to
// its end first, for which finish counts.
func (l *Inquiries) Run(ctx, finish context.Context) {
	var group errgroup.Group
	for _, s := range l.speakers {
		group.Go(func() error {
			for n := 0; ctx.Err() == nil && (l.cfg.Messages == 0 || n < l.cfg.Messages); n++ {
				s.say(finish, n)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// speaker is a Speaker and what he was told is sent.
type speaker struct {
	Speaker
	load *Inquiries
	open string                       // the conversation that he is in
	said map[string]map[uint64]string // texts by conversation and version
}

func (s *speaker) say(ctx context.Context, n int) {
	text := fmt.Sprintf("%s (%d)", phrases[n%len(phrases)], n)
	path, body := "/v1/conversations/"+s.open+"/messages", Said(text)
	opens := n%talkLength == 0
	if opens {
		path, body = "/v1/conversations", Question(text)
	}
	c, ok := s.send(ctx, path, body)
	if !ok {
		return
	}
	if opens {
		s.open, s.said[c.ID] = c.ID, map[uint64]string{}
	}
	if _, known := s.said[c.ID][c.Version]; known || c.ID != s.open {
		s.load.fault("POST %s was acknowledged as %s@%d, which was said before", path, c.ID, c.Version)
		return
	}
	s.said[c.ID][c.Version] = text
}

// send sends a message until it is acknowledged.
func (s *speaker) send(ctx context.Context, path, body string) (Conversation, bool) {
	key := uuid.NewString()
	if s.load.limit.Wait(ctx) != nil {
		return Conversation{}, false
	}
	for ctx.Err() == nil {
		a, err := s.Client.Send(ctx, http.MethodPost, path, body, "Idempotency-Key", key)
		switch {
		case err != nil || a.Status == http.StatusServiceUnavailable:
			s.away(ctx, path, a, err)
		case a.Status == http.StatusCreated:
			s.load.commands.Add(1)
			c, err := a.Conversation()
			return c, err == nil
		default:
			s.load.fault("POST %s %s answered %s", path, body, a)
			return Conversation{}, false
		}
	}
	s.load.fault("POST %s was never answered", path)
	return Conversation{}, false
}

func (s *speaker) away(ctx context.Context, path string, a Answer, err error) {
	s.load.away.Add(1)
	if s.load.cfg.Strict && (err != nil || a.Code() != "contention") {
		s.load.fault("POST %s: %s %v", path, a, err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// Compare says what is wrong with a log: it must have each acknowledged message, at
// the version that was answered, and no other of the users who speak.
func (l *Inquiries) Compare(d Desk) []string {
	var wrong []string
	acknowledged := map[string]bool{}
	for _, s := range l.speakers {
		for id, said := range s.said {
			acknowledged[id] = true
			wrong = append(wrong, s.compare(id, said, d.Messages(id))...)
		}
	}
	for id := range d {
		if !acknowledged[id] && l.speaks(d.Conversation(id).Account) {
			wrong = append(wrong, "nobody was told of conversation "+id)
		}
	}
	return wrong
}

func (s *speaker) compare(id string, said map[uint64]string, log []Message) []string {
	var wrong []string
	written := 0
	for _, m := range log {
		if m.Author != "user" {
			continue
		}
		written++
		if _, known := said[m.Version]; !known || m.AuthorID != s.Account {
			wrong = append(wrong, fmt.Sprintf("conversation %s@%d was not acknowledged to %s", id, m.Version, s.Account))
		}
	}
	if written != len(said) {
		wrong = append(wrong, fmt.Sprintf("conversation %s: %d messages of its user are in the log, %d were acknowledged", id, written, len(said)))
	}
	return wrong
}

func (l *Inquiries) speaks(account string) bool {
	return slices.ContainsFunc(l.speakers, func(s *speaker) bool { return s.Account == account })
}

// Text is what a user wrote at a version; empty where he wrote nothing.
func (l *Inquiries) Text(conversation string, version uint64) string {
	for _, s := range l.speakers {
		if text := s.said[conversation][version]; text != "" {
			return text
		}
	}
	return ""
}
