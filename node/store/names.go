package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// MaxName is the longest name of a model in bytes.
const MaxName = 128

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// CheckName says why name cannot name a model, or nil.
func CheckName(name string) error {
	if len(name) > MaxName || !namePattern.MatchString(name) {
		return fmt.Errorf("bad model name %q: want letters, digits, '.', '_' and '-', at most %d", name, MaxName)
	}
	return nil
}

// Name is what a model is called. The newest change of a name wins everywhere.
type Name struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"`
	// Changed counts upward with each change of the name: unix nanoseconds of the node where it was made.
	Changed int64 `json:"changed"`
	Deleted bool  `json:"deleted,omitempty"`
	// Image, when not "", says how a picture input maps to pixels, in the parameters of the codecs jpeg and png.
	Image string `json:"image,omitempty"`
	// Calibration, when not "", is the calibration file of the model.
	Calibration Digest `json:"calibration,omitempty"`
}

func (n Name) newer(o Name) bool {
	if n.Changed != o.Changed {
		return n.Changed > o.Changed
	}
	return n.Digest > o.Digest
}

// Names is the table of names, kept in a Folder. It is safe for concurrent use.
type Names struct {
	folder *Folder

	mu    sync.Mutex
	names map[string]Name // guarded by mu
}

const namesFile = "names.json"

// OpenNames reads the table from the folder.
func OpenNames(f *Folder) (*Names, error) {
	n := &Names{folder: f, names: map[string]Name{}}
	b, err := f.ReadFile(namesFile)
	if errors.Is(err, ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read model names: %w", err)
	}
	var list []Name
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("read model names: %s is damaged (%w): remove it and push the models again", namesFile, err)
	}
	for _, name := range list {
		n.names[name.Name] = name
	}
	return n, nil
}

// Lookup finds a model by name or digest; it wraps ErrNotFound when there is none.
func (n *Names) Lookup(model string) (Name, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.names[model]; ok && !name.Deleted {
		return name, nil
	}
	for _, name := range n.sorted() {
		if string(name.Digest) == model && !name.Deleted {
			return name, nil
		}
	}
	return Name{}, fmt.Errorf("model %q: %w", model, ErrNotFound)
}

// List is every name, sorted, deleted ones included: they must spread too.
func (n *Names) List() []Name {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sorted()
}

func (n *Names) sorted() []Name {
	list := make([]Name, 0, len(n.names))
	for _, name := range n.names {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b Name) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Merge takes over every change that is newer than the table's and stores the table when something changed. Entries that
// break the rules of names are dropped.
func (n *Names) Merge(list ...Name) (changed bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	undo := map[string]Name{}
	for _, name := range list {
		if CheckName(name.Name) != nil {
			continue
		}
		if _, err := ParseDigest(string(name.Digest)); err != nil {
			continue
		}
		if _, err := ParseDigest(string(name.Calibration)); err != nil && name.Calibration != "" {
			continue
		}
		if old, ok := n.names[name.Name]; !ok || name.newer(old) {
			undo[name.Name] = old
			n.names[name.Name] = name
		}
	}
	if len(undo) == 0 {
		return false, nil
	}
	b, err := json.Marshal(n.sorted())
	if err == nil {
		err = n.folder.WriteFile(namesFile, b)
	}
	if err != nil {
		for name, old := range undo {
			if old.Name == "" {
				delete(n.names, name)
			} else {
				n.names[name] = old
			}
		}
	}
	return err == nil, err
}
