package container

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func box(name string, size uint32, body int) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	return append(append(b, name...), make([]byte, body)...)
}

func longBox(name string, body int) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, 1), name...)
	b = binary.BigEndian.AppendUint64(b, uint64(body+16))
	return append(b, make([]byte, body)...)
}

func wav(size uint32, body int) []byte {
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), size)
	return append(append(b, "WAVE"...), make([]byte, body)...)
}

func TestReader(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := map[string]struct {
		stream []byte
		early  bool
	}{
		"nothing":                       {nil, false},
		"other audio":                   {[]byte("ID3 synthetic, and long enough"), false},
		"short":                         {[]byte("ID3"), false},
		"wav":                           {wav(104, 100), false},
		"wav with more after it":        {wav(104, 200), false},
		"wav cut short":                 {wav(104, 80), true},
		"wav cut in its header":         {wav(104, 0), true},
		"wav whose writer counts all":   {wav(112, 100), false},
		"wav of a program that streams": {wav(0xffffffff, 100), false},
		"wav of sox that streams":       {wav(0x7fffffff, 100), false},
		"wav of no size":                {wav(0, 100), false},
		"mp4":                           {join(box("ftyp", 16, 8), box("mdat", 108, 100), box("free", 8, 0)), false},
		"mp4 cut in a box":              {join(box("ftyp", 16, 8), box("mdat", 108, 90)), true},
		"mp4 cut in a header":           {join(box("ftyp", 16, 8), box("mdat", 108, 100), []byte{0, 0}), true},
		"mp4 to the end":                {join(box("ftyp", 16, 8), box("mdat", 0, 90)), false},
		"mp4 of 64 bits":                {join(box("ftyp", 16, 8), longBox("mdat", 100), box("moov", 12, 4)), false},
		"mp4 of 64 bits cut short":      {join(box("ftyp", 16, 8), longBox("mdat", 100)[:100]), true},
		"mp4 with a broken size":        {join(box("ftyp", 16, 8), box("mdat", 5, 100)), false},
	}
	for name, test := range tests {
		for _, r := range []io.Reader{bytes.NewReader(test.stream), iotest.OneByteReader(bytes.NewReader(test.stream)), iotest.DataErrReader(bytes.NewReader(test.stream))} {
			got, err := io.ReadAll(NewReader(r))
			if test.early {
				require.ErrorIs(t, err, ErrEndsEarly, name)
			} else {
				require.NoError(t, err, name)
			}
			assert.True(t, bytes.Equal(test.stream, got), name)
		}
	}
}
