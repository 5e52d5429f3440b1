// Command bot is an example of a Bot of your own: a program that answers users in
// support and knows nothing of AdmitOne but a NATS connection and an access token.
//
// What it does, and what you would keep of it:
//
//   - It reads events from the stream CONVERSATIONS by a durable consumer, so that it
//     goes on where it was. Each event is a CloudEvent: its type, aggregate and version
//     are headers, its payload is the body. One message is in work at a time, over all
//     copies of the program; that is the simplest way to answer in order.
//   - It gets what a user wrote by request-reply. Texts are sealed in the stream, and
//     nobody but AdmitOne has the keys.
//   - It answers by request-reply, under an idempotency key made from the message. So
//     it does no harm to handle a message twice: it is answered once, and not at all
//     after an agent has taken over.
//
// What it says is in answer.go. To try it:
//
//	admitone serve --data data --roles api,projector,processes,auditor &
//	export ADMITONE_TOKEN=$(admitone token --data data --sub $(uuidgen) --role bot)
//	go run ./examples/bot --nats "$(cat data/nats.url)"
//
// Start as many copies as you like. Our own Bot is left out of --roles, since a
// message gets the answer of whoever is first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/nats-io/nats.go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("ADMITONE_TOKEN"))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

// run answers until ctx ends, or the token or the server is no good.
func run(ctx context.Context, args []string, token string) error {
	flags := flag.NewFlagSet("bot", flag.ContinueOnError)
	url := flags.String("nats", nats.DefaultURL, "URL of the NATS server")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if token == "" {
		return errors.New("ADMITONE_TOKEN is empty: admitone token --role bot prints one")
	}
	nc, err := nats.Connect(*url, nats.Name("example bot"), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", *url, err)
	}
	defer nc.Close()
	d, err := newDesk(ctx, nc, token, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return d.work(ctx)
}
