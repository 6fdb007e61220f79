package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/config"
	"golang.org/x/term"

	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/console"
)

// exitUnreachable is the exit code when no daemon answers.
const exitUnreachable = 2

// defaultURL is where a daemon of this machine answers.
const defaultURL = "http://127.0.0.1:10109"

// asking is what all client commands share: where the daemon is.
type asking struct {
	url        string
	httpConfig string
	output     string
}

func (a *asking) flags(cmd *kingpin.CmdClause) {
	cmd.Flag("url", "URL of the drwatch to ask.").Envar("DRWATCH_URL").Default(defaultURL).StringVar(&a.url)
	cmd.Flag("http.config.file", "HTTP client configuration (TLS, authorization) in the Prometheus form.").ExistingFileVar(&a.httpConfig)
}

func (a *asking) outputFlag(cmd *kingpin.CmdClause) {
	cmd.Flag("output", "How to print: table or json.").Short('o').Default("table").EnumVar(&a.output, "table", "json")
}

func (a *asking) client() (*client.Client, error) {
	hc := &http.Client{Timeout: 30 * time.Second}
	if a.httpConfig != "" {
		cfg, _, err := config.LoadHTTPConfigFile(a.httpConfig)
		if err != nil {
			return nil, fmt.Errorf("--http.config.file %s: %w", a.httpConfig, err)
		}
		if hc, err = config.NewClientFromConfig(*cfg, "drwatch"); err != nil {
			return nil, fmt.Errorf("--http.config.file %s: %w", a.httpConfig, err)
		}
		hc.Timeout = 30 * time.Second
	}
	return client.New(a.url, hc)
}

// show asks for one thing and prints it as a table or as JSON.
func show[T any](a *asking, get func(context.Context, *client.Client) (T, error), table func(io.Writer, T, time.Time) error) action {
	return func(ctx context.Context) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		got, err := get(ctx, c)
		if err != nil {
			return err
		}
		if a.output == "json" {
			return console.JSON(os.Stdout, got)
		}
		return table(screen(), got, time.Now())
	}
}

// screen is the standard output; only on a terminal is cut what does not fit.
func screen() io.Writer {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return console.Screen{Writer: os.Stdout}
	}
	return os.Stdout
}

// who is the person at this terminal, for the journal.
func who() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

// codeOf is the exit code an error of a client command deserves.
func codeOf(err error) int {
	if errors.Is(err, client.ErrUnreachable) {
		return exitUnreachable
	}
	return 1
}
