package conversation

import "github.com/admitone/admitone/domain"

// Refusals of a conversation. Those of kind Invalid come with the field at fault.
var (
	ErrID       = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_id", Detail: "the id must not be empty"}
	ErrTopic    = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_topic", Detail: "the topic must be order, ticket, payment, account or other"}
	ErrText     = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_text", Detail: "the text must be valid UTF-8 of 1 to 4000 characters, not only spaces"}
	ErrAuthor   = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_author", Detail: "the author must be user, bot or agent"}
	ErrReply    = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_reply", Detail: "a message of the bot, and no other, names the message that it answers"}
	ErrProposal = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_proposal", Detail: "only the bot proposes, and only to cancel an order that it names"}
	ErrRole     = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_role", Detail: "the role must be user, agent or admin; only agents and admins take and answer"}
	ErrReason   = &domain.Refusal{Kind: domain.Invalid, Code: "invalid_reason", Detail: "the reason must be valid UTF-8 of at most 500 characters, and a hand-over has one"}
	ErrNotFound = &domain.Refusal{Kind: domain.NotFound, Code: "conversation_not_found", Detail: "there is no such conversation"}
	// ErrNotOwner answers to a stranger word for word as ErrNotFound does, and
	// matches it: whose conversation it is, and that it is one, is not his to know.
	ErrNotOwner      = &domain.Refusal{Kind: domain.NotFound, Code: ErrNotFound.Code, Detail: ErrNotFound.Detail}
	ErrAlreadyOpened = &domain.Refusal{Kind: domain.Conflict, Code: "conversation_already_opened", Detail: "the conversation is opened already"}
	ErrClosed        = &domain.Refusal{Kind: domain.Conflict, Code: "conversation_closed", Detail: "the conversation is closed"}
	ErrTaken         = &domain.Refusal{Kind: domain.Conflict, Code: "conversation_taken", Detail: "another agent has taken the conversation"}
	ErrUnanswered    = &domain.Refusal{Kind: domain.Conflict, Code: "conversation_unanswered", Detail: "too many messages wait for an answer; write again when one has come"}
)
