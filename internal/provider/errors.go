package provider

import "errors"

// ErrNotFound is returned by Reader.Read for a group the provider does not
// know.
var ErrNotFound = errors.New("the provider does not know this group")
