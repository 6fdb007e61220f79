//go:build race

package simtest_test

// shuffled tells that goroutines of one moment take turns at random: the runtime has
// them do so under the race detector.
const shuffled = true
