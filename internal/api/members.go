package api

// Members is GET members: who makes up the coordination store.
type Members struct {
	Members []Member `json:"members"`
	// Agreed: a majority says so now; else it is what this observer knew last.
	Agreed bool `json:"agreed"`
	// Notes are where the configuration of this observer says otherwise.
	Notes []string `json:"notes"`
}

// Member is one member of the coordination store, an observer's.
type Member struct {
	Name    string `json:"name"`
	Site    string `json:"site"`     // "" while the observer is not alive
	PeerURL string `json:"peer_url"` // "" of a lone observer, which has no peers
	Started bool   `json:"started"`  // it has begun at least once
	Leads   bool   `json:"leads"`    // of the store, which says nothing about who leads failovers
	Self    bool   `json:"self"`
	Alive   bool   `json:"alive"` // the observer holds a lease
	Version string `json:"version,omitempty"`
}
