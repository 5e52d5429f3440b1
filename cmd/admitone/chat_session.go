package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/google/uuid"
)

// chatSession is one talk. Its fields belong to the goroutine of run.
type chatSession struct {
	client *client.Client
	screen *screen
	about  api.NewConversation // a new one, but for its text
	wait   time.Duration
	typed  bool      // the input is a terminal
	id     uuid.UUID // the zero UUID until there is one

	queue   []outgoing // what is not done yet, in order
	sending bool       // the first of the queue is on its way
	unsent  int        // lines that the server refused
	ended   bool       // the input has
	hasty   bool       // no answer is waited for
	closed  bool       // the conversation is

	place    client.Place // where to follow the conversation from
	seen     uint64       // the version up to which the stream's events were shown
	own      uint64       // the version of the newest event of one's own, as the server said
	asked    string       // one's own newest message that was shown
	answered bool         // it has an answer

	results chan chatResult
	updates chan api.Update
	broken  chan error
}

// chatResult is what came of a line.
type chatResult struct {
	conversation api.Conversation
	err          error
}

// run talks until the input and what follows from it have ended.
func (s *chatSession) run(ctx context.Context, lines <-chan string) error {
	s.results, s.updates, s.broken = make(chan chatResult, 1), make(chan api.Update), make(chan error, 1)
	if s.id != uuid.Nil {
		if err := s.history(ctx); err != nil {
			return err
		}
		s.follow(ctx)
	}
	var patience <-chan time.Time
	for !s.done() {
		if s.ended && s.settled() && patience == nil {
			patience = time.After(s.wait)
		}
		s.sendNext(ctx)
		select {
		case line, more := <-lines:
			if s.ended = !more; s.ended {
				lines = nil
			} else if s.take(line) {
				lines = nil
			}
		case r := <-s.results:
			if err := s.handled(ctx, r); err != nil {
				return err
			}
		case u := <-s.updates:
			s.show(u)
		case err := <-s.broken:
			return err
		case <-patience:
			return s.outcome()
		case <-ctx.Done():
			return s.outcome()
		}
	}
	return s.outcome()
}

// settled: all that was written is in the stream, and was shown.
func (s *chatSession) settled() bool { return len(s.queue) == 0 && s.seen >= s.own }

func (s *chatSession) done() bool {
	if s.closed && s.settled() {
		return true
	}
	return s.ended && s.settled() && (s.hasty || s.own == 0 || s.answered)
}

func (s *chatSession) outcome() error {
	if n := len(s.queue) + s.unsent; n > 0 {
		return fmt.Errorf("%d of the lines were not sent", n)
	}
	return nil
}

// take puts a line into the queue; last says that no further one is wanted.
func (s *chatSession) take(line string) (last bool) {
	o, ok, err := lineOf(line)
	if fault := whole(line, s.typed); fault != nil {
		err = fmt.Errorf("not sent: %w", fault)
	}
	switch {
	case err != nil:
		s.refuse(err.Error())
	case !ok:
	case o.action == actionQuit:
		s.ended, s.hasty = true, true
		return true
	case o.action != actionSend && s.id == uuid.Nil && len(s.queue) == 0:
		s.refuse(notYet)
	default:
		s.queue = append(s.queue, o)
		if o.action == actionSend {
			s.screen.pending(o.text)
		}
	}
	return false
}

const notYet = "there is no conversation yet: the first message opens one"

// refuse says why a line is not sent.
func (s *chatSession) refuse(why string) {
	s.unsent++
	s.screen.note(why)
}

// sendNext sends what is first in the queue, once all before it is done.
func (s *chatSession) sendNext(ctx context.Context) {
	if s.sending || len(s.queue) == 0 {
		return
	}
	s.sending = true
	id, about, o := s.id, s.about, s.queue[0]
	go func() {
		c, err := sendLine(ctx, s.client, id, about, o)
		s.results <- chatResult{c, err}
	}()
}

func sendLine(ctx context.Context, c *client.Client, id uuid.UUID, about api.NewConversation, o outgoing) (api.Conversation, error) {
	var r client.Reply[api.Conversation]
	var err error
	once := client.IdempotencyKey(o.key)
	switch {
	case o.action == actionClose:
		r, err = c.CloseConversation(ctx, id, o.text, once)
	case o.action == actionTake:
		r, err = c.TakeConversation(ctx, id, once)
	case id == uuid.Nil:
		about.Text = o.text
		r, err = c.OpenConversation(ctx, about, once)
	default:
		r, err = c.SendMessage(ctx, id, o.text, once)
	}
	return r.Resource, err
}

// handled goes on after a line. An error is one that no further line would mend.
func (s *chatSession) handled(ctx context.Context, r chatResult) error {
	var refused *client.Problem
	switch {
	case errors.As(r.err, &refused) && s.isOfTheLine(refused):
		s.refuse("not sent: " + printable(refused.Error()))
	case r.err != nil && ctx.Err() != nil:
		return nil // run sees to it
	case r.err != nil:
		return r.err
	default:
		s.own = uint64(r.conversation.Version)
		if s.id == uuid.Nil {
			id, err := uuid.Parse(r.conversation.ID)
			if err != nil {
				return fmt.Errorf("the server's answer names no conversation: %w", err)
			}
			s.id = id
			s.screen.conversation(id)
			s.follow(ctx)
		}
	}
	s.queue, s.sending = s.queue[1:], false
	for s.id == uuid.Nil && len(s.queue) > 0 && s.queue[0].action != actionSend {
		s.queue = s.queue[1:]
		s.refuse(notYet)
	}
	return nil
}

// isOfTheLine says whether another line may fare better.
func (s *chatSession) isOfTheLine(p *client.Problem) bool {
	switch {
	case p.Status == http.StatusRequestEntityTooLarge:
		return true
	case s.id == uuid.Nil: // topic and order would be the same again
		other := func(e api.FieldError) bool { return e.Pointer != "/text" }
		return len(p.Errors) > 0 && !slices.ContainsFunc(p.Errors, other)
	case p.Code == "conversation_unanswered", p.Code == "role_required":
		return true
	}
	return p.Status == http.StatusUnprocessableEntity
}

// How many messages of before are shown, and how long it may take to find them.
const (
	shownOfHistory = 20
	historyFor     = 10 * time.Second
)

// history shows what has happened before, from the last messages on.
func (s *chatSession) history(ctx context.Context) error {
	s.screen.conversation(s.id)
	if s.place.After = s.beginning(ctx); s.place.After > 0 {
		s.screen.note("what was before is not shown")
	}
	for {
		page, next, err := s.client.Updates(ctx, s.id, s.place)
		if err != nil {
			return err
		}
		s.place = next
		if len(page) == 0 {
			s.closed = false // it may be read; whoever writes is told
			return nil
		}
		for _, u := range page {
			s.show(u)
		}
	}
}

// beginning is the version behind which the last messages are. Where the list of them
// cannot be read, or does not have the conversation yet, it is that of them all.
func (s *chatSession) beginning(ctx context.Context) uint64 {
	ctx, cancel := context.WithTimeout(ctx, historyFor)
	defer cancel()
	page, err := s.client.Messages(ctx, s.id, client.Page{Order: "desc", Limit: shownOfHistory})
	if n := len(page.Resource.Items); err == nil && n > 0 && page.Resource.NextCursor != "" {
		return uint64(page.Resource.Items[n-1].Version) - 1
	}
	return 0
}

// follow has what happens from now on shown.
func (s *chatSession) follow(ctx context.Context) {
	id, at := s.id, s.place
	go func() {
		s.broken <- s.client.Follow(ctx, id, at, func(u api.Update) error {
			select {
			case s.updates <- u:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
}

// show shows what has happened, and keeps in mind what it means for an answer.
func (s *chatSession) show(u api.Update) {
	s.screen.update(u)
	s.seen = uint64(u.Version)
	switch m := u.Message; {
	case m == nil:
		s.answered = s.answered || u.Type == "handed_over" || u.Type == "closed"
		s.closed = s.closed || u.Type == "closed"
	case m.AuthorID == s.screen.me && m.Author != "bot":
		s.asked, s.answered = m.MessageID, false
	case m.Author != "bot", m.InReplyTo == s.asked:
		s.answered = true
	}
}
