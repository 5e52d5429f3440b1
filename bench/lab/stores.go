package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/cql"
	"github.com/admitone/admitone/readstore/sqlite"
	"github.com/gocql/gocql"
)

// SQLite opens a fresh file.
func (l *Lab) SQLite() (readstore.Store, error) {
	dir, err := l.Dir()
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(sqlite.Config{Path: filepath.Join(dir, "rows.db")})
	if err != nil {
		return nil, err
	}
	l.Later(func() { _ = store.Close() })
	return store, nil
}

// Keyspace makes a keyspace of its own and a bare gocql session within it.
func (l *Lab) Keyspace(ctx context.Context) (name string, session *gocql.Session, err error) {
	name = fmt.Sprintf("bench_%016x", rand.Uint64())
	admin, err := l.session("")
	if err != nil {
		return "", nil, err
	}
	l.Later(func() {
		_ = admin.Query("DROP KEYSPACE IF EXISTS " + name).Exec() // the whole server goes with the run
		admin.Close()
	})
	var datacenter string
	if err := admin.Query("SELECT data_center FROM system.local").WithContext(ctx).Scan(&datacenter); err != nil {
		return "", nil, fmt.Errorf("CQL: %w", err)
	}
	create := fmt.Sprintf("CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', '%s': 1}", name, datacenter)
	if err := admin.Query(create).WithContext(ctx).Exec(); err != nil {
		return "", nil, fmt.Errorf("CQL keyspace: %w", err)
	}
	if session, err = l.session(name); err != nil {
		return "", nil, err
	}
	l.Later(session.Close)
	return name, session, nil
}

// CQLStore opens a store in a keyspace of its own.
func (l *Lab) CQLStore(ctx context.Context) (readstore.Store, error) {
	keyspace, _, err := l.Keyspace(ctx)
	if err != nil {
		return nil, err
	}
	store, err := cql.Open(cql.Config{Hosts: []string{l.CQL}, Keyspace: keyspace})
	if err != nil {
		return nil, err
	}
	l.Later(func() { _ = store.Close() })
	for store.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("CQL server %s does not answer: %w", l.CQL, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return store, nil
}

func (l *Lab) session(keyspace string) (*gocql.Session, error) {
	if l.CQL == "" {
		return nil, errors.New("there is no CQL server; run make bench, or set ADMITONE_TEST_CQL to HOST:PORT")
	}
	c := gocql.NewCluster(l.CQL)
	c.Keyspace, c.Consistency = keyspace, gocql.LocalQuorum
	c.Timeout, c.ConnectTimeout = 10*time.Second, 10*time.Second
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	c.Logger = quiet{}
	session, err := c.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("CQL server %s: %w", l.CQL, err)
	}
	return session, nil
}

// CQLServer names the server and its version.
func (l *Lab) CQLServer() (string, error) {
	session, err := l.session("")
	if err != nil {
		return "", err
	}
	defer session.Close()
	var version string
	// Only ScyllaDB has this table; to drivers it calls itself an old Cassandra.
	if session.Query("SELECT version FROM system.versions WHERE key = 'local'").Scan(&version) == nil {
		return "ScyllaDB " + version, nil
	}
	if err := session.Query("SELECT release_version FROM system.local").Scan(&version); err != nil {
		return "", fmt.Errorf("version of the CQL server: %w", err)
	}
	return "Apache Cassandra " + strings.TrimSpace(version), nil
}

type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
