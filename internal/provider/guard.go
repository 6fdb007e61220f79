package provider

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrPanic is what Guard returns when the SDK panicked.
var ErrPanic = errors.New("the vendor's SDK panicked")

// Guard calls into an SDK and turns its panic into an error. Alibaba's SDK
// panics on an error body whose Code is not a string, Huawei's builders on bad
// input. The panic's value is not shown, unless it is the runtime's own words:
// it may hold a request.
func Guard(call func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("%w: %s", ErrPanic, oneLine(p.Error()))
		default:
			err = fmt.Errorf("%w with a %T", ErrPanic, p)
		}
	}()
	return call()
}
