package replication

import (
	"encoding/json"
	"fmt"
	"time"
)

// MarshalJSON writes seconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).Seconds())
}

// UnmarshalJSON reads seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s float64
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s: want a number of seconds: %w", b, err)
	}
	*d = Duration(s * float64(time.Second))
	return nil
}
