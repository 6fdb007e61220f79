package exposition

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// maxScrapes bounds the scrapes that are answered at one time. A client that
// reads slowly holds a place, and no more than that.
const maxScrapes = 40

// Handler serves a page together with a live registry.
type Handler struct {
	page   *Page
	live   prometheus.Gatherer
	log    *slog.Logger
	places chan struct{}
	shared [formats]share
	press  [formats]*press // of what is shared
	text   [formats]bytes.Buffer
	ends   [formats]*piece

	buffers sync.Pool // of *bufio.Writer
}

// writeSize is how much is written at a time: pieces are much smaller, and there
// are hundreds.
const writeSize = 256 << 10

// NewHandler makes a Handler of a page and of what is gathered at each scrape,
// which should be little and must have no family of the page's.
func NewHandler(page *Page, live prometheus.Gatherer, log *slog.Logger) (*Handler, error) {
	h := &Handler{page: page, live: live, log: log, places: make(chan struct{}, maxScrapes)}
	for in := range formats {
		h.press[in] = newPress()
		end, err := h.press[in].piece([]byte(in.end()), nil)
		if err != nil {
			return nil, err
		}
		h.ends[in] = end
	}
	return h, nil
}

// ServeHTTP answers one scrape: in OpenMetrics or in text 0.0.4 as the client
// prefers, with gzip when it takes that. An inflated answer costs the inflating,
// so scrapers should be left to ask for gzip, as they do by default.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		http.Error(w, fmt.Sprintf("%d scrapes are being answered already, try again later", maxScrapes), http.StatusServiceUnavailable)
		return
	}
	contentType, in := negotiate(r.Header)
	live, err := h.shared[in].do(func() (*piece, error) { return h.render(in) })
	if err != nil {
		h.log.Error("metrics of this process cannot be rendered", "err", err)
		http.Error(w, "the metrics of this process cannot be rendered, see the log", http.StatusInternalServerError)
		return
	}
	var whole body
	whole.add(live)
	shown := h.page.shown[in].Load()
	whole.pieces = append(whole.pieces, shown.pieces...)
	whole.sum = joined(whole.sum, shown.sum, shown.length)
	whole.length += shown.length
	whole.size += shown.size
	whole.add(h.ends[in])
	h.write(w, r, contentType, &whole)
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, contentType string, b *body) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Vary", "Accept, Accept-Encoding")
	write, size := b.writeText, b.length
	if takesGzip(r.Header) {
		header.Set("Content-Encoding", "gzip")
		write, size = b.writeGzip, b.gzipSize()
	}
	header.Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method == http.MethodHead {
		return
	}
	out, _ := h.buffers.Get().(*bufio.Writer)
	if out == nil {
		out = bufio.NewWriterSize(w, writeSize)
	}
	out.Reset(w)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	out.Reset(io.Discard) // lets go of w
	h.buffers.Put(out)
	if err != nil {
		h.log.Debug("a scrape was not read to its end", "err", err)
	}
}

// render encodes the live registry, never twice for one format at one time. What
// cannot be gathered is left out and logged, unless nothing can.
func (h *Handler) render(in format) (*piece, error) {
	families, err := h.live.Gather()
	if err != nil && len(families) == 0 {
		return nil, err
	}
	if err != nil {
		h.log.Error("some metrics are left out", "err", err)
	}
	as := expfmt.FmtText
	if in == openMetrics {
		as = expfmt.FmtOpenMetrics_1_0_0
	}
	text := &h.text[in]
	text.Reset()
	encoder := expfmt.NewEncoder(text, as) // not closed: its end would come too early
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return nil, fmt.Errorf("metric %s: %w", f.GetName(), err)
		}
	}
	return h.press[in].piece(text.Bytes(), nil)
}

// negotiate chooses the format. Whoever prefers protobuf gets the text that it
// takes as well.
func negotiate(header http.Header) (contentType string, in format) {
	accept := http.Header{"Accept": {strings.Join(header.Values("Accept"), ",")}}
	chosen := expfmt.NegotiateAccept(accept, expfmt.FmtText, expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1)
	if chosen.FormatType() == expfmt.TypeOpenMetrics {
		return string(chosen), openMetrics
	}
	return string(chosen), plain
}

// takesGzip tells whether the client takes gzip (RFC 9110, 12.5.3).
func takesGzip(header http.Header) bool {
	others := false
	for _, line := range header.Values("Accept-Encoding") {
		for clause := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(clause, ";")
			q, given := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			wanted := !given || err == nil && weight > 0
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip":
				return wanted
			case "*":
				others = wanted
			}
		}
	}
	return others
}

// share lets those who ask while the answer is being made wait for it: twenty
// scrapes at once gather once.
type share struct {
	mu      sync.Mutex
	pending *pending
}

type pending struct {
	done  chan struct{}
	piece *piece
	err   error
}

func (s *share) do(render func() (*piece, error)) (*piece, error) {
	s.mu.Lock()
	if p := s.pending; p != nil {
		s.mu.Unlock()
		<-p.done
		return p.piece, p.err
	}
	p := &pending{done: make(chan struct{})}
	s.pending = p
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.pending = nil
		s.mu.Unlock()
		close(p.done)
	}()
	p.err = io.ErrUnexpectedEOF // when render panics
	p.piece, p.err = render()
	return p.piece, p.err
}
