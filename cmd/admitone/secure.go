package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/admitone/admitone/readstore/cql"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// tlsFiles is PEM files for a connection by TLS; all empty: the system's
// authorities, and no certificate of one's own.
type tlsFiles struct{ CA, Cert, Key string }

func (f *tlsFiles) flags(cmd *cobra.Command, prefix, what string) {
	flags := cmd.Flags()
	flags.StringVar(&f.CA, prefix+"-ca", "", "PEM file of the authorities that may vouch for "+what+"; turns TLS on")
	flags.StringVar(&f.Cert, prefix+"-cert", "", "PEM file of this program's own certificate for "+what+", with --"+prefix+"-key")
	flags.StringVar(&f.Key, prefix+"-key", "", "PEM file of the key of --"+prefix+"-cert")
}

// config is nil where nothing was given.
func (f tlsFiles) config(prefix string) (*tls.Config, error) {
	if f == (tlsFiles{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("--%s-ca: %w", prefix, err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--%s-ca: %s holds no certificate in PEM form", prefix, f.CA)
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf("--%s-cert and --%s-key need each other", prefix, prefix)
	}
	if f.Cert != "" {
		own, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("--%s-cert and --%s-key: %w", prefix, prefix, err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// natsAuth is how to be let in by external NATS servers; a user and password stand
// in the URL.
type natsAuth struct {
	Creds string
	TLS   tlsFiles
}

func (n *natsAuth) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&n.Creds, "nats-creds", "", "credentials file (JWT and seed) for the NATS servers")
	n.TLS.flags(cmd, "nats", "the NATS servers")
}

func (n natsAuth) options() ([]nats.Option, error) {
	var options []nats.Option
	config, err := n.TLS.config("nats")
	if err != nil {
		return nil, err
	}
	if config != nil {
		options = append(options, nats.Secure(config))
	}
	if n.Creds != "" {
		if _, err := os.Stat(n.Creds); err != nil {
			return nil, fmt.Errorf("--nats-creds: %w", err)
		}
		options = append(options, nats.UserCredentials(n.Creds))
	}
	return options, nil
}

// cqlAuth is how to be let in by a CQL cluster.
type cqlAuth struct {
	User, Password string
	Encrypt        bool
	TLS            tlsFiles
}

func (q *cqlAuth) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.User, "cql-user", "", "user of the CQL cluster")
	f.StringVar(&q.Password, "cql-password", "", "password of --cql-user; better given as ADMITONE_CQL_PASSWORD, which no list of processes shows")
	f.BoolVar(&q.Encrypt, "cql-tls", false, "connect to the CQL cluster by TLS; --cql-ca and --cql-cert turn it on too")
	q.TLS.flags(cmd, "cql", "the CQL cluster")
}

func (q cqlAuth) apply(c *cql.Config) error {
	if (q.User == "") != (q.Password == "") {
		return errors.New("--cql-user and --cql-password need each other")
	}
	config, err := q.TLS.config("cql")
	if err != nil {
		return err
	}
	if config == nil && q.Encrypt {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.Username, c.Password, c.TLS = q.User, q.Password, config
	return nil
}
