package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/archive"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
)

// FuzzArchive: whatever lies in the file, it can be looked at and is not changed by
// that; what is archived next is whole and found.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(""), uint32(0))
	f.Add([]byte("{\"begin\":{\"seq\":1}}\n"), uint32(0))
	f.Add([]byte("{\"anchor\":{\"seq\":1,\"chain\":\"i9\",\"from\":1,\"to\":2},\"entries\":2}\n{}\n"), uint32(0))
	f.Add([]byte("{\"anchor\":{\"seq\":1,\"chain\":\"i9\",\"incident\":{\"id\":\"i9\"}},\"entries\":-1}\n{\"anchor\":"), uint32(0))
	f.Add([]byte("{\"anchor\":{\"seq\":9223372036854775807,\"chain\":\"i9\",\"from\":1,\"to\":9223372036854775807},\"entries\":9223372036854775807}\n"), uint32(0))
	f.Add([]byte(""), uint32(300<<10))
	f.Fuzz(func(t *testing.T, raw []byte, more uint32) {
		raw = append(raw, bytes.Repeat([]byte("x"), int(more%(512<<10)))...) // a line too long to be one
		dir := t.TempDir()
		file := filepath.Join(dir, "journal-000001.jsonl")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := archive.Verify(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			if !strings.HasPrefix(p, "journal-000001.jsonl:") && !strings.HasPrefix(p, "and ") {
				t.Errorf("a problem without its place: %s", p)
			}
		}
		a := archive.New(dir)
		last, err := a.Last()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(raw, again) {
			t.Fatalf("opening it changed it (%v)", err)
		}
		if err := a.Begin("a test", now(), pieceOf(t, last.Seq+1, last.Hash, "new one", 1)); err != nil {
			t.Fatal(err)
		}
		if inc, entries, err := a.Incident("new one"); err != nil || ledger.VerifyHead(inc, entries) != nil {
			t.Errorf("what was archived last is not found (%v)", err)
		}
		if list, err := a.Incidents(1); err != nil || len(list) != 1 || list[0].ID != "new one" {
			t.Errorf("listed %v (%v)", list, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzTampering: a real archive in which bytes were cut out and others put in is found
// to be altered, unless whole records are gone from its end; and no journal that passes
// for whole tells something else than it did.
func FuzzTampering(f *testing.F) {
	f.Add(uint16(0), uint16(0), []byte("{}\n"))
	f.Add(uint16(20), uint16(1), []byte("2"))
	f.Add(uint16(300), uint16(0), []byte(" "))
	f.Add(uint16(0), uint16(65535), []byte(""))
	f.Add(uint16(700), uint16(400), []byte("\n"))
	var dir string
	var lines []string
	f.Fuzz(func(t *testing.T, at, gone uint16, put []byte) {
		if lines == nil {
			dir, lines = sample(t)
		}
		whole := strings.Join(lines, "")
		from := int(at) % (len(whole) + 1)
		to := min(len(whole), from+int(gone))
		text := whole[:from] + string(put) + whole[to:]
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal-000001.jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := archive.Verify(dir)
		if err != nil {
			t.Fatal(err)
		}
		if honest := text == whole || cutAtRecord(lines, text); honest != (len(r.Problems) == 0) {
			t.Errorf("bytes %d to %d replaced by %q: problems %q", from, to, put, r.Problems)
		}
		for _, id := range []string{"i1", "i2"} {
			inc, entries, err := archive.Incident(dir, id)
			if err != nil || ledger.VerifyHead(inc, entries) != nil {
				continue
			}
			var was []string
			for _, l := range lines {
				if strings.HasPrefix(l, `{"incident":"`+id+`"`) {
					was = append(was, l)
				}
			}
			if len(entries) > len(was) {
				t.Fatalf("%d entries of %s, there were %d", len(entries), id, len(was))
			}
			for i, e := range entries {
				if !strings.Contains(was[i], `"hash":"`+e.Hash+`"`) {
					t.Errorf("entry %d of %s passes for whole and is another: %s", i+1, id, cmp.Diff(was[i], e))
				}
			}
		}
	})
}

// cutAtRecord tells whether a text is some of the records, from the first on.
func cutAtRecord(lines []string, text string) bool {
	for n, l := range lines {
		if strings.HasPrefix(l, `{"anchor":`) && text == strings.Join(lines[:n], "") {
			return true
		}
	}
	return text == ""
}
