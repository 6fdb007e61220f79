package huawei_test

import (
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

func TestProblemsOfSeveralReadersAtOnce(t *testing.T) {
	p := huawei.NewProblems(provider.NopMeter{})
	if got := p.Counts(); got != nil {
		t.Errorf("nothing was noted: %v", got)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				p.Note(provider.Unread{Field: "status"})
				p.Counts()
			}
		})
	}
	wg.Wait()
	if got := p.Counts(); len(got) != 1 || got["status"] != 800 {
		t.Errorf("counted %v, want 800 of status", got)
	}
}
