package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"github.com/drwatch/drwatch/internal/exposition"
	"github.com/drwatch/drwatch/internal/web"
)

// server is the HTTP side: listeners that are bound before anything runs, and
// exporter-toolkit's TLS and authentication over them.
type server struct {
	o         *Options
	http      *http.Server
	listeners []net.Listener
	failed    chan error
}

// listen checks the web configuration and binds all addresses. Nothing is
// served yet.
func listen(o *Options) (*server, error) {
	s := &server{o: o, failed: make(chan error, 1), http: &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}}
	if err := toolkit.Validate(*o.Web.WebConfigFile); err != nil {
		return nil, fmt.Errorf("--web.config.file: %w", err)
	}
	for _, address := range *o.Web.WebListenAddresses {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--web.listen-address %s: %w", address, err), s.close(context.Background()))
		}
		s.listeners = append(s.listeners, l)
	}
	if len(s.listeners) == 0 {
		return nil, errors.New("no --web.listen-address is given")
	}
	return s, nil
}

// handle gives the server what it serves.
func (s *server) handle(a *App) error {
	reg, err := a.registry()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	metrics, err := exposition.NewHandler(a.page.Page, reg, s.o.Logger.With("component", "metrics"))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	s.http.Handler = web.Handler(web.Options{
		View: a, Operator: operator{a}, Actions: operator{a}, Alerts: alertsIn{a.alerts}, Members: operator{a}, Logger: s.o.Logger.With("component", "web"), Now: s.o.Now,
		Metrics: promhttp.InstrumentMetricHandler(reg, metrics),
	})
	return nil
}

// start serves until close.
func (s *server) start() {
	go func() {
		err := toolkit.ServeMultiple(s.listeners, s.http, s.o.Web, s.o.Logger.With("component", "web"))
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("HTTP server: %w", err)
		}
	}()
}

func (s *server) addresses() []string {
	out := make([]string, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.Addr().String()
	}
	return out
}

// close lets requests under way end, for as long as ctx allows.
func (s *server) close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	for _, l := range s.listeners {
		if e := l.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// collectors are all that is collected at each scrape.
func (a *App) collectors() []prometheus.Collector {
	return append([]prometheus.Collector{a.collector.ObserverMetrics(), a.table.Collector(a.observerSamples)}, a.metrics.collectors()...)
}
