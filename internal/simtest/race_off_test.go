//go:build !race

package simtest_test

// shuffled tells that goroutines of one moment take turns at random.
const shuffled = false
