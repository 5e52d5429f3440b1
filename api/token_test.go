package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const someID = "0190a6b0-7c3e-7d4f-8a5b-6c7d8e9f0a1b"

func TestParseTokens(t *testing.T) {
	ticket := Token{Stream: "tickets", Aggregate: uuid.MustParse(someID), Version: 3}
	order := Token{Stream: "orders", Aggregate: uuid.MustParse(someID), Version: 12}
	for header, want := range map[string][]Token{
		"":                                     nil,
		" , ":                                  nil,
		ticket.String():                        {ticket},
		ticket.String() + "," + order.String(): {ticket, order},
		" " + order.String() + " ,\t" + ticket.String(): {order, ticket},
		"tickets/" + strings.ToUpper(someID) + "@3":     {ticket},
	} {
		got, err := ParseTokens(header)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
}

func TestParseTokensRefusesWhatIsNone(t *testing.T) {
	for _, header := range []string{
		"tickets", "tickets/" + someID, "tickets/" + someID + "@", "tickets/" + someID + "@0", "tickets/" + someID + "@-1",
		"tickets/" + someID + "@03", "tickets/" + someID + "@+3", "tickets/" + someID + "@3.5", "tickets/" + someID + "@9223372036854775808",
		"tickets/" + strings.ReplaceAll(someID, "-", "") + "@3", "tickets/urn:uuid:" + someID + "@3", "tickets/x@3", "/" + someID + "@3",
		"Tickets/" + someID + "@3", "tick ets/" + someID + "@3", someID + "@3", "tickets/" + someID + "@3;x",
		strings.Repeat("tickets/"+someID+"@3,", maxTokens+1),
	} {
		_, err := ParseTokens(header)
		var malformed *MalformedError
		require.ErrorAs(t, err, &malformed, header)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("tickets/" + someID + "@3")
	f.Add("tickets/" + someID + "@3, orders/" + someID + "@9223372036854775807")
	f.Fuzz(func(t *testing.T, header string) {
		tokens, err := ParseTokens(header)
		if err != nil {
			return
		}
		var again []string
		for _, token := range tokens {
			require.NotZero(t, token.Version)
			again = append(again, token.String())
		}
		same, err := ParseTokens(strings.Join(again, ","))
		require.NoError(t, err)
		require.Equal(t, tokens, same)
	})
}

func TestParseWait(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": DefaultWait, "respond-async": DefaultWait, "wait=0": 0, "wait=10": MaxWait, " Wait = 3 ": 3 * time.Second,
		`wait="4"`: 4 * time.Second, "respond-async, wait=5; x=y": 5 * time.Second, "wait=1, wait=2": time.Second,
	} {
		got, err := ParseWait(header)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	for _, header := range []string{"wait", "wait=", "wait=x", "wait=-x", "wait=1.5"} {
		_, err := ParseWait(header)
		var malformed *MalformedError
		require.ErrorAs(t, err, &malformed, header)
	}
	for _, header := range []string{"wait=11", "wait=-1", "wait=99999999999", "wait=99999999999999999999", "wait=-99999999999999999999"} {
		_, err := ParseWait(header)
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, header)
	}
}

func TestParsePreferredWait(t *testing.T) {
	for header, want := range map[string]bool{"": false, "respond-async": false, "wait=0": true, "respond-async, wait=2": true, "wait=11": true} {
		_, named, _ := ParsePreferredWait(header)
		require.Equal(t, want, named, header)
	}
}

func TestDocumentIsJSON(t *testing.T) {
	doc, err := Document()
	require.NoError(t, err)
	require.Contains(t, string(doc), `"/v1/tickets/{id}"`)
}
