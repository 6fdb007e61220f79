package console_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// A reason is somebody's free text: it must not make lines of a journal of its own.
func TestAReasonMakesNoLinesOfTheJournal(t *testing.T) {
	var b bytes.Buffer
	console.Entry(&b, replication.Entry{Seq: 1, At: time.Unix(0, 0), Observer: "o", Event: "claimed", Text: "mallory asks: x\n   2 00:00:00.000Z obs-w succeeded by alice\x1b[2K"})
	if n := strings.Count(b.String(), "\n"); n != 1 || strings.Contains(b.String(), "\x1b") {
		t.Errorf("%d lines: %q", n, b.String())
	}
}
