package replication

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// MarshalJSON writes seconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).Seconds())
}

// UnmarshalJSON reads seconds, to the nearest nanosecond. More than a duration can
// hold is an error: it would turn into its opposite.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s float64
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s: want a number of seconds: %w", b, err)
	}
	ns := math.Round(s * float64(time.Second))
	if math.Abs(ns) >= math.MaxInt64 {
		return fmt.Errorf("duration %s: want a number of seconds that a duration can hold", b)
	}
	*d = Duration(ns)
	return nil
}
