package conversation

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/admitone/admitone/domain"
	"github.com/google/uuid"
)

// The longest text of a message and the longest reason, in characters (code points).
const (
	MaxText   = 4000
	MaxReason = 500
)

// Command is a request to one conversation: Open, Send, HandOver, Take or Close.
type Command interface {
	decide(State) ([]Event, error)
}

// Open begins a conversation with its first message, both or neither.
type Open struct {
	AccountID uuid.UUID // who acts
	Topic     Topic
	OrderID   uuid.UUID // what it is about; may be the zero UUID
	MessageID uuid.UUID
	Text      string // 1 to MaxText characters, not only spaces
}

// Send adds a message. That of an agent takes the conversation first, as Take does,
// where he has not got it. For one that is the last, or waits for an answer, there is
// nothing to do; nor for a second answer of the Bot to the same message, for one to
// a message before those that it has answered, nor to one that never was.
type Send struct {
	MessageID uuid.UUID
	Author    Author
	// AuthorID is who acts: to other users there is no such conversation. The Bot's may
	// be the zero UUID.
	AuthorID uuid.UUID
	Role     Role   // of an agent: RoleAgent or RoleAdmin; others name none
	Text     string // 1 to MaxText characters, not only spaces
	// InReplyTo is the user's message that the Bot answers; others name none.
	InReplyTo uuid.UUID
	// Proposes is what the Bot asks the user to agree to; others propose nothing.
	Proposes Proposal
}

// HandOver leaves the conversation to an agent, by the Bot. Where it waits for one
// or is taken already, there is nothing to do; nor where the message that it is the
// answer to has been answered.
type HandOver struct {
	// Reason says why, and what the Bot found: 1 to MaxReason characters. It is not
	// sealed, so it has nothing in it of what the user wrote.
	Reason string
	// InReplyTo is the user's message that it is the answer to, which then gets no
	// other; the zero UUID where it is none.
	InReplyTo uuid.UUID
}

// Take makes an agent the one who answers, of an open or a waiting conversation; an
// admin of one too that another has taken, but no other agent. By the same agent again,
// there is nothing to do.
type Take struct {
	AgentID uuid.UUID // who acts
	Role    Role      // RoleAgent or RoleAdmin
}

// Close ends a conversation, by its user, any admin, or any agent unless another one has
// taken it. To a closed one there is nothing to do.
type Close struct {
	By     uuid.UUID // who acts; to other users there is no such conversation
	Role   Role
	Reason string // up to MaxReason characters; may be empty; not sealed
}

func (c Open) decide(s State) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.Status != "" {
		return nil, ErrAlreadyOpened
	}
	return []Event{
		Opened{AccountID: c.AccountID, Topic: c.Topic, OrderID: c.OrderID},
		MessageSent{MessageID: c.MessageID, Author: AuthorUser, AuthorID: c.AccountID, Text: domain.PlainText(c.Text)},
	}, nil
}

func (c Open) check() error {
	switch {
	case c.AccountID == uuid.Nil:
		return ErrID.At("/account_id")
	case !slices.Contains([]Topic{TopicOrder, TopicTicket, TopicPayment, TopicAccount, TopicOther}, c.Topic):
		return ErrTopic.At("/topic")
	case c.MessageID == uuid.Nil:
		return ErrID.At("/message_id")
	}
	return checkText(c.Text)
}

func (c Send) decide(s State) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.Status == "" {
		return nil, ErrNotFound
	}
	before, err := c.allowed(s)
	if err != nil {
		return nil, err
	}
	answered := c.Author == AuthorBot && !slices.Contains(s.Unanswered, c.InReplyTo)
	switch {
	case s.knows(c.MessageID), answered:
		return nil, nil
	case c.Author == AuthorUser && len(s.Unanswered) >= MaxUnanswered:
		return nil, ErrUnanswered
	}
	return append(before, MessageSent{
		MessageID: c.MessageID, Author: c.Author, AuthorID: c.AuthorID, Text: domain.PlainText(c.Text),
		InReplyTo: c.InReplyTo, Proposes: c.Proposes,
	}), nil
}

func (c Send) check() error {
	switch {
	case c.MessageID == uuid.Nil:
		return ErrID.At("/message_id")
	case !slices.Contains([]Author{AuthorUser, AuthorBot, AuthorAgent}, c.Author):
		return ErrAuthor.At("/author")
	case c.AuthorID == uuid.Nil && c.Author != AuthorBot:
		return ErrID.At("/author_id")
	case c.Author == AuthorAgent && !c.Role.answers(), c.Author != AuthorAgent && c.Role != "":
		return ErrRole.At("/role")
	case (c.InReplyTo == uuid.Nil) == (c.Author == AuthorBot):
		return ErrReply.At("/in_reply_to")
	case !c.Proposes.valid(), c.Proposes != (Proposal{}) && c.Author != AuthorBot:
		return ErrProposal.At("/proposes")
	}
	return checkText(c.Text)
}

// allowed holds who may write when, and what happens before. Whose conversation it is
// comes first: to other users its status is no reason.
func (c Send) allowed(s State) (before []Event, err error) {
	switch c.Author {
	case AuthorBot:
		return nil, s.openToBot()
	case AuthorAgent:
		return s.taking(c.AuthorID, c.Role)
	}
	if err := s.ownedBy(c.AuthorID); err != nil {
		return nil, err
	}
	if s.Status == StatusClosed {
		return nil, ErrClosed.Because("the conversation is closed; open another one")
	}
	return nil, nil
}

func (c HandOver) decide(s State) ([]Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return nil, ErrReason.At("/reason")
	}
	if err := checkReason(c.Reason); err != nil {
		return nil, err
	}
	answered := c.InReplyTo != uuid.Nil && !slices.Contains(s.Unanswered, c.InReplyTo)
	switch {
	case s.Status == "":
		return nil, ErrNotFound
	case s.Status == StatusClosed:
		return nil, ErrClosed
	case s.Status != StatusOpen, answered:
		return nil, nil
	}
	return []Event{HandedOver(c)}, nil
}

func (c Take) decide(s State) ([]Event, error) {
	switch {
	case c.AgentID == uuid.Nil:
		return nil, ErrID.At("/agent_id")
	case !c.Role.answers():
		return nil, ErrRole.At("/role")
	case s.Status == "":
		return nil, ErrNotFound
	}
	return s.taking(c.AgentID, c.Role)
}

func (c Close) decide(s State) ([]Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.Status == "" {
		return nil, ErrNotFound
	}
	if c.Role == RoleUser {
		if err := s.ownedBy(c.By); err != nil {
			return nil, err
		}
	}
	if s.Status == StatusClosed {
		return nil, nil
	}
	if c.Role == RoleAgent && c.By != s.AccountID && s.isOfAnother(c.By) {
		return nil, ErrTaken
	}
	return []Event{Closed{Reason: c.Reason}}, nil
}

func (c Close) check() error {
	switch {
	case c.By == uuid.Nil:
		return ErrID.At("/by")
	case !slices.Contains([]Role{RoleUser, RoleAgent, RoleAdmin}, c.Role):
		return ErrRole.At("/role")
	}
	return checkReason(c.Reason)
}

func checkText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return ErrText.At("/text").Because("the text must be valid UTF-8")
	case strings.TrimSpace(text) == "", utf8.RuneCountInString(text) > MaxText:
		return ErrText.At("/text")
	}
	return nil
}

func checkReason(reason string) error {
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > MaxReason {
		return ErrReason.At("/reason")
	}
	return nil
}
