package cloudsim

import (
	"fmt"
	"math/rand/v2"
)

// uuid makes a UUID-shaped id.
func (c *Cloud) uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

// hex32 makes an id of 32 hex digits, as SDRS gives its jobs.
func (c *Cloud) hex32(r *rand.Rand) string {
	return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
}
