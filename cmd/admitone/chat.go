package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/client"
	"github.com/admitone/admitone/internal/keys"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// chatConfig is what "admitone chat" was asked for.
type chatConfig struct {
	remote

	keysFile, sub, role, token string
	conversation               string
	topic, order               string
	wait                       time.Duration
}

func chatCommand() *cobra.Command {
	var c chatConfig
	cmd := &cobra.Command{
		Use: "chat", Short: "Talk with support in the terminal", Args: cobra.NoArgs,
		Long: `Talk with support in the terminal: open a conversation with the first line, or resume one
with --conversation, which shows its last messages. Each line that is read from standard
input is a message.

Who writes is said with --token, or with --sub where the key file of the data directory
is at hand; with --role agent it is one who answers, and his first message takes the
conversation, unless another agent has it; an admin's takes it from him too.

  /close [REASON]  end the conversation
  /take            answer it from now on, as an agent, with no message yet
  /quit            leave, and wait for no answer
  //               begins a message that begins with one slash

A message is shown with "…" until the event stream has it, then with its time. While the
broker is away lines are kept, and are sent once, in order, when it is back. At the end
of the input it waits until all is sent, and up to --wait for the answer. What cannot be
sent as it is, such as a line of more than 4,000 characters, is refused, and the talk goes
on. A terminal passes on 4,095 bytes of a line: pipe longer ones, admitone chat < FILE.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&c.token, "token", "", "access token of the one who writes")
	f.StringVar(&c.sub, "sub", "", "account (a UUID) of the one who writes, in place of a token")
	f.StringVar(&c.role, "role", api.RoleUser, "with --sub: user, agent or admin")
	f.StringVar(&c.keysFile, "keys", "", "with --sub: key file, in place of <data>/keys")
	f.StringVar(&c.conversation, "conversation", "", "resume this conversation (a UUID)")
	f.StringVar(&c.topic, "topic", "other", "of a new conversation: order, ticket, payment, account or other")
	f.StringVar(&c.order, "order-id", "", "of a new conversation: the order (a UUID) that it is about")
	f.DurationVar(&c.wait, "wait", 5*time.Second, "how long to wait for an answer at the end of the input")
	return cmd
}

func (c *chatConfig) run(cmd *cobra.Command) error {
	token, me, err := c.identity()
	if err != nil {
		return err
	}
	var resumed uuid.UUID
	if c.conversation != "" {
		if resumed, err = uuid.Parse(c.conversation); err != nil {
			return fmt.Errorf("--conversation %q is not a UUID: name the conversation to resume, or leave it out to open one", c.conversation)
		}
	}
	screen := &screen{
		out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), json: c.json, me: me.String(), columns: columnsOfTerminal(cmd.OutOrStdout()),
	}
	nc, err := c.connect(
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				screen.note("cut off from the broker: what you write is kept, and sent when it is back")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { screen.note("the broker is back") }),
	)
	if err != nil {
		return err
	}
	defer nc.Close()
	typed := isTerminal(cmd.InOrStdin())
	if typed && !c.json {
		screen.note("each line is a message; /close ends the conversation, /quit leaves")
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	s := &chatSession{
		client: client.New(nc, token), screen: screen, id: resumed, wait: c.wait, typed: typed,
		about: api.NewConversation{Topic: api.ConversationTopic(c.topic), OrderID: c.order},
	}
	return plainly(s.run(ctx, readInput(ctx, cmd.InOrStdin())))
}

// identity is the token of the one who writes, and whose it is.
func (c *chatConfig) identity() (token string, me uuid.UUID, err error) {
	if c.sub == "" && c.token == "" {
		return "", uuid.Nil, errors.New("say who writes: --sub with an account's UUID, or --token (or ADMITONE_TOKEN) with its access token")
	}
	if c.sub == "" {
		claims := jwt.RegisteredClaims{}
		// The server verifies it; here it only tells one's own messages from others'.
		if _, _, err := jwt.NewParser().ParseUnverified(c.token, &claims); err == nil {
			me, _ = uuid.Parse(claims.Subject)
		}
		return c.token, me, nil
	}
	if me, err = uuid.Parse(c.sub); err != nil {
		return "", uuid.Nil, fmt.Errorf("--sub %q is not a UUID: name the account that writes", c.sub)
	}
	k, err := keys.Load(keysPath(c.data, c.keysFile))
	if err != nil {
		return "", uuid.Nil, err
	}
	token, err = k.Mint(me, c.role, 24*time.Hour)
	return token, me, err
}

// plainly makes an error one for the terminal: what the server says, and its code.
func plainly(err error) error {
	var p *client.Problem
	if errors.As(err, &p) {
		return errors.New(printable(p.Error()))
	}
	return err
}
