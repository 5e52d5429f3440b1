package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// serveConfig is what "serve" is told by flags and variables.
type serveConfig struct {
	Data         string
	HTTP         string
	NATS         string
	NATSAuth     natsAuth
	CQL          []string
	CQLAuth      cqlAuth
	Keyspace     string
	Keys         string
	Roles        []string
	Sharing      bool
	Partitions   int
	Replicas     int
	SyncInterval time.Duration
	OrderExpiry  time.Duration
	StreamBytes  int64
	OnLogChange  string
	RateLimit    float64
	Proxies      []net.IPNet
	LogLevel     string
	OTLPEndpoint string
	TraceRatio   float64
}

func serveCommand() *cobra.Command {
	var cfg serveConfig
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the marketplace", Args: cobra.NoArgs,
		Long: `Run the marketplace until it is interrupted.

With no flag it is one process: an embedded JetStream server and SQLite under ./data,
HTTP on 127.0.0.1:8080. With --nats it works on an external NATS cluster, with --cql it
keeps its read models in ScyllaDB; each may stand alone. With both, any number of copies
share the work, and --roles says what this one does.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.validate(); err != nil {
				return err
			}
			log, err := newLogger(cfg.LogLevel)
			if err != nil {
				return err
			}
			warnOfLaterRoles(cfg.Roles, log)
			return run(cmd.Context(), cfg, log, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	dataFlag(cmd, &cfg.Data)
	f.StringVar(&cfg.HTTP, "http", "127.0.0.1:8080", "address to serve HTTP on; port 0 takes a free one, see <data>/http.url")
	f.StringVar(&cfg.NATS, "nats", "", "URL of external NATS servers; empty: an embedded one under --data")
	f.StringSliceVar(&cfg.CQL, "cql", nil, "HOST[:PORT],… of ScyllaDB or Cassandra; empty: SQLite under --data")
	f.StringVar(&cfg.Keyspace, "keyspace", "admitone", "keyspace for --cql; made when it is missing")
	cfg.NATSAuth.flags(cmd)
	cfg.CQLAuth.flags(cmd)
	f.StringVar(&cfg.Keys, "keys", "", "key file, in place of <data>/keys; copies that share no folder need the same one")
	f.BoolVar(&cfg.Sharing, "sharing", true, "with --nats: copies of a role divide the partitions among them; off, each works on all, which is slower and as right")
	f.StringSliceVar(&cfg.Roles, "roles", knownRoles, "what this copy does; all copies of a role share its work")
	f.IntVar(&cfg.Partitions, "partitions", 0, "partitions of new streams, a power of two up to 64; 0: 1 embedded, 8 with --nats, or what the stream has")
	f.IntVar(&cfg.Replicas, "replicas", 0, "copies of everything in the NATS cluster: 1, 3 or 5; 0: 3 in a cluster, else 1. Never lowers what exists")
	f.DurationVar(&cfg.OrderExpiry, "order-expiry", 15*time.Minute, "how long a new order may wait for its payment before it expires; from 1s on")
	f.DurationVar(&cfg.SyncInterval, "sync-interval", 0, "embedded server: sync to disk this often instead of at every write; faster, and a power cut loses that much")
	f.Int64Var(&cfg.StreamBytes, "stream-bytes", 0, "size limit of each event stream in bytes, beyond which commands are refused; 0: the one that it has, or else 8 GiB, or an eighth of the embedded server's storage where that is less; -1: none of its own")
	f.StringVar(&cfg.OnLogChange, "on-log-change", "refuse", "what to do when the event log is not the one that the data directory or read store knows: refuse, or rebuild every projection from the log as it is")
	f.Float64Var(&cfg.RateLimit, "rate-limit", 0, "requests a second of one account or address; 0: 50, and off on a loopback address; below 0: off")
	f.IPNetSliceVar(&cfg.Proxies, "trusted-proxies", nil, "CIDR,… of the proxies in front, whose X-Forwarded-For says for whom they ask: --rate-limit counts these in place of the proxy")
	f.StringVar(&cfg.OTLPEndpoint, "otlp-endpoint", "", "URL of an OpenTelemetry collector that takes traces by OTLP over HTTP, such as http://localhost:4318/v1/traces; empty: no traces")
	f.Float64Var(&cfg.TraceRatio, "trace-ratio", 1, "share of the requests that are traced, unless their caller decided; 0 to 1")
	f.StringVar(&cfg.LogLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func (c *serveConfig) validate() error {
	var faults []string
	if p := c.Partitions; p < 0 || p > 64 || p&(p-1) != 0 {
		faults = append(faults, fmt.Sprintf("--partitions %d is not a power of two up to 64", p))
	}
	if r := c.Replicas; r != 0 && r != 1 && r != 3 && r != 5 {
		faults = append(faults, fmt.Sprintf("--replicas %d is none of 1, 3, 5", r))
	}
	if c.Replicas > 1 && c.NATS == "" {
		faults = append(faults, "--replicas is for a NATS cluster, named by --nats")
	}
	if err := checkRoles(c.Roles); err != nil {
		faults = append(faults, err.Error())
	}
	if c.OrderExpiry < time.Second {
		faults = append(faults, fmt.Sprintf("--order-expiry %s is shorter than 1s", c.OrderExpiry))
	}
	if c.SyncInterval < 0 {
		faults = append(faults, fmt.Sprintf("--sync-interval %s is negative", c.SyncInterval))
	}
	if c.SyncInterval > 0 && c.NATS != "" {
		faults = append(faults, "--sync-interval is for the embedded server; with --nats the cluster has its own setting")
	}
	if c.OnLogChange != "refuse" && c.OnLogChange != "rebuild" {
		faults = append(faults, fmt.Sprintf("--on-log-change %q is neither refuse nor rebuild", c.OnLogChange))
	}
	if c.TraceRatio < 0 || c.TraceRatio > 1 {
		faults = append(faults, fmt.Sprintf("--trace-ratio %g is not from 0 to 1", c.TraceRatio))
	}
	if c.StreamBytes < -1 {
		faults = append(faults, fmt.Sprintf("--stream-bytes %d is neither a size nor -1 for no limit", c.StreamBytes))
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

func newLogger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}
