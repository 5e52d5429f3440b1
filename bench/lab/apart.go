package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/admitone/admitone/eventstore"
)

// ServeCommand is the argument that makes the program a broker; see Serve.
const ServeCommand = "serve-broker"

// BrokerApart starts the embedded server in a process of its own, so that this
// one's heap is ours alone. It ends with the lab, and also when this process dies.
func (l *Lab) BrokerApart(ctx context.Context) (*Broker, error) {
	dir, err := l.Dir()
	if err != nil {
		return nil, err
	}
	url, err := l.spawn(dir)
	if err != nil {
		return nil, fmt.Errorf("a broker in a process of its own: %w", err)
	}
	nc, err := eventstore.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return l.connected(nc)
}

func (l *Lab) spawn(dir string) (url string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, ServeCommand, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	l.Later(func() {
		_ = in.Close()
		_ = cmd.Wait() // it was asked to end
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", errors.New("it did not start; its own words are above")
	}
	return strings.TrimSpace(line), nil
}

// Serve runs a relaxed broker on dir, prints its URL on a line, and returns at the
// end of in.
func Serve(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	server, err := eventstore.StartServer(ctx, eventstore.ServerConfig{Dir: dir, SyncInterval: Relaxed})
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintln(out, server.URL())
	_, err = io.Copy(io.Discard, in)
	return err
}
