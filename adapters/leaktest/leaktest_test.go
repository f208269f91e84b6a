package leaktest

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestAGoroutineThatEndsLateIsNoLeak(t *testing.T) {
	check := Begin()
	end := make(chan struct{})
	go func() { <-end }()
	time.AfterFunc(time.Second, func() { close(end) }) // beyond the patience of goleak
	check(t)
}

func TestAGoroutineThatDoesNotEndIsNamed(t *testing.T) {
	before := goleak.IgnoreCurrent()
	end := make(chan struct{})
	defer close(end)
	go func() { <-end }()
	if err := find(0, before); err == nil || !strings.Contains(err.Error(), "TestAGoroutineThatDoesNotEndIsNamed") {
		t.Errorf("found %v", err)
	}
}
