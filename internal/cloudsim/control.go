package cloudsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Control is the HTTP API that a person steers the simulation with:
//
//	GET    /sim/state                  sites, endpoints, groups, faults
//	GET    /sim/effects                what was asked and what happened
//	POST   /sim/sites/{name}/lose      body: {"hang": bool, "api": bool}, may be empty
//	POST   /sim/sites/{name}/restore
//	POST   /sim/faults                 body: a fault; durations as "1m30s"
//	DELETE /sim/faults[?id=fault-1]    one, or all
//
// GET / lists them. It answers only requests that name a loopback host, so that a web page
// elsewhere cannot reach it through a browser.
func (c *Cloud) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, controlHelp) })
	mux.HandleFunc("GET /sim/state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, c.controlState()) })
	mux.HandleFunc("GET /sim/effects", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, c.controlEffects()) })
	mux.HandleFunc("POST /sim/sites/{name}/lose", func(w http.ResponseWriter, r *http.Request) {
		var how Loss
		if err := readJSON(r, &how); err != nil {
			writeError(w, err)
			return
		}
		writeDone(w, c.LoseSite(r.PathValue("name"), how))
	})
	mux.HandleFunc("POST /sim/sites/{name}/restore", func(w http.ResponseWriter, r *http.Request) {
		writeDone(w, c.RestoreSite(r.PathValue("name")))
	})
	mux.HandleFunc("POST /sim/faults", c.controlAddFault)
	mux.HandleFunc("DELETE /sim/faults", func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("id"); id != "" {
			c.ClearFault(id)
		} else {
			c.ClearFaults()
		}
		writeDone(w, nil)
	})
	return onlyLoopback(mux)
}

// controlHelp is what a person sees who comes without knowing the calls.
const controlHelp = `The simulated clouds of drwatch. docs/simulator.md tells more.

GET    /sim/state                 sites, endpoints, groups, faults
GET    /sim/effects               what was asked and what happened
POST   /sim/sites/NAME/lose       {"hang": false, "api": false}, or no body
POST   /sim/sites/NAME/restore
POST   /sim/faults                {"endpoint": "sdrs", "operation": "failover", "count": 1, "answer": "cut"}
DELETE /sim/faults[?id=fault-1]   one, or all
`

func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			writeJSON(w, http.StatusForbidden, object{"error": "ask this API by a loopback address"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

type siteState struct {
	Name      string                 `json:"name"`
	Up        bool                   `json:"up"`
	HealthURL string                 `json:"health_url"`
	Locations []replication.Location `json:"locations"`
}

type endpointState struct {
	Name     string               `json:"name"`
	Provider replication.Provider `json:"provider"`
	Region   string               `json:"region"`
	URL      string               `json:"url"`
	Up       bool                 `json:"up"`
}

type controlState struct {
	Now       time.Time       `json:"now"`
	Sites     []siteState     `json:"sites"`
	Endpoints []endpointState `json:"endpoints"`
	Groups    []GroupState    `json:"groups"`
	Faults    []faultJSON     `json:"faults"`
}

func (c *Cloud) controlState() controlState {
	s := controlState{Now: c.o.Now().UTC(), Groups: c.Groups(), Faults: []faultJSON{}}
	for _, x := range c.o.Sites {
		s.Sites = append(s.Sites, siteState{Name: x.Name, Up: c.SiteUp(x.Name), HealthURL: c.HealthURL(x.Name), Locations: x.Locations})
	}
	for _, e := range c.o.Endpoints {
		ep := c.endpoints[e.Name]
		s.Endpoints = append(s.Endpoints, endpointState{Name: e.Name, Provider: e.Provider, Region: e.Region, URL: ep.door.url(), Up: ep.door.isOpen()})
	}
	for _, f := range c.Faults() {
		s.Faults = append(s.Faults, faultToJSON(f))
	}
	return s
}

type effectJSON struct {
	Seq         int                   `json:"seq"`
	At          time.Time             `json:"at"`
	Kind        Kind                  `json:"kind"`
	Provider    replication.Provider  `json:"provider"`
	Endpoint    string                `json:"endpoint,omitempty"`
	Group       string                `json:"group"`
	Operation   string                `json:"operation"`
	Action      string                `json:"action"`
	RequestID   string                `json:"request_id"`
	ClientToken string                `json:"client_token,omitempty"`
	Verdict     Verdict               `json:"verdict,omitempty"`
	Status      int                   `json:"status,omitempty"`
	From        *replication.Location `json:"from,omitempty"`
	To          *replication.Location `json:"to,omitempty"`
}

func (c *Cloud) controlEffects() []effectJSON {
	out := []effectJSON{}
	for _, e := range c.Effects() {
		j := effectJSON{
			Seq: e.Seq, At: e.At.UTC(), Kind: e.Kind, Provider: e.Provider, Endpoint: e.Endpoint, Group: e.Group, Operation: e.Operation,
			Action: e.Action, RequestID: e.RequestID, ClientToken: e.ClientToken, Verdict: e.Verdict, Status: e.Status,
		}
		if e.Kind == Changed {
			j.From, j.To = &e.From, &e.To
		}
		out = append(out, j)
	}
	return out
}

// faultJSON is a Fault with durations as text.
type faultJSON struct {
	ID        string   `json:"id,omitempty"`
	Endpoint  string   `json:"endpoint,omitempty"`
	Operation string   `json:"operation,omitempty"`
	Group     string   `json:"group,omitempty"`
	Count     int      `json:"count,omitempty"`
	Before    duration `json:"before,omitempty"`
	After     duration `json:"after,omitempty"`
	Late      duration `json:"late,omitempty"`
	Answer    Answer   `json:"answer,omitempty"`
	Applied   string   `json:"applied,omitempty"`
	Fate      Fate     `json:"fate,omitempty"`
}

func faultToJSON(f Fault) faultJSON {
	return faultJSON{
		ID: f.ID, Endpoint: f.Endpoint, Operation: f.Operation, Group: f.Group, Count: f.Count, Before: duration(f.Before),
		After: duration(f.After), Late: duration(f.Late), Answer: f.Answer, Applied: f.Applied, Fate: f.Fate,
	}
}

// duration is written as Go writes durations.
type duration time.Duration

// MarshalText writes "1m30s".
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

func (c *Cloud) controlAddFault(w http.ResponseWriter, r *http.Request) {
	var f faultJSON
	if err := readJSON(r, &f); err != nil {
		writeError(w, err)
		return
	}
	if f.Before == 0 && f.After == 0 && f.Late == 0 && f.Answer == Honest && f.Applied == "" && f.Fate == Succeeds {
		writeError(w, errors.New("simulated clouds: this fault changes nothing: give it an answer, before, after, late, applied or fate"))
		return
	}
	id, err := c.AddFault(Fault{
		Endpoint: f.Endpoint, Operation: f.Operation, Group: f.Group, Count: f.Count, Before: time.Duration(f.Before),
		After: time.Duration(f.After), Late: time.Duration(f.Late), Answer: f.Answer, Applied: f.Applied, Fate: f.Fate,
	})
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, object{"id": id})
}

// readJSON reads one object strictly; an empty body leaves the value as it is.
func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("simulated clouds: the body: %w", err)
	}
	return nil
}

func writeDone(w http.ResponseWriter, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, object{"status": "ok"})
}

func writeError(w http.ResponseWriter, err error) {
	writeJSON(w, http.StatusBadRequest, object{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(answer{value: v}.bytes(), '\n')) // a client that has gone needs no answer
}
