package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// MaxCalibration is the most bytes of one calibration file.
const MaxCalibration = 64 << 20

func calibrationFile(d Digest) string { return filepath.Join("codecs", string(d)+".json") }

// AddCalibration stores a calibration file by its content.
func (f *Folder) AddCalibration(b []byte) (Digest, error) {
	if len(b) > MaxCalibration {
		return "", fmt.Errorf("store calibration: %d bytes, limit %d", len(b), MaxCalibration)
	}
	sum := sha256.Sum256(b)
	d := Digest(hex.EncodeToString(sum[:]))
	return d, f.WriteFile(calibrationFile(d), b)
}

// ReadCalibration is a stored calibration file, checked against its digest. It wraps ErrNotFound where there is none and
// ErrCorrupt where it was damaged on disk.
func (f *Folder) ReadCalibration(d Digest) ([]byte, error) {
	b, err := f.ReadFile(calibrationFile(d))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != string(d) {
		return nil, fmt.Errorf("calibration %s: %w", d.Short(), ErrCorrupt)
	}
	return b, nil
}

// RemoveCalibration deletes a stored calibration file; one that is not stored is no error.
func (f *Folder) RemoveCalibration(d Digest) error {
	err := os.Remove(filepath.Join(f.path, calibrationFile(d)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
