package eventstore

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// accessUser is the one user of the embedded server.
const accessUser = "admitone"

// accessFile keeps port and secret in the server's folder from start to start, so
// that clients can reconnect.
const accessFile = "access.url"

// access is how clients reach the embedded server.
type access struct {
	port   int // 0: any free one
	secret string
}

// earlierAccess takes port and secret from the file of an earlier start; a new
// secret where there is none.
func earlierAccess(file string) access {
	text, err := os.ReadFile(file)
	if err != nil {
		return access{secret: rand.Text()}
	}
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || u.User.Username() != accessUser {
		return access{secret: rand.Text()}
	}
	secret, _ := u.User.Password()
	port, err := strconv.Atoi(u.Port())
	if err != nil || len(secret) < 20 {
		return access{secret: rand.Text()}
	}
	return access{port: port, secret: secret}
}

func (a access) on(addr net.Addr) access {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		a.port = tcp.Port
	}
	return a
}

func (a access) url() string {
	u := url.URL{Scheme: "nats", User: url.UserPassword(accessUser, a.secret), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(a.port))}
	return u.String()
}

// write replaces the file in one step, so that nobody reads half a URL.
func (a access) write(file string) error {
	if file == "" {
		return nil
	}
	return writeFile(file, []byte(a.url()+"\n"))
}

// writeFile writes a file of mode 0600 in one step, and makes it durable.
func writeFile(file string, content []byte) (err error) {
	// CreateTemp makes it with mode 0600.
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err = tmp.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err = tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err = os.Rename(tmp.Name(), file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// free says whether nobody listens on a loopback port.
func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
