package keys

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Identity is what an access token says of its bearer.
type Identity struct {
	Account uuid.UUID
	Role    string // one of api.RoleUser, RoleAgent, RoleAdmin, RoleBot
}

// ErrToken: an access token is not valid; the text says why, and holds nothing of
// the token.
var ErrToken = errors.New("access token is not valid")

type claims struct {
	Role string `json:"role"`
	jwt.RegisteredClaims
}

var roles = []string{api.RoleUser, api.RoleAgent, api.RoleAdmin, api.RoleBot}

// Mint makes an access token (JWT, EdDSA) for an account that need not be known.
func (k *Keys) Mint(account uuid.UUID, role string, ttl time.Duration) (string, error) {
	if !slices.Contains(roles, role) {
		return "", fmt.Errorf("keys: role %q is none of %v", role, roles)
	}
	now := time.Now()
	c := claims{Role: role, RegisteredClaims: jwt.RegisteredClaims{
		Subject: account.String(), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}}
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c).SignedString(k.signing)
	if err != nil {
		return "", fmt.Errorf("keys: sign access token: %w", err)
	}
	return token, nil
}

// Verify checks signature, algorithm (EdDSA alone), expiry (required), subject and
// role of an access token. ErrToken.
func (k *Keys) Verify(token string) (Identity, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return k.signing.Public().(ed25519.PublicKey), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithExpirationRequired(), jwt.WithStrictDecoding())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Identity{}, fmt.Errorf("%w: it has expired", ErrToken)
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return Identity{}, fmt.Errorf("%w: it is not valid yet", ErrToken)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return Identity{}, fmt.Errorf("%w: it was not signed by this service", ErrToken)
	case err != nil:
		return Identity{}, fmt.Errorf("%w: it is not a JWT with an expiry", ErrToken)
	}
	account, err := uuid.Parse(c.Subject)
	if err != nil || len(c.Subject) != 36 || account == uuid.Nil {
		return Identity{}, fmt.Errorf("%w: its subject is not an account's UUID", ErrToken)
	}
	if !slices.Contains(roles, c.Role) {
		return Identity{}, fmt.Errorf("%w: its role is none of %v", ErrToken, roles)
	}
	return Identity{Account: account, Role: c.Role}, nil
}
