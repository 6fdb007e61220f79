package cloudsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Options is how a Cloud is built. Only Now is required.
type Options struct {
	// Now is the clock that states, jobs, lag and signatures live on. Waiting
	// that a client can feel (Latency, a fault's delays) is in real time.
	Now func() time.Time
	// Seed fixes all generated ids.
	Seed uint64

	Endpoints       []Endpoint         // default: DefaultEndpoints
	Sites           []replication.Site // default: DemoSites
	HealthAddresses map[string]string  // of the sites' health listeners; default 127.0.0.1:0
	ControlAddress  string             // of the control API; "" = none

	Credentials []Credential // default: one long-lived key, AccessKey and SecretKey
	ProjectID   string       // default: ProjectID
	// AssumedLife is how long the keys of an assumed role live; default: what was
	// asked for.
	AssumedLife time.Duration

	Transition time.Duration // what every operation of a provider takes; default 5s
	Latency    time.Duration // added to every request, real time

	// The vendors leave these open; each can be had both ways.
	SDRSCountsPage   bool   // count is the size of the page instead of the total
	DWSAfterFailover string // status after an exception switchover; default "abnormal"
	DWSSwapsIDs      bool   // a role swap exchanges the cluster ids instead of the role strings
}

// Cloud is the simulated clouds. It is safe for concurrent use.
type Cloud struct {
	o Options

	endpoints map[string]*endpoint
	health    map[string]*door // by site
	control   *door

	mu       sync.Mutex // guards everything below
	creds    map[string]Credential
	issued   map[string]Credential // of assumed roles
	issues   int
	ids      *rand.Rand // of what is seeded
	requests *rand.Rand // of what arises while running
	timeline timeline
	groups   map[string]*group
	order    []*group
	shelves  map[shelfKey]*shelf
	jobs     map[string]*job
	failures []*job
	nonces   nonceBook
	tokens   map[string]tokenEntry
	faults   []*activeFault
	faultSeq int
	stuck    map[*operation]string // to the id of the fault that holds it
	lost     map[string]bool
	log      effectLog
}

// New builds a Cloud that listens nowhere yet; seed it and call Start.
func New(o Options) (*Cloud, error) {
	if o.Now == nil {
		return nil, errors.New("simulated clouds: Options.Now is not set, give them a clock")
	}
	o = o.withDefaults()
	c := &Cloud{
		o:         o,
		creds:     make(map[string]Credential),
		issued:    make(map[string]Credential),
		endpoints: make(map[string]*endpoint),
		health:    make(map[string]*door),
		ids:       rand.New(rand.NewPCG(o.Seed, 1)),
		requests:  rand.New(rand.NewPCG(o.Seed, 2)),
		groups:    make(map[string]*group),
		shelves:   make(map[shelfKey]*shelf),
		jobs:      make(map[string]*job),
		nonces:    nonceBook{seen: make(map[string]struct{})},
		tokens:    make(map[string]tokenEntry),
		stuck:     make(map[*operation]string),
		lost:      make(map[string]bool),
		log:       newEffectLog(),
	}
	for _, k := range o.Credentials {
		c.creds[k.AccessKey] = k
	}
	if err := c.addEndpoints(); err != nil {
		return nil, err
	}
	for _, s := range o.Sites {
		c.health[s.Name] = newDoor(addressOr(o.HealthAddresses[s.Name]), serveHealth)
	}
	if o.ControlAddress != "" {
		h := c.Control()
		c.control = newDoor(o.ControlAddress, adapt(h))
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Endpoints == nil {
		o.Endpoints = DefaultEndpoints()
	}
	if o.Sites == nil {
		o.Sites = DemoSites()
	}
	if o.Credentials == nil {
		o.Credentials = []Credential{{AccessKey: AccessKey, SecretKey: SecretKey}}
	}
	if o.ProjectID == "" {
		o.ProjectID = ProjectID
	}
	if o.Transition == 0 {
		o.Transition = 5 * time.Second
	}
	if o.DWSAfterFailover == "" {
		o.DWSAfterFailover = "abnormal"
	}
	return o
}

// Start opens all listeners. On an error everything is closed again.
func (c *Cloud) Start() error {
	for _, d := range c.doors() {
		if err := d.open(); err != nil {
			c.Close()
			return err
		}
	}
	return nil
}

// Close shuts all listeners and returns when the last request has ended.
func (c *Cloud) Close() {
	for _, d := range c.doors() {
		d.shut()
	}
}

func (c *Cloud) doors() []*door {
	var all []*door
	for _, e := range c.o.Endpoints {
		all = append(all, c.endpoints[e.Name].door)
	}
	for _, s := range c.o.Sites {
		all = append(all, c.health[s.Name])
	}
	if c.control != nil {
		all = append(all, c.control)
	}
	return all
}

// URL is the base URL of an endpoint, "" when there is none of that name.
func (c *Cloud) URL(endpoint string) string {
	if e := c.endpoints[endpoint]; e != nil {
		return e.door.url()
	}
	return ""
}

// HealthURL is what a probe of the site asks, "" when there is no such site.
func (c *Cloud) HealthURL(site string) string {
	if d := c.health[site]; d != nil {
		return d.url() + "/health"
	}
	return ""
}

// ControlURL is the base URL of the control API, "" when Options named none.
func (c *Cloud) ControlURL() string {
	if c.control == nil {
		return ""
	}
	return c.control.url()
}

// enter locks the state and brings it up to the present.
func (c *Cloud) enter() time.Time {
	c.mu.Lock()
	now := c.o.Now()
	c.timeline.run(now)
	return now
}

func (c *Cloud) find(id string) (*group, error) {
	if g := c.groups[id]; g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("simulated clouds: no group %q", id)
}
