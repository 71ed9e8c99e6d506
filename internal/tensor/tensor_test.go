package tensor

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"unsafe"
)

func TestShapeElements(t *testing.T) {
	for _, c := range []struct {
		shape Shape
		want  int
		fails bool
	}{
		{Shape{}, 1, false},
		{Shape{2, 3, 4}, 24, false},
		{Shape{math.MaxInt, 0, math.MaxInt}, 0, false},
		{Shape{math.MaxInt, math.MaxInt, 0}, 0, true}, // the product of the sizes before the 0 overflows already
		{Shape{math.MaxInt, 3}, 0, true},
		{Shape{3, Unknown}, 0, true},
	} {
		n, err := c.shape.Elements()
		if (err != nil) != c.fails || n != c.want {
			t.Errorf("%v: got %d, %v; want %d, failure %v", c.shape, n, err, c.want, c.fails)
		}
		if err != nil && !errors.Is(err, ErrShape) {
			t.Errorf("%v: %v is not ErrShape", c.shape, err)
		}
	}
}

func TestBytesRoundsSubByteTypesUp(t *testing.T) {
	for _, c := range []struct {
		d    DType
		s    Shape
		want int
	}{{Int4, Shape{3}, 2}, {Uint2, Shape{5}, 2}, {Float16, Shape{3}, 6}, {Complex128, Shape{2}, 32}, {Int4, Shape{0}, 0}} {
		if n, err := Bytes(c.d, c.s); err != nil || n != c.want {
			t.Errorf("%s %v: got %d, %v; want %d", c.d, c.s, n, err, c.want)
		}
	}
	if _, err := Bytes(Float64, Shape{math.MaxInt}); !errors.Is(err, ErrShape) {
		t.Errorf("overflow gave %v", err)
	}
}

func TestDTypeNamesRoundTrip(t *testing.T) {
	for d := Float32; d <= Int2; d++ {
		back, err := ParseDType(d.String())
		if err != nil || back != d {
			t.Errorf("%s: got %v, %v", d, back, err)
		}
	}
	if _, err := ParseDType("invalid"); err == nil {
		t.Error("the name of no type was accepted")
	}
}

func TestFromBytesChecksLengthAndAligns(t *testing.T) {
	raw := AlignedBytes(17)
	raw[1] = 42
	x, err := FromBytes(Int32, Shape{4}, raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	if p := uintptr(unsafe.Pointer(unsafe.SliceData(x.Bytes()))); p%4 != 0 {
		t.Errorf("buffer at %#x is not aligned for int32", p)
	}
	if got := Data[int32](x)[0]; got != 42 {
		t.Errorf("first element is %d, want 42", got)
	}
	if _, err := FromBytes(Int32, Shape{4}, raw); err == nil {
		t.Error("17 bytes were accepted for 4 int32")
	}
	if _, err := FromBytes(DType(99), Shape{4}, raw); err == nil {
		t.Error("an invalid type was accepted")
	}
}

func TestEqualComparesBits(t *testing.T) {
	nan := float32(math.NaN())
	if !Of(Float32, Shape{1}, nan).Equal(Of(Float32, Shape{1}, nan)) {
		t.Error("the same NaN differs from itself")
	}
	if Of(Float32, Shape{1}, float32(0)).Equal(Of(Float32, Shape{1}, float32(math.Copysign(0, -1)))) {
		t.Error("0 equals -0")
	}
	if Of(Float32, Shape{2}, float32(1), 2).Equal(Of(Float32, Shape{1, 2}, float32(1), 2)) {
		t.Error("shapes are ignored")
	}
}

func TestReshapeSharesTheBuffer(t *testing.T) {
	x := Of(Float32, Shape{2, 3}, float32(0), 1, 2, 3, 4, 5)
	y, err := x.Reshape(Shape{3, 2})
	if err != nil {
		t.Fatal(err)
	}
	Data[float32](y)[5] = 9
	if Data[float32](x)[5] != 9 {
		t.Error("Reshape copied")
	}
	if _, err := x.Reshape(Shape{4}); err == nil {
		t.Error("a shape of another size was accepted")
	}
	if c := x.Clone(); !c.Equal(x) || &c.Bytes()[0] == &x.Bytes()[0] {
		t.Error("Clone is not an equal copy")
	}
}

func TestCopy(t *testing.T) {
	for _, n := range []int{0, 1, copyPiece - 1, copyPiece, copyPiece + 1, 3*copyPiece + 5} {
		src, dst := make([]byte, n), make([]byte, n+1)
		for i := range src {
			src[i] = byte(i*7 + i>>8)
		}
		if k := Copy(dst, src); k != n || !bytes.Equal(dst[:n], src) || dst[n] != 0 {
			t.Errorf("copy of %d bytes copied %d", n, k)
		}
		if k := Copy(dst[:n/2], src); k != n/2 {
			t.Errorf("copy of %d bytes into %d copied %d", n, n/2, k)
		}
	}
}
