package cloudsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// distort turns the true answer into what the request's fault lets through.
// What needs the connection itself is left to stream.
func (c *Cloud) distort(q *request, a answer) answer {
	d := q.ep.api.dialect
	switch q.fault.Answer {
	case TruncatedGzip:
		a.cut = true
	case WrongType, Nulls, UnknownStatus, RepeatToken:
		a.value, a.raw = nil, q.respell(a.bytes())
	case EmptyObject:
		return ok(object{})
	case Empty:
		return answer{status: http.StatusOK}
	case OKWithError:
		return d.okWithError(q)
	case Found, Redirect:
		status := map[Answer]int{Found: http.StatusFound, Redirect: http.StatusTemporaryRedirect}[q.fault.Answer]
		return answer{status: status, header: map[string]string{"Location": q.ep.door.url() + q.http.URL.RequestURI()}}
	case BadGateway:
		return answer{
			status: http.StatusBadGateway, raw: []byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"),
			header: map[string]string{"Content-Type": "text/html"},
		}
	case Unavailable:
		return answer{status: http.StatusServiceUnavailable}
	case InternalError:
		return d.internal(q)
	case NumericCode:
		return d.numericCode(q)
	case Throttled:
		return d.throttled(q)
	case Skewed:
		return d.skewed(q)
	default: // Honest, Stale, and what stream plays
	}
	return a
}

// respell changes one item of the true answer, or its token.
func (q *request) respell(body []byte) []byte {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&doc) != nil {
		return body // nothing to respell in an empty body
	}
	if q.fault.Answer == RepeatToken {
		if _, has := doc["NextToken"]; has {
			doc["NextToken"] = ebsToken(0)
		}
	} else if item := q.itemOf(doc); item != nil {
		spoil(item, q.fault.Answer)
	}
	return answer{value: doc}.bytes()
}

// itemOf finds the item to spoil: the fault's group in a list, else the first,
// or the one object of a detail.
func (q *request) itemOf(doc map[string]any) map[string]any {
	list, isList := doc[q.route.lists].([]any)
	if !isList {
		for _, v := range doc {
			if item, is := v.(map[string]any); is {
				return item
			}
		}
		return doc
	}
	for _, v := range list {
		item, is := v.(map[string]any)
		if is && (q.fault.Group == "" || mentions(item, q.fault.Group)) {
			return item
		}
	}
	return nil
}

// mentions tells whether the item is the group, or a part of it.
func mentions(item map[string]any, group string) bool {
	for _, key := range []string{"id", "server_group_id", "replication_consistency_group_id", "ReplicaGroupId"} {
		if item[key] == group {
			return true
		}
	}
	return false
}

func spoil(item map[string]any, how Answer) {
	switch how {
	case WrongType:
		wrongType(item)
	case Nulls:
		for k := range item {
			if l := strings.ToLower(k); l != "id" && l != "replicagroupid" && l != "replicapairid" {
				item[k] = nil
			}
		}
	case UnknownStatus:
		for _, k := range []string{"status", "Status"} {
			if _, has := item[k]; has {
				item[k] = "contemplating"
			}
		}
	default: // no other spoils an item
	}
}

// wrongType gives a field a type that real clouds were seen or feared to use.
func wrongType(item map[string]any) {
	for _, f := range []struct {
		key   string
		value any
	}{
		{"fault_level", 0}, {"progress", "10"}, {"PairIds", "pair-1,pair-2"}, {"RPO", object{"seconds": 900}}, {"name", 42}, {"status", 1},
	} {
		if _, has := item[f.key]; has {
			item[f.key] = f.value
			return
		}
	}
}

// streams tells whether the answer is more than a body: it plays with the
// connection or with time.
func (a Answer) streams() bool {
	return slices.Contains([]Answer{Cut, Hang, Drip, Endless, Huge}, a)
}

// hugeBody is the size of a Huge answer in bytes.
const hugeBody = 64 << 20

func (c *Cloud) stream(w http.ResponseWriter, q *request, a answer) {
	switch q.fault.Answer {
	case Cut:
		cut(w)
	case Hang:
		select {
		case <-q.quit:
		case <-q.http.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Drip:
		c.drip(w, q, a)
	case Endless, Huge:
		c.flood(w, q)
	default: // no other streams
	}
}

func (c *Cloud) drip(w http.ResponseWriter, q *request, a answer) {
	pause := q.fault.After
	if pause == 0 {
		pause = time.Second
	}
	body := a.bytes()
	c.stamp(w.Header(), q)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		if flush.Flush() != nil || q.http.Context().Err() != nil {
			return
		}
		q.wait(pause)
	}
}

// flood writes JSON that starts well and is very long, or never ends.
func (c *Cloud) flood(w http.ResponseWriter, q *request) {
	c.stamp(w.Header(), q)
	w.Header().Set("Content-Type", "application/json")
	chunk := []byte(strings.Repeat(" ", 64<<10))
	if _, err := w.Write([]byte("{")); err != nil {
		return
	}
	for sent := 0; q.fault.Answer == Endless || sent < hugeBody; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil || q.http.Context().Err() != nil {
			return
		}
	}
	_, _ = w.Write([]byte("}")) // the client has all it wants
}
