package commands

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// The namespaces of UUIDv5. They must never change: ids in logs were made with them.
var (
	commandSpace   = uuid.UUID{0x6d, 0x35, 0x6c, 0x0f, 0x21, 0x9a, 0x4e, 0x47, 0x9b, 0x1e, 0x0d, 0x58, 0xc4, 0x73, 0xaa, 0x01}
	aggregateSpace = uuid.UUID{0x6d, 0x35, 0x6c, 0x0f, 0x21, 0x9a, 0x4e, 0x47, 0x9b, 0x1e, 0x0d, 0x58, 0xc4, 0x73, 0xaa, 0x02}
)

// CommandID is the id of a command: UUIDv5 of who acts (account or process), the
// operation, its target, and the caller's key (an Idempotency-Key, or the causing
// event and an ordinal). Equal parts give equal ids, in every process and for ever.
func CommandID(actor, operation, target, key string) uuid.UUID {
	return derive(commandSpace, actor, operation, target, key)
}

// NewAggregateID is a new aggregate's id for a command with a caller's key:
// UUIDv5 of its type and the command id, so that a repeat finds it.
func NewAggregateID(kind string, commandID uuid.UUID) uuid.UUID {
	return derive(aggregateSpace, kind, commandID.String())
}

// derive writes each part with its length, so that no two lists of parts are one text.
func derive(space uuid.UUID, parts ...string) uuid.UUID {
	var name bytes.Buffer
	for _, part := range parts {
		fmt.Fprintf(&name, "%d:%s", len(part), part)
	}
	return uuid.NewSHA1(space, name.Bytes())
}

// Hash is the command hash of a request: SHA-256 over its canonical JSON, hex.
// Canonical means: no spaces, the keys of objects sorted, numbers as they were
// written. It fails where the request does not encode to JSON.
func Hash(request any) (string, error) {
	plain, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("commands: hash of a request: %w", err)
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return "", fmt.Errorf("commands: hash of a request: %w", err)
	}
	canonical, err := json.Marshal(tree)
	if err != nil {
		return "", fmt.Errorf("commands: hash of a request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
