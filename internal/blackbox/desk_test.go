package blackbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// desk is a log of one conversation in short: "user 1" is a message with the id 1,
// "bot 2 1" one that replies to it, "left 1" a hand-over, and "taken" and "closed".
func desk(history string) Desk {
	d := Desk{}
	for i, e := range strings.Split("opened, "+history, ", ") {
		words := append(strings.Fields(e), "", "")
		kind, data := "conversation."+words[0]+".v1", "{}"
		switch words[0] {
		case "left":
			kind, data = "conversation.handed_over.v1", fmt.Sprintf(`{"in_reply_to":%q}`, words[1])
		case "user", "bot", "agent":
			kind, data = "conversation.message_sent.v1", fmt.Sprintf(`{"author":%q,"message_id":%q,"in_reply_to":%q,"text":{"sealed":"x"}}`, words[0], words[1], words[2])
		}
		d["one"] = append(d["one"], Logged{Version: uint64(i) + 1, Type: kind, Data: []byte(data)})
	}
	return d
}

func TestDeskChecks(t *testing.T) {
	t.Parallel()
	for history, wrong := range map[string]string{
		"user 1, bot 2 1": "", "user 1, user 2, bot 3 1, bot 4 2": "", "user 1, left 1, user 2, bot 3 2": "", "user 1, taken, user 2, agent 3": "",
		"user 1, closed":                   "",
		"user 1":                           "message 1 has no answer",
		"user 1, bot 2 1, bot 3 1":         "answer to 1 is out of turn",
		"user 1, left 1, bot 2 1":          "answer to 1 is out of turn",
		"user 1, user 2, bot 3 2, bot 4 1": "answer to 2 is out of turn",
		"user 1, taken, bot 2 1":           "answer to 1 is out of turn",
		"user 1, bot 1 1":                  "message 1 is in the log twice",
	} {
		found := strings.Join(desk(history).Check(), "\n")
		if wrong == "" {
			require.Empty(t, found, history)
		} else {
			require.Contains(t, found, wrong, history)
		}
	}
	hole := desk("user 1, bot 2 1")
	hole["one"][2].Version = 4
	require.Contains(t, strings.Join(hole.Check(), "\n"), "event 3 of the log has version 4")
}

func TestDeskLacksWhatIsNotThere(t *testing.T) {
	t.Parallel()
	d := desk("user 1, taken, agent 2")
	require.Empty(t, d.Lacks([]Sent{{"one", "user", 2}, {"one", "agent", 4}}))
	for _, s := range []Sent{{"one", "user", 3}, {"one", "agent", 5}, {"one", "agent", 2}, {"two", "user", 2}} {
		require.Len(t, d.Lacks([]Sent{s, {"one", "user", 2}}), 1, s)
	}
}
