// Package replication is the domain of drwatch as plain data: what is
// replicated (groups, sites, states), what is said about it (votes, conditions)
// and what is done about it (incidents, calls, the journal). It knows no cloud,
// no store and no clock; every other package speaks in its words.
package replication
