package codec

import (
	"errors"
	"testing"
)

func TestParse(t *testing.T) {
	for _, text := range []string{
		"raw", "lossless:chunk=1024", "float16", "float8:format=e5m2", "int8:axis=-1", "int4:axis=1,clip=mse,entropy=rans,outliers=2",
		"jpeg:offset=-1,quality=85,scale=127.5", "png:layout=nchw,order=bgr,scale=1/2/3",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if s.String() != text {
			t.Errorf("%s prints as %s", text, s)
		}
	}
	for _, text := range []string{
		"", "none", "raw:", "raw:x=1", "int8:axis", "int8:axis=", "int8:axis=1,axis=2", "int8:axis=99", "int4:group=48", "int4:outliers=3",
		"jpeg:quality=0", "jpeg:scale=0", "jpeg:scale=1/2", "png:quality=3", "raw:chunk=1", "float16:format=e4m3", "int8:clip=maybe",
		"jpeg:offset=nan",
	} {
		if _, err := Parse(text); !errors.Is(err, ErrSpec) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCodecsMatchTheirNumbers(t *testing.T) {
	for i, c := range Codecs() {
		if int(c.ID()) != i {
			t.Errorf("%s has number %d at place %d", c.Name(), c.ID(), i)
		}
		if d, err := Lookup(c.Name()); err != nil || d.ID() != c.ID() {
			t.Errorf("lookup of %s: %v %v", c.Name(), d, err)
		}
	}
}
