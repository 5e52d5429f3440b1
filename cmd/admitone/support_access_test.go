package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// callers are who asks about a conversation; owner and other are users.
var callers = []string{"nobody", "owner", "other", "agent", "admin", "bot"}

// inquiry is a request about a conversation, and the status that each caller is
// answered with, in the order of callers.
type inquiry struct {
	method, path string
	content      func(c blackbox.Conversation) map[string]string // the body, or the URL's parameters
	statuses     []int
}

func inquiries() []inquiry {
	none := func(blackbox.Conversation) map[string]string { return nil }
	said := func(blackbox.Conversation) map[string]string { return map[string]string{"text": "I say"} }
	const one = "/v1/conversations/{id}"
	return []inquiry{
		{"POST", "/v1/conversations", question, []int{401, 201, 201, 201, 201, 201}},
		{"GET", eventsOf, none, []int{401, 403, 403, 403, 200, 403}},
		{"GET", "/v1/conversations", none, []int{401, 200, 200, 200, 200, 200}},
		{"GET", "/v1/conversations", ofAccount, []int{401, 200, 403, 200, 200, 403}},
		{"GET", "/v1/messages", textOf, []int{401, 403, 403, 200, 200, 403}},
		{"GET", one, none, []int{401, 200, 404, 200, 200, 200}},
		{"GET", one + "/messages", none, []int{401, 200, 404, 200, 200, 200}},
		{"GET", one + "/updates", none, []int{401, 200, 404, 200, 200, 200}},
		{"POST", one + "/messages", said, []int{401, 201, 404, 201, 201, 404}},
		{"POST", one + "/take", none, []int{401, 403, 403, 200, 200, 403}},
		{"POST", one + "/close", none, []int{401, 200, 404, 200, 200, 404}},
		{"POST", one + "/reply", reply, []int{401, 403, 403, 403, 403, 200}},
		{"POST", one + "/handover", handOver, []int{401, 403, 403, 403, 403, 200}},
	}
}

// eventsOf is the path of the document at which the events of conversations are.
const eventsOf = "/v1/admin/events/{stream}/{id}"

func question(blackbox.Conversation) map[string]string {
	return map[string]string{"topic": "other", "text": "I ask"}
}

func ofAccount(c blackbox.Conversation) map[string]string {
	return map[string]string{"account_id": c.Account}
}

func textOf(c blackbox.Conversation) map[string]string {
	return map[string]string{"account_id": c.Account, "text": secretWord}
}

func reply(blackbox.Conversation) map[string]string {
	return map[string]string{"in_reply_to": uuid.NewString(), "text": "I answer"}
}

func handOver(blackbox.Conversation) map[string]string {
	return map[string]string{"reason": "too much for me"}
}

// secretWord is in what the owner has written.
const secretWord = "rumpelstiltskin"

// Each path is asked by everybody, over HTTP and over NATS.
func TestNobodyReadsAnothersConversation(t *testing.T) {
	t.Parallel()
	s := embeddedShop(t, "--sync-interval", "2m")
	a := &access{shop: s, nats: blackbox.Connect(t, s.nats), subjects: subjects(t), people: map[string]person{}}
	for _, who := range callers {
		role := map[string]string{"nobody": "", "owner": "user", "other": "user"}[who]
		if who == "agent" || who == "admin" || who == "bot" {
			role = who
		}
		a.people[who] = s.person(t, role)
	}
	for _, q := range inquiries() {
		for i, who := range callers {
			for name, send := range map[string]sending{"HTTP": a.overHTTP, "NATS": a.overNATS} {
				if _, known := a.subjects[q.method+q.path]; name == "NATS" && !known {
					continue
				}
				a.ask(t, q, who, q.statuses[i], send)
			}
		}
	}
}

// Each path of the API's document at which there is something of a conversation is asked.
func TestEachPathOfConversationsIsAsked(t *testing.T) {
	t.Parallel()
	raw, err := api.Document()
	require.NoError(t, err)
	var document struct{ Paths map[string]map[string]any }
	require.NoError(t, json.Unmarshal(raw, &document))
	asked, there := map[string]bool{}, map[string]bool{}
	for _, q := range inquiries() {
		asked[q.method+" "+q.path] = true
	}
	for path, operations := range document.Paths {
		for method := range operations {
			if strings.HasPrefix(path, "/v1/conversations") || strings.HasPrefix(path, "/v1/messages") || path == eventsOf {
				there[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	require.Equal(t, there, asked)
}

// access is everybody, and the ways to ask.
type access struct {
	shop     *shop
	nats     *nats.Conn
	subjects map[string]string // by method and path
	people   map[string]person
}

// sending asks as somebody about the conversation with an id.
type sending func(t *testing.T, p person, q inquiry, id string, content map[string]string) blackbox.Answer

// ask asks about a new conversation. Who may not know of it is answered as if there
// were none, and is shown nothing of it in lists.
func (a *access) ask(t *testing.T, q inquiry, who string, want int, send sending) {
	t.Helper()
	c := a.people["owner"].asks(t, secretWord)
	content := q.content(c)
	got := send(t, a.people[who], q, c.ID, content)
	require.Equal(t, want, got.Status, "%s %s as %s: %s", q.method, q.path, who, got)
	if want != 200 && want != 201 || who == "other" {
		require.NotContains(t, string(got.Body), c.ID)
		require.NotContains(t, string(got.Body), secretWord)
	}
	if want == 404 {
		missing := send(t, a.people[who], q, uuid.NewString(), content)
		require.Equal(t, withoutID(got), withoutID(missing), "%s %s as %s", q.method, q.path, who)
	}
}

// withoutID is an answer but for what differs in every one.
func withoutID(a blackbox.Answer) blackbox.Answer {
	a.Header = a.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		a.Header.Del(name)
	}
	return a
}

func (a *access) overHTTP(t *testing.T, p person, q inquiry, id string, content map[string]string) blackbox.Answer {
	t.Helper()
	path, body := strings.NewReplacer("{id}", id, "{stream}", "conversations").Replace(q.path), ""
	if q.method == http.MethodGet {
		values := url.Values{}
		for name, value := range content {
			values.Set(name, value)
		}
		path += "?" + values.Encode()
	} else if content != nil {
		body = jsonOf(t, content)
	}
	return p.Do(t, q.method, path, body)
}

func (a *access) overNATS(t *testing.T, p person, q inquiry, id string, content map[string]string) blackbox.Answer {
	t.Helper()
	m := nats.NewMsg(a.subjects[q.method+q.path])
	m.Header.Set(api.HeaderTarget, id)
	if p.token != "" {
		m.Header.Set("Authorization", "Bearer "+p.token)
	}
	if content != nil {
		m.Data = []byte(jsonOf(t, content))
	}
	answer, err := a.nats.RequestMsg(m, time.Minute)
	require.NoError(t, err, m.Subject)
	status, err := strconv.Atoi(answer.Header.Get(api.HeaderStatus))
	require.NoError(t, err)
	return blackbox.Answer{Status: status, Header: http.Header(answer.Header), Body: answer.Data}
}

func jsonOf(t *testing.T, content map[string]string) string {
	t.Helper()
	b, err := json.Marshal(content)
	require.NoError(t, err)
	return string(b)
}

// subjects is where each operation is asked for over NATS.
func subjects(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for prefix, list := range map[string]func() ([]api.Operation, error){api.CommandSubject: api.Commands, api.QuerySubject: api.Queries} {
		operations, err := list()
		require.NoError(t, err)
		for _, o := range operations {
			all[o.Method+o.Path] = prefix + o.Name
		}
	}
	require.Equal(t, "query.conversation.get", all["GET/v1/conversations/{id}"])
	return all
}
