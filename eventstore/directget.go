package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// A page of a direct get: messages, and bytes of them, after which the server
// stops. The server has no limit of its own on the messages.
const (
	pageMessages = 1000
	pageBytes    = 4 << 20
)

// directPages yields the messages of one literal subject, from a sequence on, page
// by page; the first page holds at most so many. A page that broke off is asked
// for again and not yielded twice. An error is the last that is yielded.
func (s *Stream) directPages(ctx context.Context, subject string, from uint64, first int) iter.Seq2[[]Message, error] {
	return func(yield func([]Message, error) bool) {
		for size := first; ; size = pageMessages {
			var p page
			err := s.persist(ctx, "read "+subject, func(ctx context.Context) error {
				var err error
				p, err = s.directPage(ctx, subject, from, size)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if len(p.messages) == 0 || !yield(p.messages, nil) || p.pending == 0 {
				return
			}
			from = p.messages[len(p.messages)-1].Sequence + 1
		}
	}
}

// page collects the answers to one batch direct get.
type page struct {
	subject  string
	messages []Message
	pending  uint64 // messages beyond this page
	err      error
}

func (s *Stream) directPage(ctx context.Context, subject string, from uint64, size int) (page, error) {
	body, err := json.Marshal(messageRequest{Sequence: from, NextFor: subject, Batch: size, MaxBytes: pageBytes})
	if err != nil {
		return page{}, err
	}
	p := page{subject: subject}
	c := s.replies.begin(p.take)
	err = s.replies.send(&nats.Msg{Subject: "$JS.API.DIRECT.GET." + s.cfg.Name, Reply: c.subject, Data: body})
	if err != nil {
		s.replies.forget(c)
		return page{}, again(err)
	}
	if err := s.replies.wait(ctx, c); err != nil {
		return page{}, again(err)
	}
	return p, p.err
}

// take adds one answer; a message without a body and with a status ends the page.
func (p *page) take(m *nats.Msg) (last bool) {
	if len(m.Data) == 0 {
		switch status := first(m.Header, headerStatus); status {
		case "":
		case "204": // end of batch
			p.pending, p.err = strconv.ParseUint(first(m.Header, headerNumPending), 10, 64)
			return true
		case "404": // nothing from here on
			return true
		default:
			p.err = again(fmt.Errorf("direct get: %s %s", status, first(m.Header, headerDescription)))
			return true
		}
	}
	sequence, err := strconv.ParseUint(first(m.Header, headerSequence), 10, 64)
	if err != nil {
		p.err = fmt.Errorf("direct get: %s: %w", headerSequence, err)
		return true
	}
	stored, err := time.Parse(time.RFC3339Nano, first(m.Header, headerTimeStamp))
	if err != nil {
		p.err = fmt.Errorf("direct get: %s: %w", headerTimeStamp, err)
		return true
	}
	p.messages = append(p.messages, Message{Subject: p.subject, Sequence: sequence, Stored: stored, Header: m.Header, Data: m.Data})
	return false
}
