package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/admitone/admitone/internal/control"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

var errNoServer = errors.New("the broker is there, but no admitone server answers: start one with \"admitone serve\"")

// remote is how a subcommand finds the running server.
type remote struct {
	data, nats string
	auth       natsAuth
	json       bool
}

func (r *remote) flags(cmd *cobra.Command) {
	dataFlag(cmd, &r.data)
	cmd.Flags().StringVar(&r.nats, "nats", "", "URL of the NATS servers, in place of the one in <data>/nats.url")
	r.auth.flags(cmd)
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON")
}

func (r *remote) connect(more ...nats.Option) (*nats.Conn, error) {
	url := r.nats
	if url == "" {
		path := filepath.Join(r.data, "nats.url")
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no server runs on %s (%s is not there): start one with \"admitone serve\", or name it with --data or --nats", r.data, path)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		url = strings.TrimSpace(string(text))
	}
	options, err := r.auth.options()
	if err != nil {
		return nil, err
	}
	options = append(options, nats.Name("admitone cli"), nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond), nats.Timeout(5*time.Second))
	options = append(options, more...)
	nc, err := nats.Connect(url, options...)
	if err != nil {
		return nil, fmt.Errorf("the server of %s cannot be reached (%w): is \"admitone serve\" running?", r.data, err)
	}
	return nc, nil
}

// call asks the running server.
func (r *remote) call(cmd *cobra.Command, operation string, request, result any, progress func(json.RawMessage)) error {
	nc, err := r.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	err = control.Call(cmd.Context(), nc, operation, request, result, progress)
	if errors.Is(err, control.ErrNoServer) {
		return errNoServer
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
