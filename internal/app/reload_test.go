package app_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/app"
)

// A panic while a file is read is a refused reload, and nothing that the file
// holds is told.
func TestPanicRefusesAReload(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	err := app.Caught(logger, func() error { panic(errors.New("hunter2")) })
	if err == nil || strings.Contains(err.Error()+log.String(), "hunter2") {
		t.Errorf("a panic gives %v and the log\n%s", err, &log)
	}
	if !strings.Contains(log.String(), "TestPanicRefusesAReload") {
		t.Errorf("the log has not the place:\n%s", &log)
	}
	want := errors.New("plain")
	if err := app.Caught(logger, func() error { return want }); !errors.Is(err, want) {
		t.Errorf("an error is passed on as %v", err)
	}
	if err := app.Caught(logger, func() error { return nil }); err != nil {
		t.Errorf("a good end is %v", err)
	}
}
