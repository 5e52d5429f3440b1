// Package keys holds an installation's secrets: the Ed25519 key that signs access
// tokens, and the key that signs page cursors. All copies of a service share one
// file.
//
// cmd and internal/httpx use it. It imports api for the names of roles.
package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sizes of the secrets, in bytes.
const (
	seedSize   = ed25519.SeedSize
	cursorSize = 32
)

// Keys is a loaded key file. Safe for concurrent use.
type Keys struct {
	signing ed25519.PrivateKey
	cursor  []byte
}

// file is the key file's JSON; []byte is base64 there.
type file struct {
	Seed   []byte `json:"ed25519_seed"`
	Cursor []byte `json:"cursor_key"`
}

// ErrNoFile: there is no key file at the path.
var ErrNoFile = errors.New("no key file")

// Load reads a key file. ErrNoFile, or an error that says what is wrong with it.
func Load(path string) (*Keys, error) {
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("keys: %w at %s: start `admitone serve` once, which makes it, or name the file of the running service", ErrNoFile, path)
	case err != nil:
		return nil, fmt.Errorf("keys: %w: make the file readable for this user", err)
	}
	var f file
	if err := json.Unmarshal(raw, &f); err != nil || len(f.Seed) != seedSize || len(f.Cursor) != cursorSize {
		return nil, fmt.Errorf("keys: %s is damaged: restore it from a backup, or remove it; a new one is made at the next start, and all access tokens and page cursors end", path)
	}
	return f.keys(), nil
}

// LoadOrCreate reads a key file, or makes one with fresh secrets (mode 0600) where
// there is none. Of several programs that make it at once, one wins and all get
// its keys; a crash leaves a whole file or none.
func LoadOrCreate(path string) (*Keys, error) {
	k, err := Load(path)
	if !errors.Is(err, ErrNoFile) {
		return k, err
	}
	f := file{Seed: make([]byte, seedSize), Cursor: make([]byte, cursorSize)}
	rand.Read(f.Seed)
	rand.Read(f.Cursor)
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if err := create(path, raw); err != nil {
		return nil, fmt.Errorf("keys: make %s: %w", path, err)
	}
	return Load(path)
}

// create writes a file that was not there, whole or not at all; it is no error
// when another program was faster.
func create(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	// A link, unlike a rename, never replaces what another program has just made.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (f file) keys() *Keys {
	return &Keys{signing: ed25519.NewKeyFromSeed(f.Seed), cursor: f.Cursor}
}

// Cursor is the HMAC key for page cursors.
func (k *Keys) Cursor() []byte { return k.cursor }
