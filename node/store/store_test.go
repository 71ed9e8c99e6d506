package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T) *Folder {
	t.Helper()
	f, err := Open(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func digestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(hex.EncodeToString(sum[:]))
}

func TestModelsAreNamedByContent(t *testing.T) {
	f := open(t)
	content := bytes.Repeat([]byte("model"), 1000)
	for range 2 { // twice is once
		d, size, err := f.AddModel(bytes.NewReader(content))
		if err != nil || d != digestOf(content) || size != int64(len(content)) {
			t.Fatalf("stored %v of %d bytes: %v", d, size, err)
		}
	}
	d := digestOf(content)
	for range 2 { // the second time without reading all of it
		if got, err := readModel(f, d); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("read %d bytes: %v", len(got), err)
		}
	}
	if err := os.Remove(f.modelPath(d)); err != nil { // its mode lets nobody but root write it
		t.Fatal(err)
	}
	if err := os.WriteFile(f.modelPath(d), content[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ModelFile(d); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "push the model again") {
		t.Errorf("a damaged file gives %v", err)
	}
	if err := f.RemoveModel(d); err != nil || f.HasModel(d) {
		t.Errorf("removed: %v", err)
	}
	if _, err := f.ModelFile(d); !errors.Is(err, ErrNotFound) {
		t.Errorf("a missing model gives %v", err)
	}
}

func readModel(f *Folder, d Digest) ([]byte, error) {
	path, err := f.ModelFile(d)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func TestPartialModelsAreResumed(t *testing.T) {
	f := open(t)
	content := bytes.Repeat([]byte("0123456789"), 500)
	d, size := digestOf(content), int64(len(content))
	broken := io.MultiReader(bytes.NewReader(content[:1234]), errReader{})
	if err := f.AppendPartial(d, 0, size, broken); !errors.Is(err, errBroken) {
		t.Fatalf("a broken transfer gives %v", err)
	}
	if at := f.Partial(d); at != 1234 || f.HasModel(d) {
		t.Fatalf("%d bytes are kept", at)
	}
	if err := f.AppendPartial(d, 1234, size, bytes.NewReader(content[1234:])); err != nil {
		t.Fatal(err)
	}
	if got, err := readModel(f, d); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("resumed: %v", err)
	}
	other := digestOf([]byte("other"))
	if err := f.AppendPartial(other, 0, size, bytes.NewReader(content)); !errors.Is(err, ErrCorrupt) || f.Partial(other) != 0 {
		t.Errorf("wrong content gives %v and keeps %d bytes", err, f.Partial(other))
	}
	if err := f.AppendPartial(d, 0, MaxModel+1, nil); err == nil {
		t.Error("a model beyond the limit is accepted")
	}
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// TestFullDiskLosesNothing writes to /dev/full, which accepts no byte.
func TestFullDiskLosesNothing(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	f := open(t)
	names, err := OpenNames(f)
	if err != nil {
		t.Fatal(err)
	}
	d, size, err := f.AddModel(strings.NewReader("kept"))
	if err != nil {
		t.Fatal(err)
	}
	kept := Name{Name: "kept", Digest: d, Size: size, Changed: 1}
	if _, err := names.Merge(kept); err != nil {
		t.Fatal(err)
	}
	f.create = func(dir string) (*os.File, error) { // through a link, so that cleaning up removes the link alone
		link := filepath.Join(dir, ".writing-full")
		if err := os.Symlink("/dev/full", link); err != nil {
			return nil, err
		}
		return os.OpenFile(link, os.O_WRONLY, 0)
	}
	wantFull := func(err error) {
		t.Helper()
		if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "--data") || !strings.Contains(err.Error(), f.Path()) {
			t.Errorf("a full disk gives %v", err)
		}
	}
	_, _, err = f.AddModel(strings.NewReader("lost"))
	wantFull(err)
	_, err = names.Merge(Name{Name: "new", Digest: d, Changed: 2}, Name{Name: "kept", Digest: d, Changed: 2, Deleted: true})
	wantFull(err)
	if _, err := names.Lookup("new"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a name that was not stored is there: %v", err)
	}
	if got, err := names.Lookup("kept"); err != nil || got != kept {
		t.Errorf("the old name is %+v, %v", got, err)
	}
	again, err := OpenNames(f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Lookup("kept"); err != nil || got != kept {
		t.Errorf("after a restart the old name is %+v, %v", got, err)
	}
	if _, err := f.ModelFile(d); err != nil {
		t.Errorf("the old model: %v", err)
	}
}

func TestFolderServesOneProcess(t *testing.T) {
	f := open(t)
	if _, err := Open(f.Path()); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second node on the folder gives %v", err)
	}
	if err := os.WriteFile(filepath.Join(f.Path(), "models", ".writing-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again, err := Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if left, _ := filepath.Glob(filepath.Join(f.Path(), "models", ".*")); len(left) != 0 {
		t.Errorf("leftovers of an interrupted write: %v", left)
	}
}

func TestNamesKeepTheNewestChange(t *testing.T) {
	d1, d2 := digestOf([]byte("1")), digestOf([]byte("2"))
	tests := []struct {
		name string
		seq  []Name
		want Digest // "" for not found
	}{
		{"newer wins", []Name{{Name: "m", Digest: d1, Changed: 1}, {Name: "m", Digest: d2, Changed: 2}}, d2},
		{"older loses", []Name{{Name: "m", Digest: d2, Changed: 2}, {Name: "m", Digest: d1, Changed: 1}}, d2},
		{"ties go by digest", []Name{{Name: "m", Digest: min(d1, d2), Changed: 1}, {Name: "m", Digest: max(d1, d2), Changed: 1}}, max(d1, d2)},
		{"deleted", []Name{{Name: "m", Digest: d1, Changed: 1}, {Name: "m", Digest: d1, Changed: 2, Deleted: true}}, ""},
		{"deleted and back", []Name{{Name: "m", Digest: d1, Changed: 2, Deleted: true}, {Name: "m", Digest: d2, Changed: 3}}, d2},
		{"bad digest", []Name{{Name: "m", Digest: "short", Changed: 1}}, ""},
		{"bad name", []Name{{Name: "../m", Digest: d1, Changed: 1}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := OpenNames(open(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.seq {
				if _, err := n.Merge(name); err != nil {
					t.Fatal(err)
				}
			}
			got, err := n.Lookup("m")
			if tt.want == "" {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil || got.Digest != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if by, err := n.Lookup(string(tt.want)); err != nil || by != got {
				t.Errorf("by digest %+v, %v", by, err)
			}
		})
	}
}

func TestDamagedNamesSayHowToGoOn(t *testing.T) {
	f := open(t)
	if err := f.WriteFile(namesFile, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenNames(f); err == nil || !strings.Contains(err.Error(), namesFile) {
		t.Errorf("got %v", err)
	}
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a", "yolox-nano", "m.1_2", strings.Repeat("x", MaxName)} {
		if err := CheckName(ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "-x", "a/b", "a b", "ä", strings.Repeat("x", MaxName+1)} {
		if CheckName(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestCalibrationsAreNamedByContent(t *testing.T) {
	f := open(t)
	content := []byte(`{"version":1}`)
	d, err := f.AddCalibration(content)
	if err != nil || d != digestOf(content) {
		t.Fatalf("stored as %v: %v", d, err)
	}
	if got, err := f.ReadCalibration(d); err != nil || !bytes.Equal(got, content) {
		t.Errorf("came back as %q: %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(f.Path(), "codecs", string(d)+".json"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadCalibration(d); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged file: %v", err)
	}
	for range 2 { // twice is once
		if err := f.RemoveCalibration(d); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.ReadCalibration(d); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed file: %v", err)
	}
	if _, err := f.AddCalibration(make([]byte, MaxCalibration+1)); err == nil {
		t.Error("a file beyond the limit is stored")
	}
}
