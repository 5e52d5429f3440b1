package httpx_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/internal/natstest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// body is a JSON object of texts.
func body(t testing.TB, pairs ...string) string {
	t.Helper()
	object := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i]] = pairs[i+1]
	}
	raw, err := json.Marshal(object)
	require.NoError(t, err)
	return string(raw)
}

func TestConversationFromItsBeginningToItsEnd(t *testing.T) {
	s := setupDesk(t)
	user, bot, agent := s.account(api.RoleUser), s.account(api.RoleBot), s.account(api.RoleAgent)
	order := uuid.New()
	began := time.Now().Truncate(time.Millisecond)

	r := s.post(user, "/v1/conversations", body(t, "topic", "order", "text", "Where is it?", "order_id", strings.ToUpper(order.String()))).is(201, "")
	path := "/v1/conversations/" + idIn(r).String()
	require.Equal(t, path, r.header.Get("Location"))
	require.Equal(t, `"2"`, r.header.Get("ETag"))
	require.Equal(t, "conversations/"+idIn(r).String()+"@2", r.header.Get("Consistency-Token"))
	require.Equal(t, "no-store", r.header.Get("Cache-Control"))
	opened, err := time.Parse(time.RFC3339, r.field("opened_at").(string))
	require.NoError(t, err)
	require.WithinRange(t, opened, began, time.Now())
	require.Equal(t, map[string]any{
		"id": idIn(r).String(), "version": 2.0, "status": "open", "account_id": user.id.String(), "topic": "order",
		"order_id": order.String(), "messages": 1.0, "opened_at": r.field("opened_at"), "updated_at": r.field("updated_at"),
	}, parse(t, r.body))

	asked := s.lastMessage(user, path)["message_id"].(string)
	r = s.post(bot, path+"/reply", body(t, "in_reply_to", asked, "text", "On its way.")).is(200, "")
	require.EqualValues(t, 2, r.field("messages"))
	require.Equal(t, asked, s.lastMessage(user, path)["in_reply_to"])
	r = s.post(bot, path+"/reply", body(t, "in_reply_to", asked, "text", "On its way, I said.")).is(200, "")
	require.EqualValues(t, 2, r.field("messages"), "one answer for each message")

	r = s.post(user, path+"/messages", body(t, "text", "It is not.")).is(201, "")
	require.Equal(t, `"4"`, r.header.Get("ETag"))
	again := s.lastMessage(user, path)["message_id"].(string)
	r = s.post(bot, path+"/handover", body(t, "in_reply_to", again, "reason", "Not to be found")).is(200, "")
	require.Equal(t, "waiting", r.field("status"))
	require.Equal(t, "Not to be found", r.field("reason"))
	s.post(bot, path+"/handover", body(t, "reason", "To be sure")).is(200, "")

	r = s.post(agent, path+"/take", "").is(200, "")
	require.Equal(t, agent.id.String(), r.field("agent_id"))
	require.Equal(t, "taken", r.field("status"))
	s.post(agent, path+"/messages", body(t, "text", "I have a look.")).is(201, "")
	last := s.lastMessage(user, path)
	require.Equal(t, []any{"agent", agent.id.String()}, []any{last["author"], last["author_id"]})
	s.post(bot, path+"/reply", body(t, "in_reply_to", again, "text", "Me too")).is(409, "conversation_taken")
	s.post(s.account(api.RoleAgent), path+"/messages", body(t, "text", "No, I")).is(409, "conversation_taken")
	s.post(s.account(api.RoleAgent), path+"/close", "").is(409, "conversation_taken")

	r = s.post(user, path+"/close", body(t, "reason", "Found it")).is(200, "")
	require.Equal(t, []any{"closed", "Found it"}, []any{r.field("status"), r.field("reason")})
	s.post(agent, path+"/close", "").is(200, "")
	r = s.post(user, path+"/messages", body(t, "text", "One more")).is(409, "conversation_closed")
	require.Equal(t, "the conversation is closed; open another one", r.field("detail"))
	for command, content := range map[string]string{"/messages": body(t, "text", "One more"), "/take": ""} {
		r = s.post(agent, path+command, content).is(409, "conversation_closed")
		require.Equal(t, "the conversation is closed and takes no more answers; its user may open another one", r.field("detail"))
	}
}

// An agent's message takes what nobody has; an admin's, what another agent has. To
// close what nobody has takes nothing.
func TestAnswersTakeTheConversation(t *testing.T) {
	s := setupDesk(t)
	user, bot, agent, rival, admin := s.account(api.RoleUser), s.account(api.RoleBot), s.account(api.RoleAgent), s.account(api.RoleAgent), s.account(api.RoleAdmin)
	hello := body(t, "text", "Hello")
	for _, waits := range []bool{false, true} {
		path := s.open(user, "Hello?")
		version := 4
		if waits {
			s.post(bot, path+"/handover", body(t, "reason", "To be sure")).is(200, "")
			version++
		}
		r := s.post(agent, path+"/messages", hello, "Idempotency-Key", "one").is(201, "")
		require.Equal(t, []any{"taken", agent.id.String(), 2.0}, []any{r.field("status"), r.field("agent_id"), r.field("messages")})
		require.Equal(t, fmt.Sprintf("%q", fmt.Sprint(version)), r.header.Get("ETag"), "taken and sent at once")
		again := s.post(agent, path+"/messages", hello, "Idempotency-Key", "one").is(201, "")
		require.Equal(t, string(r.body), string(again.body))
		for command, content := range map[string]string{"/messages": hello, "/take": "", "/close": ""} {
			s.post(rival, path+command, content).is(409, "conversation_taken")
		}
		r = s.post(admin, path+"/messages", hello).is(201, "")
		require.Equal(t, []any{"taken", admin.id.String()}, []any{r.field("status"), r.field("agent_id")})
		s.post(agent, path+"/messages", hello).is(409, "conversation_taken")
		other := s.account(api.RoleAdmin)
		r = s.post(other, path+"/take", "").is(200, "")
		require.Equal(t, other.id.String(), r.field("agent_id"))
		r = s.post(admin, path+"/close", "").is(200, "")
		require.Equal(t, []any{"closed", other.id.String()}, []any{r.field("status"), r.field("agent_id")})
	}
	path := s.open(user, "Hello?")
	r := s.post(agent, path+"/close", body(t, "reason", "Nobody there")).is(200, "")
	require.Equal(t, []any{"closed", nil}, []any{r.field("status"), r.field("agent_id")})
}

// Who may do what, and who is told what.
func TestConversationCommandsOfOthers(t *testing.T) {
	s := setupDesk(t)
	owner := s.account(api.RoleUser)
	path := s.open(owner, "Hello?")
	asked := s.lastMessage(owner, path)["message_id"].(string)
	nowhere := "/v1/conversations/" + uuid.NewString()
	commands := map[string]string{
		"/messages": body(t, "text", "Hello"), "/close": "", "/take": "",
		"/reply": body(t, "in_reply_to", asked, "text", "Hello"), "/handover": body(t, "reason", "Hello"),
	}
	for command, content := range commands {
		s.do("POST", path+command, content).is(401, "token_required")
		for _, role := range []string{api.RoleUser, api.RoleBot, api.RoleAgent, api.RoleAdmin} {
			by := s.account(role)
			answersAsBot := command == "/reply" || command == "/handover"
			mayTake := role == api.RoleAgent || role == api.RoleAdmin
			switch {
			case answersAsBot && role != api.RoleBot, command == "/take" && !mayTake:
				s.post(by, path+command, content).is(403, "role_required")
			case answersAsBot || mayTake:
				s.post(by, nowhere+command, content).is(404, "conversation_not_found")
				s.post(by, nowhere+command, content, "If-Match", `"1"`).is(404, "conversation_not_found")
			default:
				require.Equal(t,
					string(s.post(by, nowhere+command, content).is(404, "conversation_not_found").body),
					string(s.post(by, path+command, content).is(404, "").body))
				s.post(by, path+command, content, "If-Match", `"77"`).is(404, "conversation_not_found")
			}
		}
	}
	require.EqualValues(t, 2, s.lastMessage(owner, path)["version"], "nothing happened to it")
	s.post(s.account(api.RoleAdmin), path+"/close", "").is(200, "")
}

// To their own conversations, those of the house are users.
func TestAgentAsksForHelp(t *testing.T) {
	s := setupDesk(t)
	for _, role := range []string{api.RoleAgent, api.RoleAdmin, api.RoleBot} {
		by := s.account(role)
		path := s.open(by, "Hello?")
		s.post(by, path+"/messages", body(t, "text", "Hello??")).is(201, "")
		require.Equal(t, "user", s.lastMessage(by, path)["author"])
		s.post(by, path+"/close", "").is(200, "")
	}
}

func TestConversationCommandsAreRepeated(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	path := s.open(user, "Hello?", "Idempotency-Key", "one")
	send := func(text string, h ...string) reply {
		return s.post(user, path+"/messages", body(t, "text", text), append(h, "Idempotency-Key", "one")...)
	}
	first := send("Anybody?").is(201, "")
	message := s.lastMessage(user, path)
	s.post(user, path+"/messages", body(t, "text", "Well?")).is(201, "")

	require.Equal(t, path, s.open(user, "Hello?", "Idempotency-Key", "one"))
	repeat := send("Anybody?", "If-Match", `"1"`).is(201, "")
	require.Equal(t, string(first.body), string(repeat.body))
	require.Equal(t, first.header.Get("Consistency-Token"), repeat.header.Get("Consistency-Token"))
	send("Anybody else?").is(422, "idempotency_key_reused")
	s.post(user, "/v1/conversations", body(t, "topic", "other", "text", "Hello!"), "Idempotency-Key", "one").is(422, "idempotency_key_reused")
	s.post(user, "/v1/conversations", body(t, "topic", "order", "text", "Hello?"), "Idempotency-Key", "one").is(422, "idempotency_key_reused")

	updates := s.get(user, path+"/updates").items()
	require.Len(t, updates, 4)
	require.Equal(t, message, updates[2]["message"])
	require.NotEqual(t, path, s.open(s.account(api.RoleUser), "Hello?", "Idempotency-Key", "one"))
}

// With no more than the log in his hands, nobody can try out what was written.
func TestHashOfACommandDoesNotTellTheText(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	path := s.open(user, "My code is 1234", "Idempotency-Key", "one")
	id := uuid.MustParse(strings.TrimPrefix(path, "/v1/conversations/"))
	s.post(user, path+"/messages", body(t, "text", "No, 4321"), "Idempotency-Key", "one").is(201, "")
	history, err := s.stream.Load(natstest.Context(t), id, 0, 0)
	require.NoError(t, err)
	require.Len(t, history.Events, 3)
	guess := func(operation, target string, asked any) string {
		hash, err := commands.Hash(map[string]any{"operation": operation, "target": target, "body": asked})
		require.NoError(t, err)
		return hash
	}
	require.NotEmpty(t, history.Events[2].CommandHash)
	require.NotEqual(t, guess("conversation.send", id.String(), api.NewMessage{Text: "No, 4321"}), history.Events[2].CommandHash)
	for _, order := range []string{"", uuid.Nil.String()} {
		require.NotEqual(t, guess("conversation.open", "", api.NewConversation{Topic: "other", Text: "My code is 1234", OrderID: order}), history.Events[0].CommandHash)
	}
	raw, err := s.stream.JetStream().Stream(natstest.Context(t), "CONVERSATIONS")
	require.NoError(t, err)
	for sequence := range uint64(3) {
		m, err := raw.GetMsg(natstest.Context(t), sequence+1)
		require.NoError(t, err)
		require.NotContains(t, string(m.Data), "4321")
		require.NotContains(t, string(m.Data), "1234")
	}
}

func TestConversationVersionsAndFaults(t *testing.T) {
	s := setupDesk(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	path := s.open(user, "Hello?")
	hello := body(t, "text", "Hello")
	s.post(user, path+"/messages", hello, "If-Match", `"1"`).is(412, "version_mismatch")
	s.post(user, path+"/close", "", "If-Match", `"1"`).is(412, "version_mismatch")
	s.post(agent, path+"/take", "", "If-Match", `"1"`).is(412, "version_mismatch")
	s.post(user, path+"/messages", hello, "If-Match", `"1", "2"`).is(201, "")

	for content, pointer := range map[string]string{
		body(t, "topic", "weather", "text", "Hello"):                  "/topic",
		body(t, "topic", "order", "text", " \t\u2003"):                "/text",
		body(t, "topic", "order", "text", strings.Repeat("🎫", 4001)):  "/text",
		body(t, "topic", "order", "text", "Hello", "order_id", "12"):  "/order_id",
		body(t, "topic", "order", "text", "Hello", "author", "agent"): "/author",
		body(t, "topic", "order"):                                     "/text",
	} {
		require.Equal(t, []string{pointer}, s.post(user, "/v1/conversations", content).is(422, "").pointers(), content)
	}
	s.post(user, path+"/messages", body(t, "text", "")).is(422, "invalid")
	s.post(user, path+"/messages", hello, "Idempotency-Key", strings.Repeat("k", 256)).is(422, "invalid")
	s.post(user, path+"/close", body(t, "reason", strings.Repeat("r", 501))).is(422, "")
	bot := s.account(api.RoleBot)
	s.post(bot, path+"/reply", body(t, "in_reply_to", "12", "text", "Hello")).is(422, "invalid")
	s.post(bot, path+"/handover", body(t, "in_reply_to", "12", "reason", "Hello")).is(422, "invalid")
}

// hostileTexts come back as they were.
var hostileTexts = map[string]string{
	"markup":     `<script>alert("1")</script>&amp;</script><!--`,
	"controls":   "a\x00b\x07\x1b[2J\x1b]0;title\x07\r\nc\x7f",
	"directions": "\u202eevil\u202c \u2066x\u2069 \u200b\ufeff\u0085",
	"longest":    strings.Repeat("\U0001f3ab", 4000),
	"escapes":    strings.Repeat("\x01", 4000),
	"last":       "\U0010ffff\ufffd\ufffe e\u0301",
}

// Half a surrogate pair is no character: it must not become U+FFFD on the way.
func TestHalfASurrogatePairIsRefused(t *testing.T) {
	s := setupDesk(t)
	user, bot, agent := s.account(api.RoleUser), s.account(api.RoleBot), s.account(api.RoleAgent)
	path := s.open(user, "Hello?")
	asked := s.lastMessage(user, path)["message_id"].(string)
	for _, text := range []string{`a\ud800b`, `\udc00\ud800`, `\uD83D`, `\ud83d\\ude00`, `\ud83d\ud83d\ude00`, `\u0041\uDFFF`} {
		for _, at := range []struct {
			by            account
			path, content string
		}{
			{user, "/v1/conversations", `{"topic":"other","text":"%s"}`}, {user, path + "/messages", `{"text":"%s"}`},
			{user, path + "/close", `{"reason":"%s"}`}, {agent, path + "/take", `{"%s":1}`},
			{bot, path + "/reply", `{"in_reply_to":"` + asked + `","text":"%s"}`}, {bot, path + "/handover", `{"reason":"%s"}`},
			{user, "/v1/tickets", `{"title":"%s","price":{"amount":1,"currency":"EUR"}}`},
		} {
			r := s.post(at.by, at.path, fmt.Sprintf(at.content, text)).is(400, "malformed")
			require.Contains(t, r.field("detail"), "half a surrogate pair", at.path+" "+text)
		}
	}
	for escaped, text := range map[string]string{`\ud83d\ude00`: "😀", `\uD83D\uDE00 \ufffd`: "😀 \ufffd", `\\ud800`: `\ud800`} {
		s.post(user, path+"/messages", `{"text":"a","text":"`+escaped+`"}`).is(201, "")
		require.Equal(t, text, s.lastMessage(user, path)["text"])
	}
}

func TestHostileTextIsSentAsItIs(t *testing.T) {
	s := setupDesk(t)
	user := s.account(api.RoleUser)
	for name, text := range hostileTexts {
		path := s.open(user, text)
		require.Equal(t, text, s.lastMessage(user, path)["text"], name)
		s.post(user, path+"/messages", body(t, "text", text+"!"[:min(1, 4000-len([]rune(text)))]), "Idempotency-Key", "k").is(201, "")
	}
}

// An account that was erased leaves conversations that nobody can write in any more.
func TestErasedAccountWritesNothing(t *testing.T) {
	s := setupDesk(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	path := s.open(user, "Forget me")
	s.post(agent, path+"/take", "", "Idempotency-Key", "taken").is(200, "")
	s.post(user, path+"/messages", body(t, "text", "Please"), "Idempotency-Key", "before").is(201, "")
	require.NoError(t, s.sealed.Erase(natstest.Context(t), user.id))
	s.post(user, path+"/messages", body(t, "text", "Please"), "Idempotency-Key", "before").is(409, "account_erased")
	s.post(agent, path+"/take", "", "Idempotency-Key", "taken").is(200, "")
	for _, h := range [][]string{nil, {"Idempotency-Key", "k"}} {
		s.post(user, "/v1/conversations", body(t, "topic", "other", "text", "Hello"), h...).is(409, "account_erased")
		s.post(user, path+"/messages", body(t, "text", "Hello"), h...).is(409, "account_erased")
		s.post(agent, path+"/messages", body(t, "text", "Hello"), h...).is(409, "account_erased")
	}
	message := s.lastMessage(agent, path)
	require.Equal(t, []any{"", true}, []any{message["text"], message["erased"]})
	s.post(agent, path+"/close", "").is(200, "")
}
