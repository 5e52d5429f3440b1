package blackbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// Order is the resource as it stands in answers, and what order.placed holds.
type Order struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"`
	Status  string `json:"status"`
	Ticket  string `json:"ticket_id"`
	Buyer   string `json:"buyer_id"`
	Price   struct {
		Amount int64 `json:"amount"`
	} `json:"price"`
	ExpiresAt time.Time `json:"expires_at"`
	Reason    string    `json:"reason"`
}

// Order is the one that the answer holds.
func (a Answer) Order() (Order, error) {
	var o Order
	err := json.Unmarshal(a.Body, &o)
	return o, err
}

// Wanted is the body of a new order.
func Wanted(ticket string) string { return fmt.Sprintf(`{"ticket_id":%q}`, ticket) }

// Trades is what the logs of tickets and orders say together.
type Trades struct {
	Tickets, Orders map[string][]Logged
}

// Check says what is wrong: a ticket that is held by an order that has ended, or by
// another price than the order names, an order that awaits its payment without the
// ticket, and one with two endings. It holds where nothing is under way.
func (l Trades) Check() []string {
	var wrong []string
	holders := map[string]string{}
	for id, events := range l.Tickets {
		holder, faults := l.holder(id, events)
		wrong = append(wrong, faults...)
		holders[id] = holder
		if holder == "" {
			continue
		}
		if status := l.Status(holder); status != "confirmed" && status != "completed" {
			wrong = append(wrong, fmt.Sprintf("ticket %s is held by order %s, which is %s", id, holder, status))
		}
	}
	for id, events := range l.Orders {
		o := ordered(events)
		if status := l.Status(id); status == "confirmed" && holders[o.Ticket] != id {
			wrong = append(wrong, fmt.Sprintf("order %s awaits payment for ticket %s, which %q holds", id, o.Ticket, holders[o.Ticket]))
		}
		wrong = append(wrong, endings(id, events)...)
	}
	return wrong
}

// holder follows a ticket, and compares what it is reserved at with the order.
func (l Trades) holder(id string, events []Logged) (holder string, wrong []string) {
	var price int64
	for _, e := range events {
		var of struct {
			Order string `json:"order_id"`
		}
		_ = json.Unmarshal(e.Data, &of)
		switch e.Type {
		case "ticket.listed.v1", "ticket.repriced.v1":
			price = e.Price
		case "ticket.reserved.v1":
			if holder != "" {
				wrong = append(wrong, fmt.Sprintf("ticket %s@%d is reserved for %s while %s holds it", id, e.Version, of.Order, holder))
			}
			if o := ordered(l.Orders[of.Order]); o.Ticket != id || o.Price.Amount != price {
				wrong = append(wrong, fmt.Sprintf("ticket %s@%d is reserved at %d for order %s of ticket %s at %d", id, e.Version, price, of.Order, o.Ticket, o.Price.Amount))
			}
			holder = of.Order
		case "ticket.released.v1":
			holder = ""
		}
	}
	return holder, wrong
}

// Status is the last word of an order's log: placed, confirmed, rejected, cancelled,
// expired or completed; empty where there is no such order.
func (l Trades) Status(order string) string {
	events := l.Orders[order]
	if len(events) == 0 {
		return ""
	}
	var kind string
	_, _ = fmt.Sscanf(events[len(events)-1].Type, "order.%s", &kind)
	return kind[:max(0, len(kind)-len(".v1"))]
}

func ordered(events []Logged) Order {
	var o Order
	if len(events) > 0 {
		_ = json.Unmarshal(events[0].Data, &o)
	}
	return o
}

// endings are 0 or 1, and nothing follows them; versions are 1..n.
func endings(id string, events []Logged) []string {
	var wrong []string
	for i, e := range events {
		if e.Version != uint64(i)+1 {
			wrong = append(wrong, fmt.Sprintf("order %s: event %d of the log has version %d", id, i+1, e.Version))
		}
		last := i == len(events)-1
		if ending := e.Type != "order.placed.v1" && e.Type != "order.confirmed.v1"; ending && !last {
			wrong = append(wrong, fmt.Sprintf("order %s: %s is followed by %s", id, e.Type, events[i+1].Type))
		}
	}
	return wrong
}
