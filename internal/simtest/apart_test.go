package simtest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Stories are played apart: this test's own program, once for each core. What runs
// in one bubble of virtual time runs on one core at a time, and a second one that is
// woken for nothing makes it slower.

var share = flag.Bool("share", false, "play what is asked for on standard input; for the processes that this test starts")

const (
	shareSeeds = 20              // what a process is asked for at a time
	silentFor  = 2 * time.Minute // a process that ends no story for so long hangs
	deathsUpTo = 10              // so many processes may die before all is given up
)

// stretch is some seeds, one after the other.
type stretch struct{ First, Last uint64 }

// told is what a process tells of one seed: that it begins, and how it ended.
type told struct {
	Seed   uint64
	Ended  bool
	Failed string `json:",omitempty"`
}

// playShare is what such a process does: it plays each stretch that it reads, and
// tells on its third file.
func playShare(t *testing.T, planOf func(seed uint64) plan) {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.NewFile(3, "told"))
	for {
		var s stretch
		if err := in.Decode(&s); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for seed := s.First; seed <= s.Last; seed++ {
			_ = out.Encode(told{Seed: seed}) // nobody to tell: the next stretch does not come
			p := planOf(seed)
			failed := failure(t, p, play(t, p))
			_ = out.Encode(told{Seed: seed, Ended: true, Failed: failed})
			if failed != "" && *until {
				break
			}
		}
		_ = out.Encode(told{}) // the stretch has ended
	}
}

// troupe hands the seeds out, in their order, and collects what is told of them.
type troupe struct {
	t     *testing.T
	meter *meter

	mu       sync.Mutex
	next     uint64 // the first seed that was not handed out
	end      uint64 // the first that is not to be played
	deaths   int
	failures map[uint64]string
}

// playApart plays the stories in processes of their own. With -until it ends with
// the first seed that fails, by its number: what was handed out before is played.
func playApart(t *testing.T, n uint64, m *meter) {
	a := &troupe{t: t, meter: m, next: *first, end: *first + n, failures: map[uint64]string{}}
	var all sync.WaitGroup
	for range min(*workers, int(n)) {
		all.Go(a.work)
	}
	all.Wait()
	if !*until {
		return
	}
	earliest := a.end
	for seed := range a.failures {
		earliest = min(earliest, seed)
	}
	if text, ok := a.failures[earliest]; ok {
		t.Error(text)
	}
}

func (a *troupe) take() (stretch, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next >= a.end || a.deaths >= deathsUpTo || *until && len(a.failures) > 0 {
		return stretch{}, false
	}
	s := stretch{a.next, min(a.next+shareSeeds, a.end) - 1}
	a.next = s.Last + 1
	return s, true
}

func (a *troupe) failed(seed uint64, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures[seed] = text
	if !*until {
		a.t.Error(text)
	}
}

// died notes that the process that played the seed is gone, and tells whether the
// seeds behind it are to be played.
func (a *troupe) died(seed uint64, why string) bool {
	a.failed(seed, fmt.Sprintf("seed %d: the process that played it died: %s", seed, why))
	a.meter.played(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deaths++
	return a.deaths < deathsUpTo && !*until
}

// work plays stretches until none is left. When a process has died, another plays
// what that one was about to play, but for the seed at which it died.
func (a *troupe) work() {
	var p *player
	for s, ok := a.take(); ok; {
		if p == nil {
			var err error
			if p, err = begin(a.t.Name()); err != nil {
				a.t.Errorf("starting a process that plays stories: %v", err)
				return
			}
		}
		at, err := p.play(s, a)
		if err != nil {
			goesOn := a.died(at, fmt.Sprintf("%v: %s", err, p.end()))
			p = nil
			if s.First = at + 1; goesOn && s.First <= s.Last {
				continue
			}
		}
		s, ok = a.take()
	}
	if p != nil {
		_ = p.end()
	}
}

// player is one of the processes that play.
type player struct {
	cmd    *exec.Cmd
	ask    io.WriteCloser
	told   *os.File
	lines  *bufio.Reader
	errors bytes.Buffer
	output bytes.Buffer
}

// begin starts a process on one core, with the flags that this one was given.
func begin(test string) (*player, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-test.run=^" + test + "$", "-test.timeout=0", "-share"}
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") && f.Name != "seeds" && f.Name != "seed" && f.Name != "workers" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	p := &player{cmd: exec.Command(program, args...)}
	// Memory is cheaper than collecting what each story leaves behind.
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=1600", "GOMEMLIMIT=1GiB")
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.errors
	if p.ask, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	p.cmd.ExtraFiles = []*os.File{w}
	p.told, p.lines = r, bufio.NewReader(r)
	if err := p.cmd.Start(); err != nil {
		r.Close()
		return nil, err
	}
	return p, nil
}

// play has a stretch played. With an error the process is gone, or hangs, at that seed.
func (p *player) play(s stretch, a *troupe) (at uint64, err error) {
	at = s.First
	if err := json.NewEncoder(p.ask).Encode(s); err != nil {
		return at, err
	}
	for {
		_ = p.told.SetReadDeadline(time.Now().Add(silentFor)) // a pipe has deadlines
		line, err := p.lines.ReadBytes('\n')
		if err != nil {
			return at, err
		}
		var it told
		switch err := json.Unmarshal(line, &it); {
		case err != nil:
			return at, err
		case it.Seed == 0:
			return 0, nil
		case !it.Ended:
			at = it.Seed
			continue
		}
		a.meter.played(it.Failed != "")
		if it.Failed != "" {
			a.failed(it.Seed, it.Failed)
		}
	}
}

// end lets the process end, or makes it when it hangs, and gives what it has said.
func (p *player) end() string {
	_ = p.ask.Close()
	hangs := time.AfterFunc(10*time.Second, func() {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it prints where it hangs
	})
	defer hangs.Stop()
	err := p.cmd.Wait()
	_ = p.told.Close()
	return fmt.Sprintf("%v\n%s%s", err, p.output.String(), p.errors.String())
}
