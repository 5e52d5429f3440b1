package eventstore

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// byteLimit is what a stream that exists is to have: the limit that cfg names, else
// its own. One without takes the default, unless that would soon stop it, or it is in
// a cluster: a server there that has not the room refuses the change when the others
// have made it, and does not run its replica any more once it is started again.
func byteLimit(info *jetstream.StreamInfo, cfg *StreamConfig) int64 {
	has := info.Config.MaxBytes
	switch {
	case cfg.MaxBytes != 0:
		return cfg.MaxBytes
	case has > 0 || inCluster(info) || info.State.Bytes > uint64(cfg.DefaultMaxBytes)/2:
		return has
	}
	return cmp.Or(cfg.DefaultMaxBytes, has)
}

// inCluster: a server on its own tells of itself as a cluster without a name.
func inCluster(info *jetstream.StreamInfo) bool {
	return info.Cluster != nil && info.Cluster.Name != ""
}

// leaveOutDefault drops the default limit where err says that the broker cannot
// reserve it, and reports whether it did.
func (c *StreamConfig) leaveOutDefault(err error) bool {
	if c.MaxBytes != 0 || c.DefaultMaxBytes == 0 || !noRoom(err) {
		return false
	}
	c.DefaultMaxBytes = 0
	return true
}

// refused says of a limit that was named that the broker cannot reserve it.
func (c *StreamConfig) refused(err error) error {
	if c.MaxBytes > 0 && noRoom(err) {
		return fmt.Errorf("%w: the broker cannot reserve the byte limit of %d: %w; lower the limit, or give the broker more storage", ErrMisconfigured, c.MaxBytes, err)
	}
	return openError(err)
}

// Error codes of the server for what it has no room for, beside those of an append.
const (
	codeNoPeers     = 10005
	codeStreamBytes = 10122
)

// noRoom says of a broker's refusal that a byte limit is more than it can reserve on
// the server, in the account or on enough servers of a cluster, or than the account
// allows one stream.
func noRoom(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeInsufficient, codeStorageResources, codeStreamBytes:
		return true
	case codeNoPeers:
		return strings.Contains(api.Description, "insufficient storage")
	}
	return false
}
