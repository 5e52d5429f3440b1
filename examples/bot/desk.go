package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	stream = "CONVERSATIONS"
	// durable names the place in the stream that all copies share.
	durable = "example_bot"
	// handling bounds one attempt at a message; one whose copy has died is given to
	// another after redelivery.
	handling   = 8 * time.Second
	redelivery = 10 * time.Second
	// pause comes before another attempt, and waiting bounds one question for the next
	// message.
	pause   = time.Second
	waiting = 2 * time.Second
)

// desk is where messages come in and answers go out.
type desk struct {
	events jetstream.Consumer
	market *client.Client
	log    *slog.Logger
}

func newDesk(ctx context.Context, nc *nats.Conn, token string, log *slog.Logger) (*desk, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("JetStream: %w", err)
	}
	events, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: "conversations.*.*", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: redelivery, MaxAckPending: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, err)
	}
	return &desk{events: events, market: client.New(nc, token), log: log}, nil
}

// work handles one event after the other until ctx ends. A fault of the broker or of
// AdmitOne passes; that the token is no good does not.
func (d *desk) work(ctx context.Context) error {
	d.log.Info("ready to answer")
	for ctx.Err() == nil {
		batch, err := d.events.Fetch(1, jetstream.FetchMaxWait(waiting))
		if err != nil {
			d.log.Warn("no events", "cause", err)
			rest(ctx)
			continue
		}
		for event := range batch.Messages() {
			if err := d.handle(ctx, event); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil {
			d.log.Warn("no events", "cause", err)
			rest(ctx)
		}
	}
	return nil
}

func rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// handle deals with one event, as often as it takes: given back to the broker, it would
// come again behind later ones. When ctx ends it finishes what is under way.
func (d *desk) handle(ctx context.Context, event jetstream.Msg) error {
	for {
		err := d.react(context.WithoutCancel(ctx), event)
		var problem *client.Problem
		switch refused := errors.As(err, &problem) && problem.Status < http.StatusInternalServerError; {
		case refused && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden):
			return err
		case refused:
			// An agent has taken over, or the conversation is closed, or its user erased.
			d.log.Info("not answered", "cause", err)
			return event.Ack()
		case err == nil:
			return event.Ack()
		}
		d.log.Warn("not answered yet", "cause", err)
		if rest(ctx); ctx.Err() != nil {
			return nil // another copy gets it after redelivery
		}
		if err := event.InProgress(); err != nil {
			return err
		}
	}
}

// react answers a user's message; other events are nothing to a Bot.
func (d *desk) react(ctx context.Context, event jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, handling)
	defer cancel()
	header := event.Headers()
	if header.Get("ce-type") != "conversation.message_sent.v1" {
		return nil
	}
	var sent struct {
		MessageID uuid.UUID `json:"message_id"`
		Author    string    `json:"author"`
	}
	if err := json.Unmarshal(event.Data(), &sent); err != nil || sent.Author != "user" {
		return err
	}
	conversation, err := uuid.Parse(header.Get("ce-subject"))
	if err != nil {
		return fmt.Errorf("ce-subject: %w", err)
	}
	version, err := strconv.ParseUint(header.Get("ce-version"), 10, 64)
	if err != nil {
		return fmt.Errorf("ce-version: %w", err)
	}
	text, erased, err := d.text(ctx, conversation, version)
	if err != nil || erased {
		return err
	}
	return d.say(ctx, conversation, sent.MessageID, text)
}

// text is what was written at a version of a conversation.
func (d *desk) text(ctx context.Context, conversation uuid.UUID, version uint64) (text string, erased bool, err error) {
	behind := map[string]uint64{"after": version - 1, "limit": 1}
	found, err := client.Ask[api.UpdateList](ctx, d.market, "conversation.follow", conversation, behind)
	if err != nil {
		return "", false, err
	}
	if items := found.Resource.Items; len(items) > 0 && items[0].Message != nil {
		return items[0].Message.Text, items[0].Message.Erased, nil
	}
	return "", false, fmt.Errorf("version %d of conversation %s is not there yet", version, conversation)
}

// say answers a message, or hands it over.
func (d *desk) say(ctx context.Context, conversation, message uuid.UUID, text string) error {
	once := client.IdempotencyKey(durable + "/" + message.String())
	if reply, known := answer(text); known {
		_, err := d.market.ReplyTo(ctx, conversation, message, reply, once)
		return err
	}
	_, err := d.market.HandOver(ctx, conversation, message, "The example Bot does not know the answer.", once)
	return err
}
