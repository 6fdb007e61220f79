// Command soak runs three real drwatch daemons for a long time on the simulated
// clouds while everything about them changes, and judges two things: that nothing
// of theirs grows (memory, goroutines, open files, files, the store), and that
// each loss of a site moved each group once. It knows the daemons from outside:
// their API, their metrics and what the machine tells of their processes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

// settings are the flags.
type settings struct {
	lasts   time.Duration
	every   time.Duration
	drwatch string
	dir     string
	seed    uint64
}

func run(args []string, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.DurationVar(&s.lasts, "for", 30*time.Minute, "how long to run; the first third is warm-up")
	flags.DurationVar(&s.every, "every", 10*time.Second, "how often to measure")
	flags.StringVar(&s.drwatch, "drwatch", "bin/drwatch", "the program, built without the race detector")
	flags.StringVar(&s.dir, "dir", "", "where to work and leave the logs; default: a new folder, removed when all is well")
	flags.Uint64Var(&s.seed, "seed", uint64(time.Now().Unix()), "what chance begins with")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	good, err := soak(ctx, s, out)
	switch {
	case err != nil:
		fmt.Fprintln(out, "soak:", err)
		return 2
	case !good:
		return 1
	}
	return 0
}

// soak tells whether all was well; an error is one of the soak itself.
func soak(ctx context.Context, s settings, out io.Writer) (good bool, err error) {
	made := s.dir == ""
	if made {
		if s.dir, err = os.MkdirTemp("", "drwatch-soak-"); err != nil {
			return false, err
		}
		defer func() {
			if good {
				err = errors.Join(err, os.RemoveAll(s.dir))
			}
		}()
	}
	w, err := newWorld(s, out)
	if err != nil {
		return false, err
	}
	defer w.end()
	w.tell("three observers for %s in %s, seed %d", s.lasts, s.dir, s.seed)
	if err := w.begin(ctx); err != nil {
		return false, err
	}
	w.live(ctx)
	w.tell("%s", w.counts())
	table, grows := judge(w.samples())
	fmt.Fprintln(out, table)
	for _, g := range grows {
		w.wrong("it grows: %s", g)
	}
	wrongs := w.wrongs()
	for _, wrong := range wrongs {
		fmt.Fprintln(out, "WRONG:", wrong)
	}
	if len(wrongs) > 0 {
		fmt.Fprintf(out, "Not well. The logs are in %s\n", s.dir)
		return false, nil
	}
	fmt.Fprintln(out, "All is flat, and each loss moved each group once.")
	return true, nil
}

// live lets everything happen until the time is over.
func (w *world) live(ctx context.Context) {
	whole := w.s.lasts
	ctx, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	var all sync.WaitGroup
	for _, one := range []func(context.Context){w.measure, w.groupsComeAndGo, w.alerts, w.reloads, w.looks, w.hangers, w.alertNoise} {
		all.Go(func() { one(ctx) })
	}
	w.story(ctx, cancel)
	all.Wait()
}

// every calls what is to be done at that interval, with some chance in it, until
// the context ends.
func every(ctx context.Context, interval time.Duration, do func(n int)) {
	for n := 0; ; n++ {
		if !pause(ctx, interval/2+rand.N(interval)) {
			return
		}
		do(n)
	}
}

// pause is false when the context ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// path is a path in the folder of the soak.
func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.s.dir}, parts...)...)
}
