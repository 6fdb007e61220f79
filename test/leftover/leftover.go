// Package leftover finds processes that outlive the tests which started them:
// daemons, and their stores' members. It knows a process by the program that it
// runs, because one whose parent was killed has another parent. It looks where
// /proc is; elsewhere it finds none.
package leftover

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long a process may take to end after its tests: a member ends
// when its daemon has, and a machine may be busy.
const patience = 5 * time.Second

// Exit ends a package's tests with the code, or with 1 and their command lines on
// stderr if processes are left that run this test's program or one of the others.
// It is for goleak.Cleanup, after the goroutines.
func Exit(others ...string) func(code int) {
	return func(code int) {
		left := running(others)
		for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = running(others) {
			<-time.After(50 * time.Millisecond)
		}
		if len(left) > 0 && code == 0 {
			fmt.Fprintf(os.Stderr, "leftover: the tests have ended and these processes that they started have not:\n%s\n", strings.Join(left, "\n"))
			code = 1
		}
		os.Exit(code)
	}
}

// running are the processes that run this program or one of the others, but for
// this one.
func running(others []string) []string {
	self, err := os.Executable()
	if err != nil {
		return []string{err.Error()}
	}
	programs := map[string]bool{self: true}
	for _, p := range others {
		programs[p] = true
	}
	var out []string
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // the pattern is right
	for _, link := range links {
		program, err := os.Readlink(link) // a zombie's, or another user's, cannot be read
		dir := filepath.Dir(link)
		if err != nil || !programs[strings.TrimSuffix(program, " (deleted)")] || filepath.Base(dir) == fmt.Sprint(os.Getpid()) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may just have ended
		out = append(out, fmt.Sprintf("%s %s", filepath.Base(dir), bytes.ReplaceAll(args, []byte{0}, []byte(" "))))
	}
	return out
}
