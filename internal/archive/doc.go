// Package archive keeps the journals of ended incidents, and of what persons did,
// in files of this observer: append-only lines of JSON, chained over all of them
// in the order that the coordination store gave. It knows how the files are
// written, recovered after a crash, read and checked. What is archived, and when
// something may leave the store, is the store's.
package archive
