package cloudsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// answer is what an operation says: a status and a value to be written as JSON.
// A nil value is an empty body.
type answer struct {
	status int
	value  any
	raw    []byte // instead of value
	header map[string]string
	cut    bool // truncate the body after compressing it
}

func ok(value any) answer { return answer{status: http.StatusOK, value: value} }

// object is a JSON object made on the spot, for error bodies.
type object = map[string]any

// dialect is how a vendor words what any of its operations may say.
type dialect struct {
	noSuchCall  func(q *request) answer
	forbidden   func(q *request) answer
	throttled   func(q *request) answer
	skewed      func(q *request) answer
	internal    func(q *request) answer
	okWithError func(q *request) answer
	numericCode func(q *request) answer
}

// bytes renders the body; the values are our own, so that JSON cannot refuse
// them.
func (a answer) bytes() []byte {
	if a.raw != nil || a.value == nil {
		return a.raw
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.value); err != nil {
		panic(fmt.Sprintf("simulated clouds: an answer of type %T is not JSON: %v", a.value, err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// gzipFrom is the size from which on a gateway compresses.
const gzipFrom = 1024

// send writes the answer, with the headers that every answer has.
func (c *Cloud) send(w http.ResponseWriter, q *request, a answer) {
	if q.fault.Answer.streams() {
		c.stream(w, q, a)
		return
	}
	body := a.bytes()
	h := w.Header()
	c.stamp(h, q)
	if h.Get("Content-Type") == "" && len(body) > 0 {
		h.Set("Content-Type", "application/json;charset=UTF-8")
	}
	for k, v := range a.header {
		h.Set(k, v)
	}
	if len(body) > 0 && (a.cut || len(body) >= gzipFrom) && strings.Contains(q.http.Header.Get("Accept-Encoding"), "gzip") {
		body = compress(body)
		h.Set("Content-Encoding", "gzip")
	}
	if a.cut {
		body = body[:len(body)/2]
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (c *Cloud) stamp(h http.Header, q *request) {
	h.Set("X-Request-Id", q.id)
	h.Set("Date", c.o.Now().UTC().Format(http.TimeFormat))
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(b) // a buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// reset ends the connection with a RST, cut with a FIN.
func reset(w http.ResponseWriter) {
	if conn := hijack(w); conn != nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // at worst the client sees EOF instead
		}
		_ = conn.Close()
	}
}

func cut(w http.ResponseWriter) {
	if conn := hijack(w); conn != nil {
		_ = conn.Close()
	}
}

func hijack(w http.ResponseWriter) net.Conn {
	hj, ok := w.(http.Hijacker)
	if !ok {
		return nil
	}
	conn, _, err := hj.Hijack()
	if err != nil {
		return nil // the connection is gone already
	}
	return conn
}
