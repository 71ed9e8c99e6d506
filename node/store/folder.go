package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

var (
	// ErrNoSpace is wrapped when the disk of the data folder is full; nothing that was stored before is lost.
	ErrNoSpace = errors.New("no space left on the disk of the data folder")
	// ErrLocked is wrapped when another process runs on the same data folder.
	ErrLocked = errors.New("data folder is in use by another cleave node")
	// ErrNotFound is wrapped when a name, digest or key is not stored.
	ErrNotFound = errors.New("not stored here")
	// ErrCorrupt is wrapped when content does not match its digest.
	ErrCorrupt = errors.New("content does not match its digest")
)

// Folder is an open data folder. It is safe for concurrent use.
type Folder struct {
	path string
	lock *os.File
	// create opens the temporary file of an atomic write; tests replace it to run out of space.
	create func(dir string) (*os.File, error)

	mu sync.Mutex
	// checked is what the file of each model was like when its content was found right.
	checked map[Digest]os.FileInfo // guarded by mu
}

// Open makes the folder where it does not exist and locks it. Leftovers of interrupted writes are removed.
func Open(path string) (*Folder, error) {
	for _, dir := range []string{path, filepath.Join(path, "models"), filepath.Join(path, "partial"), filepath.Join(path, "profiles"), filepath.Join(path, "codecs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open data folder: %w", full(path, err))
		}
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", full(path, err))
	}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s (use --data to give this node its own)", ErrLocked, path), lock.Close())
	}
	f := &Folder{
		path: path, lock: lock, checked: map[Digest]os.FileInfo{},
		create: func(dir string) (*os.File, error) { return os.CreateTemp(dir, tempPattern) },
	}
	for _, dir := range []string{path, filepath.Join(path, "models"), filepath.Join(path, "profiles"), filepath.Join(path, "codecs")} {
		old, _ := filepath.Glob(filepath.Join(dir, tempPattern)) // the pattern is well-formed
		for _, name := range old {
			if err := os.Remove(name); err != nil {
				return nil, errors.Join(fmt.Errorf("open data folder: %w", err), lock.Close())
			}
		}
	}
	return f, nil
}

const tempPattern = ".writing-*"

// Path is the folder's path.
func (f *Folder) Path() string { return f.path }

// Close unlocks the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// WriteFile replaces the file name (relative to the folder) by data, atomically.
func (f *Folder) WriteFile(name string, data []byte) (err error) {
	path := filepath.Join(f.path, name)
	tmp, err := f.create(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, full(f.path, err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", name, full(f.path, err))
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	return f.commit(tmp, path, err)
}

// commit syncs tmp and renames it to path, unless writing it has failed with err.
func (f *Folder) commit(tmp *os.File, path string, err error) error {
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}

// ReadFile is the content of the file name; it wraps ErrNotFound where there is none.
func (f *Folder) ReadFile(name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(f.path, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, ErrNotFound)
	}
	return b, err
}

// full turns the system's word for a full disk into ErrNoSpace with a remedy.
func full(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w %s: free some, or start the node with --data on another disk", ErrNoSpace, path)
	}
	return err
}
