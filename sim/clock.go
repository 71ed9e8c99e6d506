package sim

import (
	"container/heap"
	"time"
)

// clock is virtual time: things happen in order of their time, and in the order in which they were asked for at equal times.
type clock struct {
	now    time.Duration
	agenda agenda
	seq    uint64
	// happened counts what was done.
	happened int
}

// alarm is something that is to happen once.
type alarm struct {
	at    time.Duration
	seq   uint64
	do    func()
	index int // in the agenda; -1 when it is not there
}

// at asks for do to happen at a time, or now when that has passed.
func (c *clock) at(t time.Duration, do func()) *alarm {
	c.seq++
	a := &alarm{at: max(t, c.now), seq: c.seq, do: do}
	heap.Push(&c.agenda, a)
	return a
}

// after asks for do to happen after a delay.
func (c *clock) after(d time.Duration, do func()) *alarm { return c.at(c.now+d, do) }

// cancel makes an alarm not happen; nil and past ones are fine.
func (c *clock) cancel(a *alarm) {
	if a != nil && a.index >= 0 {
		heap.Remove(&c.agenda, a.index)
	}
}

// step does the next thing; false when there is none.
func (c *clock) step() bool {
	if len(c.agenda) == 0 {
		return false
	}
	a := heap.Pop(&c.agenda).(*alarm)
	c.now = a.at
	c.happened++
	a.do()
	return true
}

// seconds is a duration of s seconds, to the nanosecond.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// agenda is a binary heap of alarms.
type agenda []*alarm

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

func (a *agenda) Push(x any) {
	al := x.(*alarm)
	al.index = len(*a)
	*a = append(*a, al)
}

func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	last.index = -1
	return last
}
