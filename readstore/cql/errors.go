package cql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/admitone/admitone/readstore"
	"github.com/gocql/gocql"
)

// errorOf gives an error of gocql the port's meaning.
func (s *Store) errorOf(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, readstore.ErrInvalid):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, readstore.ErrUnavailable):
	case noTable(err):
		err = fmt.Errorf("%w: %w", readstore.ErrNoTable, err)
	case mayPass(err):
		err = fmt.Errorf("%w: %w", readstore.ErrUnavailable, err)
	}
	return fmt.Errorf("cql: %s: %w", s.cfg.Keyspace, err)
}

// mayPass: all but what the server refuses for good, with an answer that says so.
func mayPass(err error) bool {
	var refused gocql.RequestError
	if !errors.As(err, &refused) {
		return !errors.Is(err, context.Canceled)
	}
	switch refused.Code() {
	case gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized, gocql.ErrCodeInvalid, gocql.ErrCodeConfig,
		gocql.ErrCodeCredentials, gocql.ErrCodeProtocol, gocql.ErrCodeAlreadyExists:
		return false
	}
	return true
}

// noTable knows the words of Cassandra and ScyllaDB: the protocol has no code for it.
func noTable(err error) bool {
	var refused gocql.RequestError
	if !errors.As(err, &refused) || refused.Code() != gocql.ErrCodeInvalid {
		return false
	}
	text := strings.ToLower(refused.Message())
	return strings.Contains(text, "unconfigured table") || strings.Contains(text, "does not exist")
}
