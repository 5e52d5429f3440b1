package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// askReadyFor is more than readyTimeout, so that a copy can say what is wrong.
const askReadyFor = readyTimeout + time.Second

func readyCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "ready", Short: "Ask the server on a data directory whether it is ready", Args: cobra.NoArgs,
		Long: `Ask the server on a data directory for its /readyz, as a health check of a container does
whose image has no other program. Exits with 1 when it is not ready.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := os.ReadFile(filepath.Join(data, "http.url"))
			if err != nil {
				return fmt.Errorf("no server runs on %s: %w", data, err)
			}
			return askReady(cmd.Context(), strings.TrimSpace(string(url)))
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

func askReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, askReadyFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return errors.New(strings.TrimSpace(string(body)))
	}
	return nil
}
