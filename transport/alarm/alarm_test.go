package alarm

import (
	"testing"
	"time"
)

// TestTimers holds every timer to its contract: never early, the earlier of two moments counts, and Stop ends a wait.
func TestTimers(t *testing.T) {
	for name, timer := range map[string]Timer{"exact": New(), "plain": NewPlain()} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				begin := time.Now()
				timer.Set(begin.Add(time.Hour))
				timer.Set(begin.Add(3 * time.Millisecond))
				if !timer.Wait() {
					t.Fatal("stopped")
				}
				if d := time.Since(begin); d < 3*time.Millisecond {
					t.Errorf("woke after %v", d)
				}
			}
			timer.Set(time.Now().Add(time.Hour))
			ended := make(chan bool)
			go func() { ended <- timer.Wait() }()
			timer.Stop()
			if <-ended {
				t.Error("a stopped wait reports its moment")
			}
			timer.Close()
		})
	}
}

func TestSleep(t *testing.T) {
	done := make(chan struct{})
	for _, d := range []time.Duration{-time.Second, 0, 200 * time.Microsecond, 5 * time.Millisecond} {
		begin := time.Now()
		if !Sleep(d, done) {
			t.Errorf("%v: interrupted", d)
		}
		if took := time.Since(begin); took < d {
			t.Errorf("slept %v instead of %v", took, d)
		}
	}
	close(done)
	if Sleep(time.Hour, done) || PlainSleep(time.Hour, done) {
		t.Error("slept on although done")
	}
}
