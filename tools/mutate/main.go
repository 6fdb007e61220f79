package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	root, err := os.Getwd()
	if err == nil {
		err = run(ctx, root, suites(), os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	survivors, out, known string
	only, tests           *regexp.Regexp
	atLeast               float64
	under                 time.Duration
	list, trust           bool
	atOnce, every         int
	files                 []string
}

func parse(args []string) (options, error) {
	var o options
	var only, which string
	set := flag.NewFlagSet("mutate", flag.ContinueOnError)
	set.StringVar(&o.survivors, "survivors", "tools/mutate/survivors.txt", "why those that survive may: `file`")
	set.StringVar(&o.out, "out", "", "write what became of each mutant to `file`, as it comes")
	set.StringVar(&o.known, "known", "", "take over from such a `file` of an earlier run what was noticed then, and run the others alone")
	set.StringVar(&only, "only", "", "only the functions whose \"FILE FUNCTION\" matches `regexp`")
	set.StringVar(&which, "tests", "", "only the tests whose \"PACKAGE TEST\" matches `regexp`")
	set.Float64Var(&o.atLeast, "at-least", 95, "the score that must be reached, in `percent`")
	set.DurationVar(&o.under, "under", time.Hour, "only the tests that take less of the CPU than `time`, to be quick")
	set.IntVar(&o.every, "every", 1, "a sample: only one of so `many`")
	set.IntVar(&o.atOnce, "j", 1, "how many `tests` run at a time")
	set.BoolVar(&o.trust, "trust", false, "do not run those that are explained: take them as surviving")
	set.BoolVar(&o.list, "list", false, "list the mutants and run nothing")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.files = set.Args()
	if len(o.files) == 0 {
		return o, fmt.Errorf("name the files to change")
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, err
	}
	o.tests, err = regexp.Compile(which)
	return o, err
}

// run measures the files that args name, of the module in root, with the tests of
// all.
func run(ctx context.Context, root string, all []suite, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	why, err := explanations(o.survivors)
	if err != nil {
		return err
	}
	packs, err := load(ctx, root, o.files)
	if err != nil {
		return err
	}
	var mutants []*mutant
	places, ids := map[*source][]*place{}, 0
	for _, p := range packs {
		for _, src := range p.sources {
			found, where := find(p, src, &ids)
			mutants, places[src] = append(mutants, found...), where
		}
	}
	if o.list {
		for _, m := range mutants {
			fmt.Fprintf(stdout, "%s:%d: %s: %s -> %s\n", m.file, m.line, m.fun, m.was, m.is)
		}
		return nil
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	r := &runner{root: root, work: work, under: o.under, only: o.tests, killers: map[string][]*trial{}, kills: map[*trial]int{}}
	began := time.Now()
	if err := r.build(ctx, packs, places, ids, all); err != nil {
		return err
	}
	if err := r.baseline(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d mutants, %d tests, built and run once in %s\n", len(mutants), len(r.trials), time.Since(began).Round(time.Second))
	trusted := map[key]string{}
	if o.trust {
		trusted = why
	}
	verdicts, err := r.all(ctx, mutants, trusted, o, stderr)
	if err != nil {
		return err
	}
	if err := r.baseline(ctx); err != nil { // what was noticed was noticed for the mutant, not by chance
		return err
	}
	rep := newReport(mutants, verdicts, why)
	rep.write(stdout)
	fmt.Fprintf(stdout, "in %s\n", time.Since(began).Round(time.Second))
	if fault := rep.fault(o.atLeast); fault != "" {
		return fmt.Errorf("%s", fault)
	}
	return nil
}

func explanations(name string) (map[key]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readExplained(name, f)
}

// all judges each mutant, as many at a time as o says. Those that are trusted to
// survive are not run.
func (r *runner) all(ctx context.Context, mutants []*mutant, trusted map[key]string, o options, stderr io.Writer) (map[*mutant]verdict, error) {
	known, err := knownKills(o.known)
	if err != nil {
		return nil, err
	}
	out := io.Discard
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		out = f
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	room, verdicts, left, done := make(chan struct{}, o.atOnce), map[*mutant]verdict{}, 0, 0
	for _, m := range mutants {
		if !o.only.MatchString(m.file+" "+m.fun) || m.id%o.every != 0 {
			continue
		}
		room <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			v, by := known[m.line0()], "before"
			if _, explained := trusted[m.key()]; explained {
				v, by = survived, "trusted"
			}
			if v == "" {
				v, by = r.judge(ctx, m)
			}
			<-room
			mu.Lock()
			defer mu.Unlock()
			verdicts[m] = v
			fmt.Fprintf(out, "%s\t%s\t%s\n", v, m.line0(), by)
			if v == survived || v == notReached {
				left++
				fmt.Fprintf(stderr, "%s:%d: %s: %s -> %s\n", m.file, m.line, v, m.was, m.is)
			}
			if done++; done%100 == 0 {
				fmt.Fprintf(stderr, "%d done, %d left alive\n", done, left)
			}
		})
	}
	all.Wait()
	return verdicts, ctx.Err()
}

// line0 is a mutant's key on one line.
func (m *mutant) line0() string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d", m.file, m.fun, m.was, m.is, m.nth)
}

// knownKills reads what an earlier run has noticed.
func knownKills(name string) (map[string]verdict, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	known := map[string]verdict{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) == 7 && (verdict(parts[0]) == killed || verdict(parts[0]) == timedOut) {
			known[strings.Join(parts[1:6], "\t")] = verdict(parts[0])
		}
	}
	return known, nil
}
