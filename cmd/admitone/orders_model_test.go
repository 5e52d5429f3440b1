package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// asked is one request about a ticket: place, cancel, reprice or read.
type asked struct {
	what  string
	order string // of cancel
	price int64  // of reprice
	floor uint64 // of read: the version that its token names
}

// told is the answer: a code where it is a refusal.
type told struct {
	code    string
	order   string // of place
	version uint64 // the ticket's, of reprice and read
	price   int64
	status  string // of read
}

// sale is a ticket and the order that holds it, as they may be between two requests.
type sale struct {
	version uint64
	price   int64
	holder  string
	ended   bool // the holder is cancelled: reservation releases the ticket, nobody knows when
	past    string
}

func (s sale) status() string {
	if s.holder == "" {
		return "available"
	}
	return "reserved"
}

// versionAs is how a query shows a version.
func versionAs(version uint64, status string, price int64) string {
	return fmt.Sprintf("|%d %s %d|", version, status, price)
}

func newSale(price int64) sale { return sale{price: price}.next() }

func (s sale) next() sale {
	s.version++
	s.past += versionAs(s.version, s.status(), s.price)
	return s
}

// free is the sale with its ticket released, if that can be.
func (s sale) free() (sale, bool) {
	if s.holder == "" {
		return s, true
	}
	if !s.ended {
		return s, false
	}
	s.holder, s.ended = "", false
	return s.next(), true
}

// ticketModel says which answers a ticket may give, one request after the other.
func ticketModel(price int64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return newSale(price) },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(sale), input.(asked), output.(told)
			switch in.what {
			case "place":
				return s.place(out)
			case "cancel":
				return s.cancel(in, out)
			case "reprice":
				return s.reprice(in, out)
			default:
				return s.read(in, out)
			}
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
}

func (s sale) place(out told) (bool, any) {
	free, can := s.free()
	switch out.code {
	case "":
		free.holder = out.order
		return can && out.price == s.price, free.next()
	case "ticket_not_available":
		return s.holder != "", s
	case "ticket_price_changed": // the orders' copy may lag
		return can && s.repriced(), free
	}
	return false, s
}

// repriced says whether the ticket ever had another price.
func (s sale) repriced() bool {
	for _, v := range strings.FieldsFunc(s.past, func(r rune) bool { return r == '|' }) {
		if !strings.HasSuffix(v, fmt.Sprint(" ", s.price)) {
			return true
		}
	}
	return false
}

func (s sale) cancel(in asked, out told) (bool, any) {
	holds := s.holder == in.order && !s.ended
	if out.code == "order_ended" {
		return !holds, s
	}
	s.ended = true
	return out.code == "" && holds, s
}

func (s sale) reprice(in asked, out told) (bool, any) {
	if out.code == "ticket_not_available" {
		return s.holder != "", s
	}
	free, can := s.free()
	free.price = in.price
	free = free.next()
	return can && out.code == "" && out.version == free.version && out.price == in.price, free
}

// read may show any version that was, from the token's on.
func (s sale) read(in asked, out told) (bool, any) {
	if free, can := s.free(); can && out.version == free.version {
		s = free
	}
	return out.code == "" && out.version >= in.floor && strings.Contains(s.past, versionAs(out.version, out.status, out.price)), s
}

func TestTicketModel(t *testing.T) {
	t.Parallel()
	type call struct {
		in  asked
		out told
	}
	won := func(order string, price int64) call {
		return call{asked{what: "place"}, told{order: order, price: price}}
	}
	lost := func(code string) call { return call{asked{what: "place"}, told{code: code}} }
	cancel := func(order, code string) call { return call{asked{what: "cancel", order: order}, told{code: code}} }
	reprice := func(price int64, version uint64) call {
		return call{asked{what: "reprice", price: price}, told{version: version, price: price}}
	}
	read := func(floor, version uint64, status string, price int64) call {
		return call{asked{what: "read", floor: floor}, told{version: version, status: status, price: price}}
	}
	for name, c := range map[string]struct {
		calls []call
		right bool
	}{
		"one wins":                  {[]call{won("a", 5), lost("ticket_not_available"), read(2, 2, "reserved", 5)}, true},
		"released in its time":      {[]call{won("a", 5), cancel("a", ""), lost("ticket_not_available"), won("b", 5)}, true},
		"a release shows":           {[]call{won("a", 5), cancel("a", ""), read(1, 3, "available", 5), won("b", 5)}, true},
		"the copy lags":             {[]call{reprice(6, 2), lost("ticket_price_changed"), won("a", 6)}, true},
		"an old version is read":    {[]call{won("a", 5), read(1, 1, "available", 5)}, true},
		"cancelled twice":           {[]call{won("a", 5), cancel("a", ""), cancel("a", "order_ended")}, true},
		"two win":                   {[]call{won("a", 5), won("b", 5)}, false},
		"nobody wins":               {[]call{lost("ticket_not_available")}, false},
		"another price":             {[]call{reprice(6, 2), won("a", 5)}, false},
		"no price has changed":      {[]call{lost("ticket_price_changed")}, false},
		"older than its token":      {[]call{reprice(6, 2), read(2, 1, "available", 5)}, false},
		"not what was":              {[]call{won("a", 5), read(1, 2, "available", 5)}, false},
		"released without a word":   {[]call{won("a", 5), read(1, 3, "available", 5)}, false},
		"refused after a release":   {[]call{won("a", 5), cancel("a", ""), read(1, 3, "available", 5), lost("ticket_not_available")}, false},
		"repriced while it is held": {[]call{won("a", 5), reprice(6, 3)}, false},
		"a version is left out":     {[]call{reprice(6, 3)}, false},
		"any other answer":          {[]call{lost("internal")}, false},
	} {
		var history []porcupine.Operation
		for i, one := range c.calls {
			history = append(history, porcupine.Operation{Input: one.in, Output: one.out, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		require.Equal(t, c.right, porcupine.CheckOperations(ticketModel(5), history), name)
	}
}
