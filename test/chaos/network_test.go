package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

var (
	asked = flag.String("chaos.network", "auto", "how observers are parted from each other: namespaces, loopback, or auto: namespaces where this machine allows them")
	// between is the network between the observers. TestMain chooses it.
	between network
)

// network is where observers stand, and what they watch.
type network interface {
	fmt.Stringer // what it is, for who reads the output
	// address is where a server listens that all observers reach: HOST:0.
	address(t *testing.T) string
	// join gives an observer its place, for as long as the test runs.
	join(t *testing.T) links
	// disk makes what stands under the path a disk of the observer's own, before
	// it starts.
	disk(o *observer, path string) disk
}

// disk is one that can be filled to its end.
type disk interface {
	fmt.Stringer
	fill()
	empty()
}

// links is the network as one observer has it. Every way can be cut by the URL at
// its end: while it is cut nothing comes through, and nothing tells so.
type links interface {
	peer() string            // the URL at which the others reach its store
	to(url string) string    // the URL at which it reaches a cloud
	named(url string) string // how it writes a URL of what it probes
	proxy() string           // by which it reaches those, and its peers; "" = by none
	start(cmd *exec.Cmd) error
	dial(ctx context.Context, network, address string) (net.Conn, error)
	cut(url string)
	mend(url string)
}

// place chooses the network. Where it takes namespaces, the tests are run by a
// process in them, and their exit code is given instead.
func place() (chosen network, code int, err error) {
	switch *asked {
	case "loopback":
		return loopback{"asked for"}, 0, nil
	case "auto", "namespaces":
	default:
		return nil, 0, fmt.Errorf("-chaos.network: want auto, namespaces or loopback, got %q", *asked)
	}
	if inside() {
		n, err := newNamespaces()
		return n, 0, errors.Join(err, answerOutside(err))
	}
	code, err = runInside()
	switch {
	case err == nil:
		return nil, code, nil
	case *asked == "namespaces":
		return nil, 0, fmt.Errorf("-chaos.network=namespaces: %w", err)
	}
	return loopback{"no namespaces: " + err.Error()}, 0, nil
}

// The process in the namespaces knows by the environment that it is that, and
// tells by its file 3 why it cannot work there, or nothing.
const (
	insideKey  = "CHAOS_INSIDE"
	toldInside = 3
)

func inside() bool { return os.Getenv(insideKey) != "" }

// answerOutside tells the process that waits outside.
func answerOutside(why error) error {
	f := os.NewFile(toldInside, "pipe")
	if why != nil {
		_, _ = io.WriteString(f, why.Error()) // it ends with an error anyway
	}
	return f.Close()
}
