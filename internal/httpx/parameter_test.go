package httpx_test

import (
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// What cannot be read is told in words of the API, with nothing of the program in them.
func TestFaultsAreToldInWordsOfTheAPI(t *testing.T) {
	s := setupDesk(t)
	user, agent := s.account(api.RoleUser), s.account(api.RoleAgent)
	search := "/v1/messages?text=x&account_id=" + uuid.NewString()
	for path, detail := range map[string]string{
		"/v1/conversations/nope":                                     "the path parameter id must be a UUID",
		"/v1/orders/abc":                                             "the path parameter id must be a UUID",
		"/v1/tickets/12":                                             "the path parameter id must be a UUID",
		"/v1/conversations?account_id=nope":                          "the query parameter account_id must be a UUID",
		"/v1/conversations?until=x":                                  "the query parameter until must be a time as RFC 3339 has it, such as 2026-11-26T13:05:00Z",
		"/v1/conversations?limit=many":                               "the query parameter limit must be an integer",
		"/v1/conversations?limit=1&limit=2":                          "the query parameter limit is there 2 times: give it one value",
		search + "&since=yesterday":                                  "the query parameter since must be a time as RFC 3339 has it, such as 2026-11-26T13:05:00Z",
		"/v1/conversations/" + uuid.NewString() + "/updates?after=x": "the query parameter after must be an integer",
	} {
		r := s.do("GET", path, "", "Authorization", agent.bearer).is(400, "malformed")
		require.Equal(t, detail, r.field("detail"), path)
	}
	for _, at := range [][4]string{
		{"/v1/orders", `{"ticket_id":"no"}`, "/ticket_id", "must be a UUID"},
		{"/v1/conversations", `{"topic":"other","text":"x","order_id":"no"}`, "/order_id", "must be a UUID, or empty"},
		{"/v1/tickets", `[]`, "", "must be an object"},
		{"/v1/tickets", `null`, "", "must be an object"},
	} {
		r := s.post(user, at[0], at[1]).is(422, "invalid")
		require.Equal(t, []any{map[string]any{"pointer": at[2], "detail": at[3]}}, r.field("errors"), at[1])
		subject := at[2]
		if subject == "" {
			subject = "the body"
		}
		require.Equal(t, "the request is not valid: "+subject+" "+at[3], r.field("detail"))
	}
}
