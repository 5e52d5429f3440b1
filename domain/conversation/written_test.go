package conversation_test

import (
	"testing"

	"github.com/admitone/admitone/commands/commandstest"
	"github.com/admitone/admitone/domain/conversation"
	"github.com/google/uuid"
)

// Every command, on every state that four commands lead to, appends what is written
// down for it; and all of that is appended somewhere.
func TestCommandsAppendWhatIsWrittenDown(t *testing.T) {
	t.Parallel()
	account, message := uuid.New(), uuid.New()
	commands := map[string]conversation.Command{
		"conversation.open":      conversation.Open{AccountID: account, Topic: conversation.TopicOther, MessageID: message, Text: "x"},
		"conversation.send":      conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorAgent, AuthorID: account, Role: conversation.RoleAgent, Text: "x"},
		"conversation.reply":     conversation.Send{MessageID: uuid.New(), Author: conversation.AuthorBot, InReplyTo: message, Text: "x"},
		"conversation.hand_over": conversation.HandOver{Reason: "x"},
		"conversation.take":      conversation.Take{AgentID: uuid.New(), Role: conversation.RoleAgent},
		"conversation.close":     conversation.Close{By: account, Role: conversation.RoleUser},
	}
	commandstest.Appends(t, decider(), 4, commands, conversation.Written())
}
