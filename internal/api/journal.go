package api

// JournalCheck is GET journal/check: whether every journal is as it was written.
type JournalCheck struct {
	OK      bool  `json:"ok"`
	Files   int   `json:"files"` // of this observer's archive
	Records int   `json:"records"`
	Entries int   `json:"entries"`
	Last    int64 `json:"last_record"` // the newest; 0: none
	// Stored are the incidents that are still in the coordination store.
	Stored        int      `json:"stored_incidents"`
	StoredEntries int      `json:"stored_entries"`
	Notes         []string `json:"notes"`    // what is no fault
	Problems      []string `json:"problems"` // what was altered or is missing, with its place
}
