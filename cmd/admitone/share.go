package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/admitone/admitone/internal/control"
)

// opReadStore asks a running server where it keeps its read models.
const opReadStore = "read_store"

// sharesReadStore refuses to run beside a server on the same broker whose rows are
// elsewhere: copies share out the events, so each of two read stores would get a
// part of them.
func (a *app) sharesReadStore(ctx context.Context) error {
	own, err := readStoreID(a.cfg)
	if err != nil {
		return err
	}
	var other string
	err = control.Call(ctx, a.broker.nc, opReadStore, nil, &other, nil)
	if errors.Is(err, control.ErrNoServer) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask the server that runs on this broker for its read store: %w", err)
	}
	if other != own {
		return fmt.Errorf("a server that runs on this broker keeps its read models in %s, this one would keep them in %s: copies need one read store, so give all of them the same --cql and --keyspace, or stop the other one", other, own)
	}
	return nil
}

// readStoreID is the same for all copies that share a read store.
func readStoreID(cfg serveConfig) (string, error) {
	if len(cfg.CQL) > 0 {
		return "CQL keyspace " + cfg.Keyspace, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of this machine: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(cfg.Data, "readmodels.db"))
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return "SQLite, " + host + ":" + path, nil
}

func (a *app) answerReadStore(context.Context, json.RawMessage, func(any)) (any, error) {
	return readStoreID(a.cfg)
}
