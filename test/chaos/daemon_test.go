package chaos_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/drwatch/drwatch/internal/app"
)

// daemon runs drwatch until its standard input ends. It tells each step it comes
// to, and dies, stops or hangs at the one that CHAOS_AT names ("STEP kill", "STEP
// stop" or "STEP hang"), if it is the first of the three observers to come there.
func daemon() int {
	life := 2 * time.Second
	if d, err := time.ParseDuration(os.Getenv("CHAOS_LIFE")); err == nil {
		life = d
	}
	var clock wallClock
	if err := clock.set(os.Getenv("CHAOS_CLOCK")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	none, no := "", false
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reload := make(chan struct{})
	go func() { // the end of the pipe asks for the end
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if by, ok := strings.CutPrefix(lines.Text(), "clock "); ok {
				if err := clock.set(by); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
				continue
			}
			reload <- struct{}{}
		}
		stop()
	}()
	err = app.Run(ctx, app.Options{
		ConfigFile: os.Getenv("CHAOS_CONFIG"), StoragePath: os.Getenv("CHAOS_STORAGE"), Version: "test",
		MemberCommand: []string{exe, "etcd-member", os.Getenv("HTTP_PROXY")},
		Web:           &web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebConfigFile: &none, WebSystemdSocket: &no},
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Reload:        reload,
		Now:           clock.now,
		TrackInterval: 100 * time.Millisecond, SignatureLife: life, Settle: time.Second, Margin: 500 * time.Millisecond,
		Listening: func(a []string) { fmt.Printf("listening %s\n", a[0]) },
		At: func(step string) {
			fmt.Printf("at %s %d\n", step, time.Now().UnixNano())
			endAt(step)
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// endAt kills or stops this process when the step is the one for that, or lets
// the step hang until a file is there.
func endAt(step string) {
	at, how, _ := strings.Cut(os.Getenv("CHAOS_AT"), " ")
	if step != at {
		return
	}
	f, err := os.OpenFile(os.Getenv("CHAOS_ONCE"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return // it has happened
	}
	_ = f.Close()
	fmt.Printf("hit %s\n", step)
	switch how {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-time.After(100 * time.Millisecond) // a signal comes when it comes
	case "hang":
		for err := os.ErrNotExist; errors.Is(err, os.ErrNotExist); _, err = os.Stat(os.Getenv("CHAOS_WAKE")) {
			<-time.After(50 * time.Millisecond)
		}
		fmt.Printf("at woken %d\n", time.Now().UnixNano())
	}
}
