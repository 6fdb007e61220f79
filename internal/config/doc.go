// Package config is drwatch's configuration file: its form, its defaults and
// every check that needs nothing but the file. It reads strictly, reports all
// mistakes at once with their places, and derives what is left out. Secrets are
// only named here; internal/credentials reads them.
//
// It does not know rule files, and opens no connection.
package config
