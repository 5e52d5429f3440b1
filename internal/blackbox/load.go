package blackbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// LoadConfig says how a load is put on a server.
type LoadConfig struct {
	Seed    uint64
	Keys    string   // key file of the server, where it is not in its data directory
	Others  []string // data directories of further copies that the requests are spread over
	Sellers int      // each sends one command at a time; default 8
	Rate    float64  // commands a second of all together; 0: as many as there can be
	// Query has a query follow every so many commands; default 3.
	Query int
	// Strict: the server is never away, so a request that fails is a fault.
	Strict bool
}

// Load is sellers who list, reprice and withdraw tickets and read what they did,
// and a note of each command that was acknowledged. Every command has a key and is
// sent again until it is answered, so in the end each has been acknowledged once.
type Load struct {
	tally
	cfg     LoadConfig
	sellers []*seller
	limit   *rate.Limiter
}

// NewLoad makes the sellers of a load on whichever server runs on data.
func NewLoad(t testing.TB, p Program, data string, cfg LoadConfig) *Load {
	t.Helper()
	if cfg.Sellers == 0 {
		cfg.Sellers = 8
	}
	if cfg.Query == 0 {
		cfg.Query = 3
	}
	var keys []string
	if cfg.Keys != "" {
		keys = []string{"--keys", cfg.Keys}
	}
	l := &Load{cfg: cfg, limit: limiter(cfg.Rate, cfg.Sellers)}
	for i := range cfg.Sellers {
		account := uuid.Must(uuid.NewV7()).String()
		l.sellers = append(l.sellers, &seller{
			load: l, account: account, random: rand.New(rand.NewPCG(cfg.Seed, uint64(i))),
			client: NewSpread(t, append([]string{data}, cfg.Others...), p.Token(t, data, account, "user", keys...)), offers: map[string]*offer{},
		})
	}
	return l
}

// Run puts the load on until ctx ends. A command under way then stays open for
// the next Run or for Finish.
func (l *Load) Run(ctx context.Context) {
	var group errgroup.Group
	for _, s := range l.sellers {
		group.Go(func() error { s.run(ctx); return nil })
	}
	_ = group.Wait()
}

// Finish sends what is still open until it is answered.
func (l *Load) Finish(ctx context.Context) {
	var group errgroup.Group
	for _, s := range l.sellers {
		group.Go(func() error { s.settle(ctx); return nil })
	}
	_ = group.Wait()
}

// Compare says what is wrong with a log: each acknowledged command must be in it
// once, at the version that was answered, and versions must be 1..n.
func (l *Load) Compare(log map[string][]Logged) []string {
	var wrong []string
	bySeller := map[string]int{}
	for _, events := range log {
		bySeller[events[0].Seller]++
	}
	for _, s := range l.sellers {
		for id, o := range s.offers {
			wrong = append(wrong, o.compare(id, log[id])...)
		}
		if n := bySeller[s.account]; n != len(s.offers) {
			wrong = append(wrong, fmt.Sprintf("seller %s: the log has %d tickets, acknowledged were %d", s.account, n, len(s.offers)))
		}
		if s.open != nil {
			wrong = append(wrong, "a command was never answered: "+s.open.key)
		}
	}
	return wrong
}

// offer is a ticket as its seller knows it; he alone changes it.
type offer struct {
	version uint64
	prices  map[uint64]int64 // by version; 0 for a withdrawal
}

func (o *offer) compare(id string, events []Logged) []string {
	var wrong []string
	seen := map[string]bool{}
	for i, e := range events {
		if e.Version != uint64(i)+1 {
			wrong = append(wrong, fmt.Sprintf("ticket %s: event %d of the log has version %d", id, i+1, e.Version))
		}
		if price, known := o.prices[e.Version]; !known || price != e.Price {
			wrong = append(wrong, fmt.Sprintf("ticket %s@%d: the log has price %d, acknowledged was %d (%v)", id, e.Version, e.Price, price, known))
		}
		if seen[e.CommandID] {
			wrong = append(wrong, fmt.Sprintf("ticket %s@%d: command %s is in the log twice", id, e.Version, e.CommandID))
		}
		seen[e.CommandID] = true
	}
	if len(events) != len(o.prices) {
		wrong = append(wrong, fmt.Sprintf("ticket %s: %d commands were acknowledged, the log has %d events", id, len(o.prices), len(events)))
	}
	return wrong
}

// seller is one account that changes its own tickets.
type seller struct {
	load    *Load
	account string
	client  *Client
	random  *rand.Rand
	offers  map[string]*offer
	selling []string // ids of those not withdrawn
	open    *attempt
}

// attempt is a command that has not been answered yet.
type attempt struct {
	key, method, path, body string
	id                      string // empty for a new ticket
	price                   int64
	sent                    int
}

// maxSelling is how many tickets a seller offers at a time.
const maxSelling = 30

// pageSize is the longest page there is.
const pageSize = 100

func (s *seller) run(ctx context.Context) {
	for ctx.Err() == nil {
		if s.load.limit.Wait(ctx) != nil {
			return
		}
		if s.open == nil {
			s.open = s.next()
		}
		if token := s.send(ctx); token != "" && s.random.IntN(s.load.cfg.Query) == 0 {
			s.read(ctx, token)
		}
	}
}

func (s *seller) settle(ctx context.Context) {
	for s.open != nil && ctx.Err() == nil {
		s.send(ctx)
	}
}

// next decides what to do: each price is new, so that it is found again in the log.
func (s *seller) next() *attempt {
	a := &attempt{key: uuid.Must(uuid.NewV7()).String(), price: 1 + s.random.Int64N(900_000_000)}
	dice := s.random.IntN(10)
	if len(s.selling) == 0 || dice < 3 && len(s.selling) < maxSelling {
		a.method, a.path, a.body = http.MethodPost, "/v1/tickets", Offer("Seat "+a.key, a.price)
		return a
	}
	a.id = s.selling[s.random.IntN(len(s.selling))]
	if dice == 9 {
		a.method, a.path, a.price = http.MethodPost, "/v1/tickets/"+a.id+"/withdraw", 0
		return a
	}
	a.method, a.path, a.body = http.MethodPut, "/v1/tickets/"+a.id+"/price", Price(a.price)
	return a
}

// send sends the open command once, and returns its token when it was answered.
func (s *seller) send(ctx context.Context) string {
	a := s.open
	a.sent++
	answer, err := s.client.Send(ctx, a.method, a.path, a.body, "Idempotency-Key", a.key)
	if err != nil || answer.Status == http.StatusServiceUnavailable {
		s.lost(ctx, answer, err)
		return ""
	}
	if answer.Status != http.StatusOK && answer.Status != http.StatusCreated {
		s.load.fault("%s %s (sent %d times) answered %s", a.method, a.path, a.sent, answer)
		s.open = nil
		return ""
	}
	ticket, err := answer.Ticket()
	if err != nil {
		s.load.fault("%s %s answered %s", a.method, a.path, answer)
	}
	s.open = nil
	s.note(a, ticket)
	return answer.Header.Get("Consistency-Token")
}

// lost is a request without an answer of worth: another try comes soon.
func (s *seller) lost(ctx context.Context, answer Answer, err error) {
	if ctx.Err() != nil {
		return
	}
	s.load.away.Add(1)
	if s.load.cfg.Strict {
		s.load.fault("%s %s: %s %v", s.open.method, s.open.path, answer, err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

func (s *seller) note(a *attempt, t Ticket) {
	s.load.commands.Add(1)
	if a.id == "" {
		a.id = t.ID
		s.offers[a.id] = &offer{prices: map[uint64]int64{}}
		s.selling = append(s.selling, a.id)
	}
	o := s.offers[a.id]
	if t.ID != a.id || t.Version != o.version+1 {
		s.load.fault("%s %s (sent %d times) answered version %d, want %d", a.method, a.path, a.sent, t.Version, o.version+1)
	}
	o.version = t.Version
	o.prices[t.Version] = a.price
	if strings.HasSuffix(a.path, "/withdraw") {
		s.forget(a.id)
	}
}

func (s *seller) forget(id string) {
	for i, known := range s.selling {
		if known == id {
			s.selling = append(s.selling[:i], s.selling[i+1:]...)
			return
		}
	}
}

// read asks for the ticket, or for the seller's list, with the token of his last
// change, and must see it.
func (s *seller) read(ctx context.Context, token string) {
	id, want := parseToken(token)
	path := "/v1/tickets/" + id
	list := s.random.IntN(2) == 0
	if list {
		path = fmt.Sprintf("/v1/tickets?limit=%d&seller_id=%s", pageSize, s.account)
	}
	answer, err := s.client.Send(ctx, http.MethodGet, path, "", "Consistency-Token", token, "Prefer", "wait=10")
	switch {
	case ctx.Err() != nil:
	case err != nil || answer.Status == http.StatusServiceUnavailable:
		s.load.away.Add(1)
		if s.load.cfg.Strict {
			s.load.fault("GET %s with %s: %s %v", path, token, answer, err)
		}
	case answer.Status != http.StatusOK:
		s.load.fault("GET %s with %s: %s", path, token, answer)
	default:
		s.load.reads.Add(1)
		have := versionIn(answer, id, list)
		if beyond := list && have == 0 && len(s.offers) > pageSize; have < want && !beyond {
			s.load.fault("GET %s with %s is stale: version %d", path, token, have)
		}
	}
}
