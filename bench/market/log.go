// Package market fills a stream with the lives of tickets, as the marketplace
// records them.
package market

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/admitone/admitone/bench/meter"
	"github.com/admitone/admitone/bench/raw"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// Stream is the name of the stream of tickets.
const Stream = "TICKETS"

// Registry knows the events of tickets.
func Registry() *eventstore.Registry {
	r := eventstore.NewRegistry()
	for _, e := range ticket.Events() {
		r.Register(e)
	}
	return r
}

// Kinds of ids.
const (
	kindTicket = iota + 11
	kindEvent
	kindSeller
	kindOrder
)

// sellers is how many there are; each has many tickets.
const sellers = 2000

// life is what happens to every ticket, in order of versions.
func life(n uint64) []ticket.Event {
	price := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }
	first, second := meter.ID(kindOrder, 2*n), meter.ID(kindOrder, 2*n+1)
	return []ticket.Event{
		ticket.Listed{SellerID: meter.ID(kindSeller, n%sellers), Title: fmt.Sprintf("Two seats in row %d", n%40), Price: price(4500)},
		ticket.Repriced{Price: price(4400)},
		ticket.Repriced{Price: price(4200)},
		ticket.Reserved{OrderID: first},
		ticket.Released{OrderID: first},
		ticket.Repriced{Price: price(4000)},
		ticket.Repriced{Price: price(3800)},
		ticket.Repriced{Price: price(3500)},
		ticket.Reserved{OrderID: second},
		ticket.Sold{OrderID: second},
	}
}

// EventsPerTicket is how many events each ticket has.
const EventsPerTicket = 10

// Fill puts n events into the stream, all of each ticket within 50,000 messages. n
// is a multiple of EventsPerTicket.
func Fill(ctx context.Context, s *eventstore.Stream, n int) error {
	return raw.Fill(ctx, s.Conn(), n, func(i int) *nats.Msg {
		number, version := meter.At(i, n, EventsPerTicket)
		return message(s, uint64(i), meter.ID(kindTicket, number), version, life(number)[version-1])
	})
}

func message(s *eventstore.Stream, i uint64, id uuid.UUID, version uint64, payload ticket.Event) *nats.Msg {
	body, _ := json.Marshal(payload) // events encode
	return raw.Message(s, meter.Event(meter.ID(kindEvent, i), id, version, nil), payload.EventType(), body)
}
