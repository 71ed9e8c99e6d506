package transport

import (
	"slices"
	"sync"
)

// maxAddresses is how many addresses of one peer are kept.
const maxAddresses = 16

// addressBook keeps where peers were last seen, newest first.
type addressBook struct {
	mu    sync.Mutex
	addrs map[PeerID][]string
}

func (b *addressBook) learn(id PeerID, addrs []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addrs == nil {
		b.addrs = map[PeerID][]string{}
	}
	list := b.addrs[id]
	for _, a := range slices.Backward(addrs) {
		if a == "" || len(a) > 512 {
			continue
		}
		if i := slices.Index(list, a); i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
		list = slices.Insert(list, 0, a)
	}
	b.addrs[id] = list[:min(len(list), maxAddresses)]
}

func (b *addressBook) of(id PeerID) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.addrs[id])
}

func (b *addressBook) forget(id PeerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.addrs, id)
}

// handlerTable maps kinds to handlers.
type handlerTable struct {
	mu sync.RWMutex
	m  map[Kind]Handler
}

func (t *handlerTable) set(k Kind, fn Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[Kind]Handler{}
	}
	if fn == nil {
		delete(t.m, k)
		return
	}
	t.m[k] = fn
}

func (t *handlerTable) get(k Kind) (Handler, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	fn, ok := t.m[k]
	return fn, ok
}
