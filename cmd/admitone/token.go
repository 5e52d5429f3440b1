package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/admitone/admitone/internal/keys"
	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

func tokenCommand() *cobra.Command {
	var data, keysFile, sub, role string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use: "token", Short: "Mint an access token and print it alone on a line", Args: cobra.NoArgs,
		Long: `Mint an access token for an account, registered or not, and print it alone on a line.

The token is signed with the key file of the data directory, so it works against the
server that runs on that directory. No server needs to be running.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sub == "" {
				return errors.New("--sub is required: name the account (a UUID) the token is for")
			}
			account, err := uuid.Parse(sub)
			if err != nil {
				return fmt.Errorf("--sub %q is not a UUID: name the account the token is for", sub)
			}
			k, err := keys.Load(keysPath(data, keysFile))
			if err != nil {
				return err
			}
			token, err := k.Mint(account, role, ttl)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().StringVar(&keysFile, "keys", "", "key file, in place of <data>/keys")
	cmd.Flags().StringVar(&sub, "sub", "", "the account's UUID (required)")
	cmd.Flags().StringVar(&role, "role", "user", "user, agent, admin, or bot for a program that answers in support")
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long the token is valid")
	return cmd
}

func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "./data", "data directory")
}

func keysPath(data, file string) string {
	if file != "" {
		return file
	}
	return filepath.Join(data, "keys")
}
