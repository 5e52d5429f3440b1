package main

import (
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
)

func openStore(cfg serveConfig, log *slog.Logger) (readstore.Store, error) {
	if len(cfg.CQL) == 0 {
		return orNone(sqlite.Open(sqlite.Config{Path: filepath.Join(cfg.Data, "readmodels.db")}))
	}
	c := cql.Config{Hosts: cfg.CQL, Keyspace: cfg.Keyspace, Logger: log}
	if err := cfg.CQLAuth.apply(&c); err != nil {
		return nil, err
	}
	return orNone(cql.Open(c))
}

// orNone keeps a nil pointer from becoming a store that is not nil.
func orNone[S readstore.Store](s S, err error) (readstore.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func storeName(cfg serveConfig) string {
	if len(cfg.CQL) == 0 {
		return "SQLite, " + filepath.Join(cfg.Data, "readmodels.db")
	}
	return "CQL at " + strings.Join(cfg.CQL, ",") + ", keyspace " + cfg.Keyspace
}
