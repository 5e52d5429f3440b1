package cql

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/gocql/gocql"
)

// link is a connected store's sessions. Each finds its way back to nodes that
// were away by itself.
type link struct {
	data  *gocql.Session // within the keyspace
	admin *gocql.Session // has the patience that changes of the schema need
}

func (l *link) close() {
	l.data.Close()
	l.admin.Close()
}

// connect tries until it succeeds or ctx ends.
func (s *Store) connect(ctx context.Context) {
	log := s.cfg.Logger.With("hosts", s.cfg.Hosts, "keyspace", s.cfg.Keyspace)
	forever := retrypolicy.NewBuilder[any]().WithMaxRetries(-1).
		WithBackoff(200*time.Millisecond, 5*time.Second).WithJitterFactor(0.2).Build()
	err := failsafe.With(forever).WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
		l, err := dial(s.cfg)
		if err != nil {
			s.failure.Store(&err)
			if e.IsFirstAttempt() {
				log.Warn("the CQL cluster cannot be reached; trying on", "error", err)
			}
			return err
		}
		s.link.Store(l)
		return nil
	})
	if err == nil {
		log.Info("connected to the CQL cluster")
	}
}

func dial(cfg Config) (*link, error) {
	cluster, err := clusterConfig(cfg)
	if err != nil {
		return nil, err
	}
	admin := *cluster
	admin.Timeout, admin.NumConns = schemaTimeout, 1
	l := &link{}
	if l.admin, err = admin.CreateSession(); err != nil {
		return nil, fmt.Errorf("cql: connect to %s: %w", strings.Join(cfg.Hosts, ", "), err)
	}
	datacenter, err := ensureKeyspace(l.admin, cfg)
	if err == nil {
		cluster.Keyspace = cfg.Keyspace
		cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy(datacenter))
		l.data, err = cluster.CreateSession()
	}
	if err != nil {
		l.admin.Close()
		return nil, fmt.Errorf("cql: keyspace %s: %w", cfg.Keyspace, err)
	}
	return l, nil
}

func clusterConfig(cfg Config) (*gocql.ClusterConfig, error) {
	port, err := cfg.port()
	if err != nil {
		return nil, err
	}
	c := gocql.NewCluster(cfg.Hosts...)
	c.Port = port
	c.Timeout, c.ConnectTimeout = cfg.Timeout/2, 2*time.Second
	c.Consistency = gocql.LocalQuorum
	c.DefaultIdempotence = true // ours repeats; gocql itself then may only do what is harmless
	c.DefaultTimestamp = false  // every write names its own
	c.ReconnectInterval = time.Second
	c.MaxWaitSchemaAgreement = schemaTimeout
	c.Logger = quiet{cfg.Logger}
	if cfg.Username != "" {
		c.Authenticator = gocql.PasswordAuthenticator{Username: cfg.Username, Password: cfg.Password}
	}
	if cfg.TLS != nil {
		c.SslOpts = &gocql.SslOptions{Config: cfg.TLS, EnableHostVerification: !cfg.TLS.InsecureSkipVerify}
	}
	return c, nil
}

// port is that of the first host that has one: gocql uses it for the nodes that
// it learns of, and CQL clusters have one port.
func (c Config) port() (int, error) {
	for _, h := range c.Hosts {
		if _, port, err := net.SplitHostPort(h); err == nil {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return 0, fmt.Errorf("cql: host %q: the port is not a number from 1 to 65535", h)
			}
			return int(n), nil
		}
	}
	return 9042, nil
}

// ensureKeyspace makes a missing keyspace and names the local datacenter.
func ensureKeyspace(admin *gocql.Session, cfg Config) (datacenter string, err error) {
	if err := admin.Query("SELECT data_center FROM system.local").Scan(&datacenter); err != nil {
		return "", err
	}
	var n int
	if err := admin.Query("SELECT count(*) FROM system_schema.keyspaces WHERE keyspace_name = ?", cfg.Keyspace).Scan(&n); err != nil || n > 0 {
		return datacenter, err
	}
	factor := cfg.ReplicationFactor
	if factor == 0 {
		nodes, err := countNodes(admin, datacenter)
		if err != nil {
			return "", err
		}
		factor = min(3, nodes)
	}
	cfg.Logger.Info("making the keyspace", "keyspace", cfg.Keyspace, "datacenter", datacenter, "replication_factor", factor)
	err = admin.Query(fmt.Sprintf(`CREATE KEYSPACE IF NOT EXISTS "%s" WITH replication = {'class': 'NetworkTopologyStrategy', '%s': %d}`,
		cfg.Keyspace, strings.ReplaceAll(datacenter, "'", "''"), factor)).Exec()
	return datacenter, err
}

func countNodes(admin *gocql.Session, datacenter string) (int, error) {
	nodes, peer := 1, ""
	peers := admin.Query("SELECT data_center FROM system.peers").Iter()
	for peers.Scan(&peer) {
		if peer == datacenter {
			nodes++
		}
	}
	return nodes, peers.Close()
}

// quiet passes gocql's own messages on for those who ask for details.
type quiet struct{ log *slog.Logger }

func (q quiet) Print(v ...any)                 { q.log.Debug(strings.TrimSpace(fmt.Sprint(v...))) }
func (q quiet) Printf(format string, v ...any) { q.Print(fmt.Sprintf(format, v...)) }
func (q quiet) Println(v ...any)               { q.Print(fmt.Sprintln(v...)) }
