package member

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// buried is how long the store refuses the old records of a node that it has forgotten, so that they do not come back from a
// node which forgets later.
const buried = 10 * time.Minute

// store holds records. The highest version of a key wins. Safe for concurrent use.
type store struct {
	mu      sync.RWMutex
	records map[admit.Key]map[string]Record
	graves  map[admit.Key]time.Time // until when records of a node are refused
	summed  *summary                // nil since a record changed
}

// summary is a digest as it was made last: a quiet mesh compares it every few seconds.
type summary struct {
	also    string
	entries []entry
	sum     [32]byte
}

func newStore() *store {
	return &store{records: map[admit.Key]map[string]Record{}, graves: map[admit.Key]time.Time{}}
}

// newer tells whether the version would replace what is held.
func (s *store) newer(e entry, now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.newerLocked(e, now)
}

func (s *store) newerLocked(e entry, now time.Time) bool {
	if t, ok := s.graves[e.node]; ok && now.Before(t) {
		return false
	}
	have, ok := s.records[e.node][e.key]
	return ok && e.version > have.Version || !ok && len(s.records[e.node]) < MaxKeys
}

// put keeps a record if it is newer. The caller has checked the signature.
func (s *store) put(r Record, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.newerLocked(entry{r.public, r.Version, r.Key}, now) {
		return false
	}
	m, ok := s.records[r.public]
	if !ok {
		m = map[string]Record{}
		s.records[r.public] = m
	}
	m[r.Key] = r
	s.summed = nil
	return true
}

func (s *store) get(node admit.Key, key string) (Record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.records[node][key]
	return r, ok
}

// all lists the records with a key, or every one when key is "", ordered by node and key.
func (s *store) all(key string) []Record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.allLocked(key)
}

func (s *store) allLocked(key string) []Record {
	var out []Record
	for _, m := range s.records {
		for k, r := range m {
			if key == "" || k == key {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(bytes.Compare(a.public[:], b.public[:]), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// digest lists what the store holds, in order, and its hash together with what else must be equal. The list is not to be changed.
func (s *store) digest(also []byte) ([]entry, [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.summed != nil && s.summed.also == string(also) {
		return s.summed.entries, s.summed.sum
	}
	records := s.allLocked("")
	h := sha256.New()
	h.Write(also)
	entries := make([]entry, len(records))
	var buf []byte
	for i, r := range records {
		entries[i] = entry{r.public, r.Version, r.Key}
		buf = entries[i].append(buf[:0])
		h.Write(buf)
	}
	s.summed = &summary{string(also), entries, [32]byte(h.Sum(nil))}
	return entries, s.summed.sum
}

// compare splits the difference with another store's digest: records that are newer here, and entries that are newer there.
func (s *store) compare(theirs []entry, now time.Time) (ours []Record, wanted []entry) {
	type id struct {
		node admit.Key
		key  string
	}
	versions := make(map[id]uint64, len(theirs))
	for _, e := range theirs {
		versions[id{e.node, e.key}] = e.version
		if s.newer(e, now) {
			wanted = append(wanted, e)
		}
	}
	for _, r := range s.all("") {
		if v, ok := versions[id{r.public, r.Key}]; !ok || v < r.Version {
			ours = append(ours, r)
		}
	}
	return ours, wanted
}

// forget drops a node's records and refuses them for a while; welcome ends that.
func (s *store) forget(node admit.Key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, node)
	s.summed = nil
	s.graves[node] = now.Add(buried)
	for k, t := range s.graves {
		if now.After(t) {
			delete(s.graves, k)
		}
	}
}

func (s *store) welcome(node admit.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.graves, node)
}
