package provider

// Behind does one piece of work at a time beside its owner: a page of a listing
// is read while the next one is on its way. The zero value is ready. One
// goroutine owns it; what the work writes is the owner's again after Wait.
type Behind struct {
	ended chan ending // nil while nothing is under way
}

// ending is how a piece of work ended.
type ending struct {
	err   error
	panic any
}

// Do begins the work. What was begun before must have been waited for.
func (b *Behind) Do(work func() error) {
	ended := make(chan ending, 1) // work that nobody waits for ends all the same
	b.ended = ended
	go func() {
		var e ending
		defer func() {
			e.panic = recover()
			ended <- e
		}()
		e.err = work()
	}()
}

// Wait is until the work has ended, and its error; nil when none is under way. A
// panic of the work becomes one of the owner, who may be guarded against it.
func (b *Behind) Wait() error {
	if b.ended == nil {
		return nil
	}
	e := <-b.ended
	b.ended = nil
	if e.panic != nil {
		panic(e.panic)
	}
	return e.err
}
