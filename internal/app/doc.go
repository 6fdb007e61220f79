// Package app puts the parts of the daemon together: it loads the
// configuration, builds the accounts, the collector, the evaluator, the
// coordination store and the controller, runs them in order, reloads what can be
// reloaded, and closes them in reverse. It decides nothing itself.
package app
