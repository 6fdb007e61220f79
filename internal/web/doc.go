// Package web serves what drwatch shows and takes over HTTP: the status page,
// the JSON API, health and readiness, reload. It knows who may ask what; what is
// shown it gets through View, what is asked for it passes to Operator, and what is
// asked for a group to Actions.
package web
