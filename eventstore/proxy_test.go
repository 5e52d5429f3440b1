package eventstore_test

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// proxy passes bytes between a client and the server, and can cut the connection
// at a chosen word of either.
type proxy struct {
	listener net.Listener
	target   string
	down     atomic.Bool // refuses connections
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	rules []*rule
}

// rule cuts the connection instead of passing on bytes that hold a text.
type rule struct {
	text     []byte
	toServer bool
	skip     int // so many times the text passes first
	cut      chan struct{}
	then     func() // runs after the cut, before the client can connect again
}

func startProxy(t *testing.T, server *eventstore.Server) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server.URL())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: u.Host, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || p.down.Load() {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(client, server, true) })
		p.wg.Go(func() { p.pass(server, client, false) })
	}
}

func (p *proxy) pass(from, to net.Conn, toServer bool) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if r := p.match(buffer[:n], toServer); r != nil {
			p.down.Store(true)
			p.cutAll()
			if r.then != nil {
				r.then()
			}
			p.down.Store(false)
			close(r.cut)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) match(chunk []byte, toServer bool) *rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.rules {
		count := bytes.Count(chunk, r.text)
		if r.toServer != toServer || count == 0 {
			continue
		}
		if r.skip -= count; r.skip < 0 {
			p.rules = append(p.rules[:i], p.rules[i+1:]...)
			return r
		}
	}
	return nil
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cutAll()
	p.wg.Wait()
}

func (p *proxy) add(r *rule) <-chan struct{} {
	r.cut = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r.cut
}

// answer is in every acknowledgement of a publish, and in nothing else.
const answer = `{"stream":"`

// cutAnswer cuts when the server has stored and answers, after skip answers.
func (p *proxy) cutAnswer(skip int, then func()) <-chan struct{} {
	return p.add(&rule{text: []byte(answer), skip: skip, then: then})
}

// cutRequest cuts before the server sees a text of the client's.
func (p *proxy) cutRequest(text string, then func()) <-chan struct{} {
	return p.add(&rule{text: []byte(text), toServer: true, then: then})
}

// behindProxy opens a stream through a proxy, and the same one directly.
func behindProxy(t *testing.T, change ...func(*eventstore.StreamConfig)) (p *proxy, cut, direct *eventstore.Stream) {
	t.Helper()
	server := natstest.Server(t)
	p, u := startProxy(t, server)
	nc, err := eventstore.Connect(natstest.Context(t), u, nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	cfg := eventstore.StreamConfig{Registry: toyRegistry()}
	for _, c := range change {
		c(&cfg)
	}
	cut = natstest.Stream(t, nc, cfg)
	cfg.Name = cut.Name()
	return p, cut, natstest.Stream(t, natstest.Conn(t, server), cfg)
}
