package sealed

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/crypto/chacha20poly1305"
)

// Sentinels to branch on with errors.Is, beside eventstore's.
var (
	// ErrErased: the owner's key is gone; what it sealed cannot be read by anybody,
	// and nothing can be sealed for this owner any more.
	ErrErased = errors.New("erased")
	// ErrNoKey: the owner has no key, and was not erased. It never sealed anything, or
	// its key was lost. It is an ErrErased, since nobody can read what there may be.
	ErrNoKey = fmt.Errorf("no key, so as good as %w", ErrErased)
	// ErrInvalid: the value is damaged, or was sealed for another owner, aggregate
	// or field.
	ErrInvalid = errors.New("sealed value does not open")
)

// Text is a sealed text, as events, snapshots and rows hold it.
type Text struct {
	Sealed string `json:"sealed"` // base64url, unpadded: nonce, then ciphertext with its tag
}

// Field says where a text stands. A sealed text opens in no other field.
type Field struct {
	Owner     uuid.UUID // whose key seals it
	Aggregate uuid.UUID // in whose events it is
	Name      string    // such as "text"
}

// data is what XChaCha20-Poly1305 authenticates beside the text. The id has a
// fixed length, so no two fields have the same.
func (f Field) data() []byte { return append(f.Aggregate[:], f.Name...) }

// key is an owner's secret.
type key [chacha20poly1305.KeySize]byte

func newKey() *key {
	var k key
	_, _ = rand.Read(k[:]) // never fails: crypto/rand ends the program instead
	return &k
}

func (k *key) seal(f Field, text string) (Text, error) {
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		return Text{}, fmt.Errorf("sealed: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce)
	return Text{base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), f.data()))}, nil
}

// encoding refuses a second spelling of the same bytes, but for line breaks.
var encoding = base64.RawURLEncoding.Strict()

var errLineBreak = errors.New("a line break in it")

func decode(t Text) ([]byte, error) {
	if strings.ContainsAny(t.Sealed, "\r\n") {
		return nil, errLineBreak
	}
	return encoding.DecodeString(t.Sealed)
}

func (k *key) open(f Field, t Text) (string, error) {
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		return "", fmt.Errorf("sealed: %w", err)
	}
	raw, err := decode(t)
	if err != nil {
		return "", fmt.Errorf("sealed: %s of %s: %w: %w", f.Name, f.Aggregate, ErrInvalid, err)
	}
	if len(raw) < aead.NonceSize()+aead.Overhead() {
		return "", fmt.Errorf("sealed: %s of %s: %w: only %d bytes", f.Name, f.Aggregate, ErrInvalid, len(raw))
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], f.data())
	if err != nil {
		return "", fmt.Errorf("sealed: %s of %s: %w: damaged, or of another owner, aggregate or field", f.Name, f.Aggregate, ErrInvalid)
	}
	return string(text), nil
}
