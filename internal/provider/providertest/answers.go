package providertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// Answers is a cloud that says what it is told to and remembers nothing, so that it
// can be asked millions of times. Safe for concurrent use.
type Answers struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string]string // by path
}

// Serve starts one that ends with the test.
func Serve(tb testing.TB) *Answers {
	a := &Answers{bodies: map[string]string{}}
	a.Server = httptest.NewServer(a)
	tb.Cleanup(a.Close)
	return a
}

// Say sets what is answered to a path. A body that begins with a status and a space
// is answered with that status.
func (a *Answers) Say(path, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies[path] = body
}

// SayStatus is Say with a status.
func (a *Answers) SayStatus(path string, status int, body string) {
	a.Say(path, strconv.Itoa(status)+" "+body)
}

// ServeHTTP answers; a path of which nothing was said is not found.
func (a *Answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	body, known := a.bodies[r.URL.Path]
	a.mu.Unlock()
	status := http.StatusOK
	if !known {
		status, body = http.StatusNotFound, `{"error_code":"APIGW.0101","error_msg":"no such path"}`
	}
	if code, rest, found := strings.Cut(body, " "); found && len(code) == 3 {
		if n, err := strconv.Atoi(code); err == nil && n >= 200 && n < 600 {
			status, body = n, rest
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// Item is one object of a list, read by the standard library alone.
type Item map[string]json.RawMessage

// Items are the elements of a list in an answer; nil stands for one that is no
// object. ok is false when there is no such list.
func Items(body, field string) (items []Item, ok bool) {
	var answer map[string]json.RawMessage
	var raws []json.RawMessage
	if json.Unmarshal([]byte(body), &answer) != nil || json.Unmarshal(answer[field], &raws) != nil || raws == nil {
		return nil, false
	}
	for _, raw := range raws {
		var it Item
		if json.Unmarshal(raw, &it) != nil {
			it = nil
		}
		items = append(items, it)
	}
	return items, true
}

// Word is a field as text: a text without the space around it, or a number. readable
// is false when it is something else.
func (it Item) Word(field string) (word string, readable bool) {
	raw := it[field]
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	if json.Unmarshal(raw, &word) == nil {
		if word = strings.TrimSpace(word); word == "null" {
			word = ""
		}
		return word, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), true
	}
	return "", false
}

// Text is a field that is a text, as it stands; absent and null are "". readable is
// false when it is something else.
func (it Item) Text(field string) (text string, readable bool) {
	raw := it[field]
	if len(raw) == 0 {
		return "", true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

// Object is an object below this one, also when it is written as text.
func (it Item) Object(field string) (child Item, ok bool) {
	raw := it[field]
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	return child, json.Unmarshal(raw, &child) == nil && child != nil
}

// Has tells whether some field is this text: which one, encoding/json does not say,
// since it takes a name for the same in other letters' cases.
func (it Item) Has(text string) bool {
	for field := range it {
		if it.Is(field, text) {
			return true
		}
	}
	return false
}

// Is tells whether a field can be read and is one of the words.
func (it Item) Is(field string, words ...string) bool {
	word, readable := it.Word(field)
	return readable && slices.Contains(words, word)
}

// Planted stands in an input where the provider repeats what it was asked with: the
// token of Plant.
const Planted = "SECRET"

// Token is a security token as long as those that clouds give out.
func Token() string {
	var b strings.Builder
	for i := range 40 {
		b.WriteString(strconv.Itoa(i*i*i) + "+example/")
	}
	return b.String()
}

// Keys are the keys that the token belongs to.
func Keys() (provider.Credentials, error) {
	return provider.Credentials{AccessKey: "EXAMPLEAK0000000000A", SecretKey: "example-secret-key", SecurityToken: Token()}, nil
}

// Plant puts the token into an answer.
func Plant(body string) string { return strings.ReplaceAll(body, Planted, Token()) }

// Silent demands that an error holds none of the secrets nor a piece of one, and is
// a line that somebody can read.
func Silent(tb testing.TB, err error, secrets ...string) {
	tb.Helper()
	if err == nil {
		return
	}
	for _, s := range secrets {
		if shows(err.Error(), s) {
			tb.Errorf("a secret, or the beginning of one, in the error: %s", err)
		}
	}
	if text := err.Error(); len(text) > 4000 || strings.ContainsAny(text, "\n\r\x00\x1b") {
		tb.Errorf("not a line for a person: %d bytes, %q", len(text), text[:min(len(text), 200)])
	}
}

// Result demands what holds of every call that was sent and answered with a status:
// it is accepted only when there is nothing to say against it, and refused only by
// an answer that refuses.
func Result(tb testing.TB, status int, r provider.Result) {
	tb.Helper()
	Silent(tb, r.Err, Token())
	if shows(r.RequestID, Token()) {
		tb.Errorf("a secret for a request id: %q", r.RequestID)
	}
	switch {
	case r.Outcome == replication.NotSent || r.Outcome == replication.OutcomeNone:
		tb.Errorf("answered %d: %s, but it was sent", status, r.Outcome)
	case (r.Outcome == replication.Accepted) != (r.Err == nil):
		tb.Errorf("answered %d: %s with the error %v", status, r.Outcome, r.Err)
	case r.Outcome == replication.Accepted && status/100 != 2:
		tb.Errorf("answered %d: accepted", status)
	case (r.Outcome == replication.Rejected || r.Outcome == replication.Throttled) && status/100 != 4:
		tb.Errorf("answered %d: %s", status, r.Outcome)
	case r.Outcome != replication.Accepted && r.JobID != "":
		tb.Errorf("answered %d: %s, and there is a job %q", status, r.Outcome, r.JobID)
	}
}

// shows tells whether a text has a secret, or so much of one that it was cut after
// it got into the text.
func shows(text, secret string) bool {
	const piece = 16
	for i := 0; i == 0 || i+piece <= len(secret); i++ {
		if strings.Contains(text, secret[i:min(i+piece, len(secret))]) {
			return true
		}
	}
	return false
}

// Soon fails the test when what follows takes longer than any answer of this size may
// take on the slowest machine. What it returns is to be called at the end.
func Soon(tb testing.TB, now func() time.Time) (ended func()) {
	began := now()
	return func() {
		tb.Helper()
		if took := now().Sub(began); took > 20*time.Second {
			tb.Errorf("it took %s", took)
		}
	}
}
