package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MaxModel is the most bytes of one model file.
const MaxModel = 16 << 30

// Digest is the identity of a model or a calibration: the SHA-256 of its file, in hex.
type Digest string

// ParseDigest checks s.
func ParseDigest(s string) (Digest, error) {
	if b, err := hex.DecodeString(s); err != nil || len(b) != sha256.Size || strings.ToLower(s) != s {
		return "", fmt.Errorf("bad model digest %q: want 64 hex digits", s)
	}
	return Digest(s), nil
}

// Short is enough of d for people.
func (d Digest) Short() string { return string(d[:min(12, len(d))]) }

func (f *Folder) modelPath(d Digest) string {
	return filepath.Join(f.path, "models", string(d)+".onnx")
}

func (f *Folder) partialPath(d Digest) string {
	return filepath.Join(f.path, "partial", string(d)+".onnx")
}

// AddModel stores what r gives and returns its digest and size. It stores nothing when r fails, the disk is full or the
// model is larger than MaxModel. A model that is stored already stays as it is.
func (f *Folder) AddModel(r io.Reader) (d Digest, size int64, err error) {
	tmp, err := f.create(filepath.Join(f.path, "models"))
	if err != nil {
		return "", 0, fmt.Errorf("store model: %w", full(f.path, err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("store model: %w", full(f.path, err))
			os.Remove(tmp.Name())
		}
	}()
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(tmp, h), io.LimitReader(r, MaxModel+1))
	if err == nil && size > MaxModel {
		err = fmt.Errorf("model is larger than the limit of %d bytes", int64(MaxModel))
	}
	d = Digest(hex.EncodeToString(h.Sum(nil)))
	return d, size, f.commitModel(tmp, d, err)
}

// commitModel is commit of a model's file, which nobody is to write again.
func (f *Folder) commitModel(file *os.File, d Digest, err error) error {
	if err == nil {
		err = file.Chmod(0o400)
	}
	return f.commit(file, f.modelPath(d), err)
}

// HasModel reports whether the model is stored whole.
func (f *Folder) HasModel(d Digest) bool {
	_, err := os.Stat(f.modelPath(d))
	return err == nil
}

// OpenModel opens a stored model for reading and gives its size.
func (f *Folder) OpenModel(d Digest) (*os.File, int64, error) {
	file, err := os.Open(f.modelPath(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, fmt.Errorf("model %s: %w", d.Short(), ErrNotFound)
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// ModelFile is the path of a stored model's file, whose content has been checked against its digest since the file last changed. A
// file that was damaged on disk wraps ErrCorrupt. Readers may map the file: it is never written in place, only renamed
// or removed, and its mode keeps others from doing so by mistake.
func (f *Folder) ModelFile(d Digest) (string, error) {
	file, size, err := f.OpenModel(d)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read model %s: %w", d.Short(), err)
	}
	f.mu.Lock()
	was := f.checked[d]
	f.mu.Unlock()
	if was != nil && os.SameFile(was, info) && was.Size() == size && was.ModTime().Equal(info.ModTime()) {
		return file.Name(), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read model %s: %w", d.Short(), err)
	}
	if hex.EncodeToString(h.Sum(nil)) != string(d) {
		return "", fmt.Errorf("model file %s: %w: push the model again", file.Name(), ErrCorrupt)
	}
	f.mu.Lock()
	f.checked[d] = info
	f.mu.Unlock()
	return file.Name(), nil
}

// RemoveModel deletes a stored model; one that is not stored is no error. Where a process has the file mapped, the system keeps
// its space on disk until that process ends.
func (f *Folder) RemoveModel(d Digest) error {
	f.mu.Lock()
	delete(f.checked, d)
	f.mu.Unlock()
	err := os.Remove(f.modelPath(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Partial is how many bytes of a model have arrived so far.
func (f *Folder) Partial(d Digest) int64 {
	info, err := os.Stat(f.partialPath(d))
	if err != nil {
		return 0
	}
	return info.Size()
}

// AppendPartial adds r's bytes to what has arrived at offset. When the model then has size bytes it is checked and becomes
// a stored model. Content with the wrong digest is dropped and wraps ErrCorrupt; after any other error what
// arrived is kept, and the next attempt goes on from Partial.
func (f *Folder) AppendPartial(d Digest, offset, size int64, r io.Reader) error {
	if size > MaxModel || offset > size || offset < 0 {
		return fmt.Errorf("receive model %s: %d bytes at %d, limit %d", d.Short(), size, offset, int64(MaxModel))
	}
	file, err := os.OpenFile(f.partialPath(d), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("receive model %s: %w", d.Short(), full(f.path, err))
	}
	if err = file.Truncate(offset); err == nil {
		if _, err = file.Seek(offset, io.SeekStart); err == nil {
			_, err = io.CopyN(file, r, size-offset)
		}
	}
	if err != nil {
		return fmt.Errorf("receive model %s: %w", d.Short(), full(f.path, errors.Join(err, file.Close())))
	}
	h := sha256.New()
	if _, err = file.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(h, file)
	}
	if err == nil && hex.EncodeToString(h.Sum(nil)) != string(d) {
		return errors.Join(fmt.Errorf("receive model %s: %w", d.Short(), ErrCorrupt), file.Close(), os.Remove(file.Name()))
	}
	if err := f.commitModel(file, d, err); err != nil {
		return fmt.Errorf("receive model %s: %w", d.Short(), full(f.path, err))
	}
	return nil
}
