package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// opErase destroys the key of an account.
const opErase = "erase"

// eraseRequest names the account.
type eraseRequest struct {
	Account uuid.UUID `json:"account_id"`
}

// openKeys opens the keys of sealed fields. Where they are gone and texts sealed with
// them are not, it refuses: new keys would open none of these.
func (a *app) openKeys(ctx context.Context) (err error) {
	if err := a.refuseLostKeys(ctx); err != nil {
		return err
	}
	a.sealing, err = sealed.Open(ctx, a.conversations.JetStream(), sealed.Config{Replicas: a.broker.replicas, Logger: a.log})
	return err
}

func (a *app) refuseLostKeys(ctx context.Context) error {
	_, err := a.conversations.JetStream().Stream(ctx, sealed.StreamName)
	if !errors.Is(err, jetstream.ErrStreamNotFound) || a.cfg.OnLogChange == "rebuild" {
		return nil // what else is wrong, Open says
	}
	state, err := a.conversations.State(ctx)
	if err != nil || state.Messages == 0 {
		return err
	}
	return fmt.Errorf("stream %s: %w: it is gone, and %s holds %d events whose texts only its keys open: "+
		"restore it from a backup, or accept that they read as erased with --on-log-change rebuild",
		sealed.StreamName, eventstore.ErrLogChanged, a.conversations.Name(), state.Messages)
}

func (a *app) answerErase(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
	var asked eraseRequest
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, fmt.Errorf("erase request: %w", err)
	}
	if err := a.sealing.Erase(ctx, asked.Account); err != nil {
		return nil, err
	}
	a.log.Info("account erased", "account", asked.Account)
	return asked, nil
}

func eraseCommand() *cobra.Command {
	var r remote
	var account string
	cmd := &cobra.Command{
		Use: "erase --account UUID", Short: "Make all personal texts of an account unreadable, for ever", Args: cobra.NoArgs,
		Long: `Destroy the key that the personal texts of an account are sealed with. They then read as
erased everywhere, within a second on every copy, and after a rebuild or a restart; nothing
new can be written for the account. This cannot be undone. It may be repeated.

The key is overwritten in the broker's files. Backups of the stream KEYS that were made
before still hold it, and with several replicas the broker's own raft log may until it is
compacted: see docs/erasure.md.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if account == "" {
				return errors.New("--account is required: name the account (a UUID) whose texts are to be erased")
			}
			id, err := uuid.Parse(account)
			if err != nil {
				return fmt.Errorf("--account %q is not a UUID: name the account whose texts are to be erased", account)
			}
			var erased eraseRequest
			if err := r.call(cmd, opErase, eraseRequest{Account: id}, &erased, nil); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), erased)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the texts of account %s cannot be read any more\n", erased.Account)
			return err
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "the account's UUID (required)")
	return cmd
}
