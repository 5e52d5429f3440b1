package sealed

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// digestInfo tells the key of digests from other keys that might be derived. It must
// never change: digests are in logs.
const digestInfo = "admitone digest v1"

// Digest is a keyed hash of a text, hex, the same for the same text and field on
// every copy and for ever. Unlike a plain hash, it tells nobody whose key is erased
// whether a guessed text was the one. It makes the owner's key when there is none.
// ErrErased when the owner was erased; ErrUnavailable when the broker is needed and
// away. It asks the broker only for an owner whose key is not in memory.
func (k *Keys) Digest(ctx context.Context, f Field, text string) (string, error) {
	secret, err := k.cached(ctx, f.Owner, k.findOrMake)
	if err != nil {
		return "", err
	}
	return secret.digest(f, text)
}

// digest is HMAC-SHA256 under a key derived by HKDF (RFC 5869), so that the key that
// seals is used for nothing else.
func (k *key) digest(f Field, text string) (string, error) {
	derived, err := hkdf.Key(sha256.New, k[:], nil, digestInfo, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("sealed: digest: %w", err)
	}
	where := f.data()
	mac := hmac.New(sha256.New, derived)
	// The length first, so that no field and text run together like others.
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(where))))
	mac.Write(where)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil)), nil
}
