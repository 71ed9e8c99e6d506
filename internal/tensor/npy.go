package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// ErrNPY is wrapped by every error about a file that is not NumPy's .npy format, or uses a part of it that is not read.
var ErrNPY = errors.New("not a readable .npy file")

// maxNPYHeader is the longest header that ReadNPY accepts; NumPy's own are a few hundred bytes.
const maxNPYHeader = 1 << 16

const npyMagic = "\x93NUMPY"

var npyCodes = map[DType]string{
	Float32: "<f4", Float64: "<f8", Float16: "<f2", Int8: "|i1", Int16: "<i2", Int32: "<i4", Int64: "<i8",
	Uint8: "|u1", Uint16: "<u2", Uint32: "<u4", Uint64: "<u8", Bool: "|b1", Complex64: "<c8", Complex128: "<c16",
}

var npyHeader = regexp.MustCompile(`^\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, L]*)\),?\s*\}\s*$`)

// ReadNPY reads a tensor in NumPy's .npy format, versions 1 to 3, little-endian and row-major.
func ReadNPY(r io.Reader) (*Tensor, error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:6]) != npyMagic {
		return nil, fmt.Errorf("%w: it does not begin with the format's name", ErrNPY)
	}
	n := int(binary.LittleEndian.Uint16(head[8:]))
	if head[6] >= 2 {
		var high [2]byte
		if _, err := io.ReadFull(r, high[:]); err != nil {
			return nil, fmt.Errorf("%w: header: %w", ErrNPY, err)
		}
		n |= int(binary.LittleEndian.Uint16(high[:])) << 16
	}
	if n > maxNPYHeader {
		return nil, fmt.Errorf("%w: header of %d bytes, at most %d are read", ErrNPY, n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrNPY, err)
	}
	m := npyHeader.FindSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("%w: header %q", ErrNPY, text)
	}
	if string(m[2]) == "True" {
		return nil, fmt.Errorf("%w: it is column-major, save it row-major (numpy.ascontiguousarray)", ErrNPY)
	}
	d := Invalid
	for k, code := range npyCodes {
		if code[1:] == strings.TrimLeft(string(m[1]), "<|=") {
			d = k
		}
	}
	if d == Invalid || strings.HasPrefix(string(m[1]), ">") {
		return nil, fmt.Errorf("%w: element type %q", ErrNPY, m[1])
	}
	shape := Shape{}
	for _, f := range strings.FieldsFunc(string(m[3]), func(r rune) bool { return r == ',' || r == ' ' || r == 'L' }) {
		v, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%w: shape (%s)", ErrNPY, m[3])
		}
		shape = append(shape, v)
	}
	size, err := Bytes(d, shape)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNPY, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, fmt.Errorf("read .npy: %w", err)
	}
	if len(data) < size {
		return nil, fmt.Errorf("%w: %s %v needs %d bytes, the file has %d", ErrNPY, d, shape, size, len(data))
	}
	return FromBytes(d, shape, data)
}

// WriteNPY writes t in NumPy's .npy format, version 1. It fails for types that NumPy does not have.
func WriteNPY(w io.Writer, t *Tensor) error {
	code, ok := npyCodes[t.dtype]
	if !ok {
		return fmt.Errorf("write .npy: NumPy has no type %s", t.dtype)
	}
	var dims strings.Builder
	for _, d := range t.shape {
		fmt.Fprintf(&dims, "%d, ", d)
	}
	shape := strings.TrimSuffix(dims.String(), " ")
	if len(t.shape) != 1 {
		shape = strings.TrimSuffix(shape, ",")
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", code, shape)
	const preamble = len(npyMagic) + 4
	pad := (64 - (preamble+len(text)+1)%64) % 64 // the data begins at a multiple of 64
	var b bytes.Buffer
	b.WriteString(npyMagic + "\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(text)+pad+1)))
	b.WriteString(text + strings.Repeat(" ", pad) + "\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write .npy: %w", err)
	}
	if _, err := w.Write(t.data); err != nil {
		return fmt.Errorf("write .npy: %w", err)
	}
	return nil
}
