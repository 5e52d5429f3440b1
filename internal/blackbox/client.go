package blackbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Client speaks HTTP to whichever server runs on a data directory, as one
// account. Safe for concurrent use.
type Client struct {
	data  []string // of the copies, which it asks in turn
	token string
	http  *http.Client
	turn  atomic.Uint64
}

// NewClient acts with a token; an empty one sends none.
func NewClient(t testing.TB, data, token string) *Client {
	return NewSpread(t, []string{data}, token)
}

// NewSpread is NewClient that asks several copies in turn, by their data
// directories. Where one refuses the connection it asks the next; any other
// failure is the caller's to see.
func NewSpread(t testing.TB, data []string, token string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{data: data, token: token, http: &http.Client{Transport: transport, Timeout: 40 * time.Second}}
}

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends one request; headers are names and values in turn. A body is sent as
// JSON. An error means that no whole answer came.
func (c *Client) Send(ctx context.Context, method, path, body string, headers ...string) (answer Answer, err error) {
	first := c.turn.Add(1)
	for i := range c.data {
		data := c.data[(first+uint64(i))%uint64(len(c.data))]
		answer, err = c.sendTo(ctx, data, method, path, body, headers)
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, ErrNoAddress) {
			break
		}
	}
	return answer, err
}

// ErrNoAddress is a server that has not begun to listen, or has ended.
var ErrNoAddress = errors.New("blackbox: no server has left its address")

func (c *Client) sendTo(ctx context.Context, data, method, path, body string, headers []string) (Answer, error) {
	url := fileText(filepath.Join(data, "http.url"))
	if url == "" {
		return Answer{}, fmt.Errorf("%w in %s", ErrNoAddress, data)
	}
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url+path, content)
	if err != nil {
		return Answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: read}, err
}

// Do is Send that must be answered.
func (c *Client) Do(t testing.TB, method, path, body string, headers ...string) Answer {
	t.Helper()
	a, err := c.Send(t.Context(), method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// Ticket is the resource as it stands in answers.
type Ticket struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"`
	Status  string `json:"status"`
	Title   string `json:"title"`
	Seller  string `json:"seller_id"`
	Price   struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"price"`
}

// Ticket is the one that the answer holds.
func (a Answer) Ticket() (Ticket, error) {
	var t Ticket
	err := json.Unmarshal(a.Body, &t)
	return t, err
}

// Code is the stable code of a problem, empty where the answer is none.
func (a Answer) Code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p)
	return p.Code
}

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Offer is the body of a new ticket.
func Offer(title string, amount int64) string {
	return fmt.Sprintf(`{"title":%q,"price":%s}`, title, Price(amount))
}

// Price is the body of a new price.
func Price(amount int64) string { return fmt.Sprintf(`{"amount":%d,"currency":"EUR"}`, amount) }

// List is the tickets of a page.
func (a Answer) List() (items []Ticket, cursor string, err error) {
	var page struct {
		Items []Ticket `json:"items"`
		Next  string   `json:"next_cursor"`
	}
	err = json.Unmarshal(a.Body, &page)
	return page.Items, page.Next, err
}

// versionIn is the version of a ticket in an answer, a page or the ticket itself; 0
// where it is not in it.
func versionIn(a Answer, id string, list bool) uint64 {
	if !list {
		t, _ := a.Ticket()
		return t.Version
	}
	items, _, _ := a.List()
	for _, t := range items {
		if t.ID == id {
			return t.Version
		}
	}
	return 0
}

// parseToken splits tickets/<id>@<version>.
func parseToken(token string) (id string, version uint64) {
	_, rest, _ := strings.Cut(token, "/")
	id, number, _ := strings.Cut(rest, "@")
	version, _ = strconv.ParseUint(number, 10, 64)
	return id, version
}
