package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// trial is one test, with its arguments.
type trial struct {
	binary, dir string
	name, skip  string
	args        []string
	cost        time.Duration // of the CPU, without a mutant
	reached     map[int]bool  // the mutants that it comes by
}

func (t trial) String() string {
	return strings.Join(append([]string{filepath.Base(t.dir) + " " + t.name}, t.args...), " ")
}

// verdict is what became of a mutant.
type verdict string

const (
	killed      verdict = "killed"
	timedOut    verdict = "timed out"
	notCompiled verdict = "not compiled"
	survived    verdict = "survived"
	notReached  verdict = "not reached" // survived, and no test comes by
)

// runner runs tests on mutants.
type runner struct {
	root, work string
	under      time.Duration // tests that take longer are left out
	only       *regexp.Regexp
	trials     []*trial
	killers    map[string][]*trial // functions → the tests that killed there, the last first
	kills      map[*trial]int
	mu         sync.Mutex // guards killers and kills
}

// build writes the changed files and compiles every suite with them laid over.
func (r *runner) build(ctx context.Context, packs []*pack, places map[*source][]*place, count int, all []suite) error {
	replaced := map[string]string{}
	lay := func(path string, text []byte) error {
		to := filepath.Join(r.work, fmt.Sprintf("file%d.go", len(replaced)))
		replaced[path] = to
		return os.WriteFile(to, text, 0o600)
	}
	for _, p := range packs {
		s := newSchema(p)
		for _, src := range p.sources {
			if err := lay(filepath.Join(r.root, src.path), s.render(src, places[src])); err != nil {
				return err
			}
		}
		if err := lay(filepath.Join(p.dir, "mutant_switches.go"), s.switches(count)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return err
	}
	overlay := filepath.Join(r.work, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return err
	}
	for _, s := range all {
		binary := filepath.Join(r.work, strings.ReplaceAll(strings.TrimPrefix(s.pkg, "./"), "/", "-")+".test")
		trials, err := r.list(s, binary)
		if err != nil {
			return err
		}
		if len(trials) == 0 {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay="+overlay, "-o", binary, s.pkg)
		cmd.Dir = r.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("compiling the tests of %s with all mutants: %w\n%s", s.pkg, err, out)
		}
		r.trials = append(r.trials, trials...)
	}
	return nil
}

// list finds the tests of a suite.
func (r *runner) list(s suite, binary string) ([]*trial, error) {
	dir := filepath.Join(r.root, s.pkg)
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	each := s.each
	if each == nil {
		each = [][]string{nil}
	}
	wanted := regexp.MustCompile(s.run)
	var out []*trial
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`).FindAllSubmatch(text, -1) {
			name := string(m[1])
			if !wanted.MatchString(name) || !r.only.MatchString(s.pkg+" "+name) {
				continue
			}
			for _, more := range each {
				out = append(out, &trial{binary: binary, dir: dir, name: name, skip: s.skip, args: slices.Concat(s.args, more)})
			}
		}
	}
	return out, nil
}

// baseline runs each test once without a mutant: it must pass, and tells which
// mutants it comes by and what it costs.
func (r *runner) baseline(ctx context.Context) error {
	for _, t := range r.trials {
		reached := filepath.Join(r.work, "reached")
		if err := os.RemoveAll(reached); err != nil {
			return err
		}
		res := r.run(ctx, []*trial{t}, 0, time.Hour, "MUTANTS_REACHED="+reached)
		if res.cpu > r.under {
			t.cost = 0
			continue
		}
		if res.verdict != survived {
			return fmt.Errorf("%s does not pass without a mutant:\n%s", t, res.out)
		}
		t.cost, t.reached = res.cpu, map[int]bool{}
		text, err := os.ReadFile(reached)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			id, err := strconv.Atoi(lines.Text())
			if err != nil {
				return fmt.Errorf("reading what %s came by: %w", t, err)
			}
			t.reached[id] = true
		}
	}
	r.trials = slices.DeleteFunc(r.trials, func(t *trial) bool { return t.cost == 0 })
	slices.SortStableFunc(r.trials, func(x, y *trial) int { return cmp.Compare(x.cost, y.cost) })
	return nil
}

// result is how some tests ended on a mutant.
type result struct {
	verdict verdict
	cpu     time.Duration
	out     []byte
}

// Limits of one run beside its time on the CPU, which is five times what it takes
// without a mutant. The memory is virtual.
const (
	waitAtLeast = 2 * time.Minute
	memoryKiB   = 8 << 20
)

// run runs tests of one binary with a mutant on, 0 for none.
func (r *runner) run(ctx context.Context, tests []*trial, id int, wait time.Duration, env ...string) result {
	names := make([]string, len(tests))
	cost := time.Duration(0)
	for i, t := range tests {
		names[i] = t.name
		cost += t.cost
	}
	cpu := int((5*cost + 3*time.Second).Seconds())
	if cost == 0 { // not known yet
		cpu = int(min(wait, r.under+2*time.Second).Seconds())
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	first := tests[0]
	limits := fmt.Sprintf("ulimit -t %d; ulimit -v %d; exec \"$0\" \"$@\"", cpu, memoryKiB)
	args := append([]string{"-c", limits, first.binary, "-test.failfast", "-test.timeout=0", "-test.run=^(" + strings.Join(names, "|") + ")$", "-test.skip=" + first.skip}, first.args...)
	cmd := exec.CommandContext(ctx, "/bin/sh", args...)
	cmd.Dir = first.dir
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOMEMLIMIT=1GiB", "MUTANT="+strconv.Itoa(id)), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	err := cmd.Run()
	res := result{verdict: survived, out: out.Bytes()}
	if s := cmd.ProcessState; s != nil {
		res.cpu = s.UserTime() + s.SystemTime()
	}
	switch {
	case err == nil:
	case ctx.Err() != nil || ended(cmd.ProcessState):
		res.verdict = timedOut
	default:
		res.verdict = killed
	}
	return res
}

// ended tells that the system has ended the process: it took too much.
func ended(s *os.ProcessState) bool {
	if s == nil {
		return false
	}
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signal() > 0
}

// judge runs the tests that reach a mutant, the cheap ones first, until one fails.
func (r *runner) judge(ctx context.Context, m *mutant) (verdict, string) {
	if m.bad {
		return notCompiled, ""
	}
	var reach []*trial
	for _, t := range r.trials {
		if t.reached[m.id] {
			reach = append(reach, t)
		}
	}
	if len(reach) == 0 {
		return notReached, ""
	}
	where := m.file + " " + m.fun
	for _, b := range r.batches(reach, where) {
		wait := waitAtLeast
		for _, t := range b {
			wait += 30 * t.cost
		}
		res := r.run(ctx, b, m.id, wait)
		if res.verdict == survived {
			continue
		}
		by := b[0]
		for _, t := range b {
			if bytes.Contains(res.out, []byte("--- FAIL: "+t.name+" ")) {
				by = t
			}
		}
		r.note(by, where)
		return res.verdict, by.String()
	}
	return survived, ""
}

// note keeps in mind which test has killed, and in which function.
func (r *runner) note(by *trial, where string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kills[by]++
	last := slices.DeleteFunc(r.killers[where], func(t *trial) bool { return t == by })
	r.killers[where] = append([]*trial{by}, last[:min(len(last), 3)]...)
}

// batches puts the tests into runs of one binary each: first those that have killed
// in the function before, then those that have killed most, then by their cost.
func (r *runner) batches(tests []*trial, where string) [][]*trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	killers := r.killers[where]
	const cheap, dear, last = 100 * time.Millisecond, 600 * time.Millisecond, 4
	best := slices.Clone(tests)
	slices.SortStableFunc(best, func(x, y *trial) int { return cmp.Compare(r.kills[y], r.kills[x]) })
	tier := func(t *trial) int {
		switch {
		case t.cost >= dear:
			return last
		case slices.Contains(killers, t):
			return 0
		case r.kills[t] > 0 && slices.Contains(best[:min(len(best), 8)], t):
			return 1
		case t.cost < cheap:
			return 2
		}
		return 3
	}
	var out [][]*trial
	for want := range last + 1 {
		var here [][]*trial
		for _, t := range tests {
			if tier(t) != want {
				continue
			}
			i := slices.IndexFunc(here, func(b []*trial) bool {
				return b[0].binary == t.binary && b[0].skip == t.skip && slices.Equal(b[0].args, t.args)
			})
			if i < 0 || want == last {
				here = append(here, []*trial{t})
			} else {
				here[i] = append(here[i], t)
			}
		}
		out = append(out, here...)
	}
	return out
}
