package keys

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admitone/admitone/api"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func setup(t testing.TB) (*Keys, string) {
	path := filepath.Join(t.TempDir(), "keys")
	k, err := LoadOrCreate(path)
	require.NoError(t, err)
	return k, path
}

func TestKeysLast(t *testing.T) {
	k, path := setup(t)
	token, err := k.Mint(uuid.New(), api.RoleUser, time.Hour)
	require.NoError(t, err)

	again, err := Load(path)
	require.NoError(t, err)
	_, err = again.Verify(token)
	require.NoError(t, err)
	require.Equal(t, k.Cursor(), again.Cursor())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestOneOfManyMakesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	all := make([]*Keys, 20)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i], _ = LoadOrCreate(path) })
	}
	wg.Wait()
	for _, k := range all {
		require.NotNil(t, k)
		require.Equal(t, all[0].Cursor(), k.Cursor())
	}
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "no temporary file is left")
}

func TestLoadSaysWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	_, err := Load(path)
	require.ErrorIs(t, err, ErrNoFile)
	require.ErrorContains(t, err, "admitone serve")

	for _, content := range []string{"", "garbage", "{}", `{"ed25519_seed":"AAAA","cursor_key":"AAAA"}`} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Load(path)
		require.ErrorContains(t, err, "damaged", content)
		_, err = LoadOrCreate(path)
		require.ErrorContains(t, err, "damaged", "it is never written over")
	}
}

func TestMintAndVerify(t *testing.T) {
	k, _ := setup(t)
	account := uuid.New()
	for _, role := range []string{api.RoleUser, api.RoleAgent, api.RoleAdmin} {
		token, err := k.Mint(account, role, time.Minute)
		require.NoError(t, err)
		identity, err := k.Verify(token)
		require.NoError(t, err)
		require.Equal(t, Identity{Account: account, Role: role}, identity)
	}
	_, err := k.Mint(account, "root", time.Minute)
	require.ErrorContains(t, err, `"root"`)
}

func TestVerifyRefuses(t *testing.T) {
	k, _ := setup(t)
	stranger, _ := setup(t)
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		require.NoError(t, err)
		return token
	}
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"sub": uuid.NewString(), "role": "user", "exp": time.Now().Add(time.Minute).Unix()}
	}
	with := func(name string, value any) jwt.MapClaims {
		c := good()
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return c
	}
	valid := sign(jwt.SigningMethodEdDSA, k.signing, good())
	_, err := k.Verify(valid)
	require.NoError(t, err)
	for name, token := range map[string]string{
		"empty":             "",
		"garbage":           "garbage",
		"three dots":        "..",
		"another key":       sign(jwt.SigningMethodEdDSA, stranger.signing, good()),
		"no algorithm":      sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"public key as MAC": sign(jwt.SigningMethodHS256, []byte(k.signing[32:]), good()),
		"signature cut off": valid[:strings.LastIndex(valid, ".")+1],
		"payload changed":   strings.Replace(valid, ".", ".e", 1),
		"expired":           sign(jwt.SigningMethodEdDSA, k.signing, with("exp", time.Now().Add(-time.Second).Unix())),
		"no expiry":         sign(jwt.SigningMethodEdDSA, k.signing, with("exp", nil)),
		"not yet":           sign(jwt.SigningMethodEdDSA, k.signing, with("nbf", time.Now().Add(time.Minute).Unix())),
		"no subject":        sign(jwt.SigningMethodEdDSA, k.signing, with("sub", nil)),
		"subject no UUID":   sign(jwt.SigningMethodEdDSA, k.signing, with("sub", "root")),
		"subject nil":       sign(jwt.SigningMethodEdDSA, k.signing, with("sub", uuid.Nil.String())),
		"subject in braces": sign(jwt.SigningMethodEdDSA, k.signing, with("sub", "{"+uuid.NewString()+"}")),
		"no role":           sign(jwt.SigningMethodEdDSA, k.signing, with("role", nil)),
		"unknown role":      sign(jwt.SigningMethodEdDSA, k.signing, with("role", "root")),
	} {
		_, err := k.Verify(token)
		require.ErrorIs(t, err, ErrToken, name)
		if len(token) > 8 {
			require.NotContains(t, err.Error(), token[:8], "no part of a token gets into messages")
		}
	}
}

func FuzzJWT(f *testing.F) {
	// The same in all of the fuzzer's processes.
	k := file{Seed: make([]byte, seedSize)}.keys()
	valid, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"sub": "0190a6b0-7c3e-7d4f-8a5b-6c7d8e9f0a1b", "role": "admin", "exp": 4_000_000_000,
	}).SignedString(k.signing)
	require.NoError(f, err)
	_, err = k.Verify(valid)
	require.NoError(f, err)
	f.Add(valid)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := k.Verify(token); err == nil {
			// The decoder passes over line breaks, which no header can hold.
			require.Equal(t, valid, strings.NewReplacer("\r", "", "\n", "").Replace(token))
		} else {
			require.ErrorIs(t, err, ErrToken)
		}
	})
}
