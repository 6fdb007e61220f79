package archive_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/replication"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is an archive of three records: incident i1 with three entries, a
// person's entry, incident i2 with two.
func sample(t *testing.T) (dir string, lines []string) {
	t.Helper()
	o := alone(t)
	o.incident("i1", 3)
	o.ok(o.pass())
	o.ok(o.Freeze(t.Context(), "alice", "maintenance"))
	o.ok(o.pass())
	o.incident0("i2")
	o.ok(o.pass())
	lines = strings.SplitAfter(string(o.bytes()), "\n")
	return o.dir, lines[:len(lines)-1]
}

// incident0 is an incident while frozen.
func (o *observer) incident0(id string) {
	o.ok(o.Unfreeze(o.Context(), "alice", "over"))
	o.incident(id, 2)
}

// altered checks an archive with other lines.
func altered(t *testing.T, dir string, lines []string) archive.Report {
	t.Helper()
	file := filepath.Join(dir, "journal-000001.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every third byte of every line, each another third: all that differs in kind is
// among them.
func TestAnAlteredByteShows(t *testing.T) {
	dir, lines := sample(t)
	if r := altered(t, dir, lines); len(r.Problems) > 0 {
		t.Fatal(r.Problems)
	}
	for n, line := range lines {
		for i := n % 3; i < len(line)-1; i += 3 {
			other := []byte(line)
			other[i] ^= 1
			with := slices.Clone(lines)
			with[n] = string(other)
			r := altered(t, dir, with)
			if where := fmt.Sprintf("journal-000001.jsonl:%d: ", n+1); len(r.Problems) == 0 || !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.HasPrefix(p, where) }) {
				t.Fatalf("line %d with byte %d altered: %q", n+1, i, r.Problems)
			}
		}
	}
}

func TestAMissingLineShows(t *testing.T) {
	dir, lines := sample(t)
	for n := range lines {
		r := altered(t, dir, slices.Delete(slices.Clone(lines), n, n+1))
		if len(r.Problems) == 0 {
			t.Errorf("without line %d nothing is found", n+1)
		}
	}
	for n := range lines[1:] {
		with := slices.Clone(lines)
		with[n], with[n+1] = with[n+1], with[n]
		if r := altered(t, dir, with); len(r.Problems) == 0 {
			t.Errorf("with lines %d and %d swapped nothing is found", n+1, n+2)
		}
	}
}

// A record rewritten with its hashes is found by the one after it.
func TestARewrittenRecordShows(t *testing.T) {
	rows := []struct {
		name   string
		change func(lines []string) []string
	}{
		{"an altered entry", func(l []string) []string { l[3] = strings.Replace(l[3], "entry 2", "entry X", 1); return l }},
		{"an entry taken out", func(l []string) []string { return slices.Delete(l, 3, 4) }},
		{"a record taken out", func(l []string) []string { return slices.Delete(l, 5, 7) }},
		{"the beginning taken out", func(l []string) []string { return l[1:] }},
		{"the end taken out", func(l []string) []string { return l[:len(l)-1] }},
		{"torn", func(l []string) []string { l[len(l)-1] = l[len(l)-1][:20]; return l }},
		{"a line put in", func(l []string) []string { return slices.Insert(l, 4, "{}\n") }},
		{"a record rewritten with its hash", func(l []string) []string { l[1] = forged(t, l[1]); return l }},
		{"the first line of a record altered", func(l []string) []string { l[1] = strings.Replace(l[1], "aborted", "succeed", 1); return l }},
	}
	var out bytes.Buffer
	for _, row := range rows {
		dir, lines := sample(t)
		r := altered(t, dir, row.change(lines))
		fmt.Fprintf(&out, "%s\n", row.name)
		for _, p := range r.Problems {
			fmt.Fprintf(&out, "\t%s\n", p)
		}
	}
	golden(t, "verify.txt", out.Bytes())
}

// forged is the first line of a record with another time, and the hash for it.
func forged(t *testing.T, line string) string {
	t.Helper()
	var h struct {
		Anchor  replication.Anchor `json:"anchor"`
		Entries int                `json:"entries"`
	}
	if err := json.Unmarshal([]byte(line), &h); err != nil {
		t.Fatal(err)
	}
	h.Anchor.At = h.Anchor.At.Add(time.Hour)
	var err error
	if h.Anchor.Hash, err = ledger.HashAnchor(h.Anchor); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// pieceOf is a piece that follows prev, as large as the store allows.
func pieceOf(t *testing.T, seq int64, prev, id string, entries int) replication.Piece {
	t.Helper()
	p := replication.Piece{Anchor: replication.Anchor{Seq: seq, Chain: id, From: 1, To: entries, At: now(), Prev: prev}}
	for i := range entries {
		e, err := ledger.Chain(id, i, p.Anchor.Head, replication.Entry{At: now(), Event: "note", Data: map[string]any{"body": strings.Repeat("x", 10<<10)}})
		if err != nil {
			t.Fatal(err)
		}
		p.Entries, p.Anchor.Head = append(p.Entries, e), e.Hash
	}
	p.Anchor.Incident = fmt.Appendf(nil, `{"id":%q,"phase":"aborted","journal_head":%q,"journal_length":%d}`, id, p.Anchor.Head, entries)
	var err error
	if p.Anchor.Hash, err = ledger.HashAnchor(p.Anchor); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFilesFollowEachOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	a := archive.New(dir)
	prev := ""
	for i := range int64(6) {
		p := pieceOf(t, i+1, prev, fmt.Sprint("i", i), 200)
		var err error
		if i == 0 {
			err = a.Begin("the first record", now(), p)
		} else {
			err = a.Append(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		prev = p.Anchor.Hash
	}
	if err := a.Append(pieceOf(t, 9, prev, "i9", 1)); err == nil {
		t.Error("a record that does not follow was taken")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Verify(dir)
	if err != nil || len(r.Problems) > 0 || r.Files != 3 || r.Records != 6 {
		t.Fatalf("%+v (%v), want 6 records in 3 files", r, err)
	}
	again := archive.New(dir)
	if last, err := again.Last(); err != nil || last.Seq != 6 {
		t.Errorf("the next life finds record %d (%v)", last.Seq, err)
	}
	if list, err := again.Incidents(4); err != nil || len(list) != 4 || list[0].ID != "i5" || list[3].ID != "i2" {
		t.Errorf("listed %d (%v)", len(list), err)
	}
	if inc, entries, err := again.Incident("i1"); err != nil || ledger.VerifyHead(inc, entries) != nil {
		t.Errorf("the incident of an earlier file: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2} {
		name := fmt.Sprintf("journal-%06d.jsonl", n)
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		r, err := archive.Verify(dir)
		if err != nil || len(r.Problems) == 0 || r.Problems[0] != name+": the file is missing" {
			t.Errorf("without %s: %q (%v)", name, r.Problems, err)
		}
		if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnArchiveThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	r, err := archive.Verify(dir)
	if err != nil || r.Files != 0 {
		t.Errorf("%+v (%v)", r, err)
	}
	if list, err := archive.New(dir).Incidents(5); err != nil || len(list) != 0 {
		t.Errorf("%v (%v)", list, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking made the folder")
	}
}
