package fleet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Peer is what a user would write instead, as a process: the same series as
// gauge vectors in a plain registry of client_golang, set anew at each poll and
// served by promhttp. It polls nobody, so it is cheaper than a whole exporter.
type Peer struct {
	URL    string
	Series int
	cmd    *exec.Cmd
}

// peerCommand is the first argument of a bench program that is to be the peer.
const peerCommand = "peer"

// StartPeer runs this program again, as the peer of a text of /metrics. Its main
// begins with BePeer.
func StartPeer(text []byte, interval time.Duration) (*Peer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Peer{cmd: exec.CommandContext(context.Background(), exe, peerCommand, interval.String())}
	p.cmd.Stdin, p.cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the peer did not start: %w", err), p.Close())
	}
	if _, err := fmt.Sscan(line, &p.URL, &p.Series); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Usage is what the peer uses.
func (p *Peer) Usage() (Usage, error) { return usage(p.cmd.Process.Pid) }

// Close ends the peer.
func (p *Peer) Close() error {
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	return err
}

// BePeer is the peer's main, when the program was started for that: it does not
// return then.
func BePeer() {
	if len(os.Args) != 3 || os.Args[1] != peerCommand {
		return
	}
	fmt.Fprintln(os.Stderr, "peer:", bePeer(os.Args[2]))
	os.Exit(1)
}

func bePeer(every string) error {
	interval, err := time.ParseDuration(every)
	if err != nil {
		return err
	}
	reg, set, series, err := plain(os.Stdin)
	if err != nil {
		return err
	}
	url, err := Serve(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	if err != nil {
		return err
	}
	fmt.Println(url, series)
	for ; ; Wait(interval) {
		set()
	}
}

// Families reads a text of /metrics.
func Families(text io.Reader) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(text)
}

// plain puts the gauges of a text into a registry: all of the many series are.
func plain(text io.Reader) (reg *prometheus.Registry, set func(), series int, err error) {
	families, err := Families(text)
	if err != nil {
		return nil, nil, 0, err
	}
	type gauge struct {
		vec    *prometheus.GaugeVec
		values []string
		v      float64
	}
	var gauges []gauge
	reg = prometheus.NewRegistry()
	for name, f := range families {
		if f.GetType() != dto.MetricType_GAUGE {
			continue
		}
		var names []string
		for _, l := range f.Metric[0].Label {
			names = append(names, l.GetName())
		}
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: f.GetHelp()}, names)
		for _, m := range f.Metric {
			g := gauge{vec: vec, v: m.Gauge.GetValue()}
			for _, l := range m.Label {
				g.values = append(g.values, strings.Clone(l.GetValue()))
			}
			gauges = append(gauges, g)
		}
		if err := reg.Register(vec); err != nil {
			return nil, nil, 0, err
		}
	}
	return reg, func() {
		for _, g := range gauges {
			g.vec.WithLabelValues(g.values...).Set(g.v)
		}
	}, len(gauges), nil
}

// Serve serves on a free port for as long as the program runs.
func Serve(h http.Handler) (url string, err error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}
